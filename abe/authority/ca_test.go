package authority

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// A ca signs certificates like fabric-ca does.
type ca struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
}

var serial atomic.Int64

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newCA makes a root, or an intermediate of the parent.
func newCA(t testing.TB, name string, parent *ca) *ca {
	t.Helper()
	c := &ca{t: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	issuer := parent
	if issuer == nil {
		issuer = &ca{cert: template, key: c.key}
	}
	c.cert = c.sign(template, issuer, c.key)
	return c
}

func (c *ca) sign(template *x509.Certificate, issuer *ca, key crypto.Signer) *x509.Certificate {
	c.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert
}

// A person is what an enrolment certificate says.
type person struct {
	id         string
	ou         []string
	attributes map[string]string // hf.EnrollmentID is added unless it is there
	extension  []byte            // instead of the attributes
	critical   bool
	none       bool // no extension
	twice      bool
	from, to   time.Time
	isCA       bool
}

func (c *ca) enrol(p person) tls.Certificate {
	c.t.Helper()
	key := newKey(c.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: p.id, OrganizationalUnit: p.ou},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		IsCA: p.isCA, BasicConstraintsValid: true,
	}
	if p.ou == nil {
		template.Subject.OrganizationalUnit = []string{"client"}
	}
	if !p.from.IsZero() {
		template.NotBefore = p.from
	}
	if !p.to.IsZero() {
		template.NotAfter = p.to
	}
	value := p.extension
	if value == nil {
		attrs := map[string]string{enrollmentIDAttribute: p.id, "hf.Type": "client"}
		for k, v := range p.attributes {
			attrs[k] = v
		}
		value, _ = json.Marshal(map[string]any{"attrs": attrs})
	}
	extension := pkix.Extension{Id: attributesOID, Critical: p.critical, Value: value}
	if !p.none {
		template.ExtraExtensions = append(template.ExtraExtensions, extension)
	}
	cert := c.sign(template, c, key)
	if p.twice { // x509 refuses to make or parse such a certificate
		cert.Extensions = append(cert.Extensions, extension)
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (c *ca) serverCertificate() tls.Certificate {
	key := newKey(c.t)
	cert := c.sign(&x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, c, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (c *ca) revoke(certs ...*x509.Certificate) *x509.RevocationList {
	c.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(serial.Add(1)), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, cert := range certs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.cert, c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return parsed
}

func static(members ...MSP) func(context.Context) ([]MSP, error) {
	return func(context.Context) ([]MSP, error) { return members, nil }
}
