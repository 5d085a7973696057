// Package wallettest fills wallets for tests that need no network.
package wallettest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/chartseal/chartseal/client/wallet"
)

// Enrol puts a user, NAME@ORG, into the wallet in dir, with self-signed certificates that
// are valid between the two times. If the organisation has no profile yet, it gets one
// whose peer does not answer.
func Enrol(dir, user string, from, to time.Time) error {
	name, org, err := wallet.SplitUser(user)
	if err != nil {
		return err
	}
	w, err := wallet.Open(dir)
	if err != nil {
		return err
	}
	cert, key, err := selfSigned(name, from, to)
	if err != nil {
		return err
	}
	if err := w.Save(user, wallet.Credentials{Certificate: cert, Key: key, TLSCertificate: cert, TLSKey: key}); err != nil {
		return err
	}
	path := filepath.Join(dir, org+".yaml")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Nothing listens on port 1.
	profile := fmt.Sprintf("msp: %s\nchannel: c\nchaincode: c\npeer:\n  address: 127.0.0.1:1\n  tlsRoots: %q\n", org, cert)
	return os.WriteFile(path, []byte(profile), 0o600)
}

// selfSigned makes an enrolment certificate such as Fabric CA issues, and its key, both
// PEM.
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
