package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/client/wallet"
)

// person enrols somebody by hand: person WALLET NAME@ORG DAYS makes certificates that are
// valid for so many days from yesterday on; with 0 days they have expired. There is also
// a profile for the organisation, whose peer does not answer.
func person(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: person WALLET NAME@ORG DAYS")
	}
	var days int
	_, err := fmt.Sscan(args[2], &days)
	ts.Check(err)
	name, org, err := wallet.SplitUser(args[1])
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	w, err := wallet.Open(dir)
	ts.Check(err)
	cert, key, err := selfSigned(name, time.Now().AddDate(0, 0, -1), time.Now().AddDate(0, 0, days).Add(-time.Hour))
	ts.Check(err)
	ts.Check(w.Save(args[1], wallet.Credentials{Certificate: cert, Key: key, TLSCertificate: cert, TLSKey: key}))
	profile := fmt.Sprintf("msp: %s\nchannel: c\nchaincode: c\npeer:\n  address: 127.0.0.1:1\n  tlsRoots: %q\n", org, cert)
	ts.Check(put(fmt.Sprintf("%s/%s.yaml", dir, org), []byte(profile), true))
}

func selfSigned(name string, from, to time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{
			Id:    asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}, // Fabric CA's attributes
			Value: fmt.Appendf(nil, `{"attrs":{"hf.EnrollmentID":%q,"role":"doctor"}}`, name),
		}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}
