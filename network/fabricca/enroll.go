package fabricca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/http"
)

// A Request asks for a certificate.
type Request struct {
	CA      string   // name of the CA on the server
	Profile string   // signing profile: "" for an enrolment certificate, [ProfileTLS]
	Name    string   // enrolment id, which becomes the common name
	Hosts   []string // names and IP addresses in a server's certificate

	Key *ecdsa.PrivateKey // that is certified; nil makes one
}

// ProfileTLS is the signing profile of TLS certificates.
const ProfileTLS = "tls"

// A KeyPair is a certificate and its PKCS#8 key, both PEM.
type KeyPair struct{ Certificate, Key []byte }

// Enroll makes a P-256 key, or takes that of the request, and gets a certificate for it
// with the enrolment secret, which counts as one of the identity's enrolments.
//
// Errors:
//   - ErrDenied if the secret is wrong or used up.
//   - ErrUnavailable, ErrUntrusted if the CA cannot be asked.
//   - ErrMismatch if the certificate is not for the key.
func (c *Client) Enroll(ctx context.Context, r Request, secret string) (KeyPair, error) {
	return c.certify(ctx, "enroll", r, withSecret(r.Name, secret))
}

// Reenroll gets a certificate for a new key, as the holder of an earlier certificate that
// is still valid.
//
// Errors:
//   - ErrDenied if the earlier certificate is revoked or expired.
//   - ErrUnavailable, ErrUntrusted if the CA cannot be asked.
//   - ErrMismatch if the certificate is not for the key.
func (c *Client) Reenroll(ctx context.Context, r Request, as Identity) (KeyPair, error) {
	return c.certify(ctx, "reenroll", r, as.authorise)
}

func (c *Client) certify(ctx context.Context, endpoint string, r Request, login authorise) (KeyPair, error) {
	key := r.Key
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return KeyPair{}, err
		}
	}
	keyPEM, err := EncodeKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	csr, err := r.sign(key)
	if err != nil {
		return KeyPair{}, err
	}
	body := struct {
		Request string   `json:"certificate_request"`
		CA      string   `json:"caname,omitempty"`
		Profile string   `json:"profile,omitempty"`
		Hosts   []string `json:"hosts,omitempty"`
	}{string(csr), r.CA, r.Profile, r.Hosts}
	var result struct{ Cert []byte } // PEM
	if err := c.call(ctx, http.MethodPost, endpoint, body, login, &result); err != nil {
		return KeyPair{}, err
	}
	if err := checkCertificate(result.Cert, &key.PublicKey); err != nil {
		return KeyPair{}, err
	}
	return KeyPair{Certificate: result.Cert, Key: keyPEM}, nil
}

// sign makes the certificate request, in PEM.
func (r Request) sign(key *ecdsa.PrivateKey) ([]byte, error) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: r.Name}}
	for _, h := range r.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

func checkCertificate(text []byte, key *ecdsa.PublicKey) error {
	block, _ := pem.Decode(text)
	if block == nil {
		return failure(ErrMismatch, "the certificate is not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !key.Equal(cert.PublicKey) {
		return failure(ErrMismatch, "the certificate is not for the key that was sent")
	}
	return nil
}

// EncodeKey gives a key as PKCS#8 in PEM.
func EncodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
