package fabric

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/wallet"
)

const (
	enrollPath   = "/api/v1/enroll"
	reenrollPath = "/api/v1/reenroll"

	caTimeout   = 30 * time.Second
	maxCAAnswer = 1 << 20
)

// Enroll enrols a person with their organisation's Fabric CA, with the enrolment id and
// the one secret that the registrar gave them. Both keys, for the ledger and for TLS, are
// made here and never leave; the CA sees certificate requests. The secret is good for the
// identity's maximum of enrolments, of which this takes one on each of the two CAs.
func Enroll(ctx context.Context, ca *wallet.CA, id, secret string) (wallet.Credentials, error) {
	var none wallet.Credentials
	c, err := newCAClient(ca)
	if err != nil {
		return none, err
	}
	login := func(r *http.Request, _ []byte) error {
		r.SetBasicAuth(id, secret)
		return nil
	}
	return c.both(ctx, enrollPath, id, login, login)
}

// Renew gets a user new certificates for new keys, authenticated by the present ones,
// which must still be valid.
func Renew(ctx context.Context, u *wallet.User) (wallet.Credentials, error) {
	var none wallet.Credentials
	if u.Profile.CA == nil {
		return none, ledger.Errorf(ledger.ErrInvalid, "the profile of %s names no CA", u.Profile.MSP)
	}
	if err := u.Valid(time.Now()); err != nil {
		return none, err
	}
	c, err := newCAClient(u.Profile.CA)
	if err != nil {
		return none, err
	}
	tlsKey, ok := u.TLS.PrivateKey.(crypto.Signer)
	if !ok {
		return none, ledger.Errorf(ledger.ErrInvalid, "the TLS key of %s is not a crypto.Signer", u)
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.Certificate.Raw})
	tlsLeaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.TLS.Certificate[0]})
	return c.both(ctx, reenrollPath, u.Certificate.Subject.CommonName, token(leaf, u.Signer()), token(tlsLeaf, tlsKey))
}

// An authenticator proves to the CA who sends the body.
type authenticator func(r *http.Request, body []byte) error

// token is Fabric CA's own: base64(certificate) "." base64(signature), signing method,
// path, body and certificate.
func token(cert []byte, key crypto.Signer) authenticator {
	return func(r *http.Request, body []byte) error {
		b64 := base64.StdEncoding.EncodeToString
		text := r.Method + "." + b64([]byte(r.URL.RequestURI())) + "." + b64(body) + "." + b64(cert)
		digest := sha256.Sum256([]byte(text))
		signature, err := wallet.SignLowS(key, digest[:])
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", b64(cert)+"."+b64(signature))
		return nil
	}
}

type caClient struct {
	ca   *wallet.CA
	http *http.Client
}

func newCAClient(ca *wallet.CA) (*caClient, error) {
	if ca == nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "the organisation's profile names no CA")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.TLSRoots) {
		return nil, ledger.Errorf(ledger.ErrInvalid, "the organisation's profile has no TLS roots of the CA")
	}
	return &caClient{ca: ca, http: &http.Client{
		Timeout: caTimeout,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			DialContext:       (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// both gets the enrolment certificate and the TLS certificate.
func (c *caClient) both(ctx context.Context, path, id string, login, tlsLogin authenticator) (wallet.Credentials, error) {
	var out wallet.Credentials
	var err error
	if out.Certificate, out.Key, err = c.certify(ctx, path, id, c.ca.Name, "", login); err != nil {
		return out, err
	}
	out.TLSCertificate, out.TLSKey, err = c.certify(ctx, path, id, c.ca.TLSName, "tls", tlsLogin)
	return out, err
}

type caRequest struct {
	Request string `json:"certificate_request"`
	CAName  string `json:"caname,omitempty"`
	Profile string `json:"profile,omitempty"`
}

type caAnswer struct {
	Success bool `json:"success"`
	Result  struct {
		Cert string // base64 of PEM
	} `json:"result"`
	Errors []struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

// certify makes a key and gets a certificate for it.
func (c *caClient) certify(ctx context.Context, path, id, caName, profile string, login authenticator) (cert, key []byte, err error) {
	fail := func(err error) ([]byte, []byte, error) {
		return nil, nil, fmt.Errorf("enrol %s with %s at %s: %w", id, caName, c.ca.URL, err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: id}}, private)
	if err != nil {
		return fail(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fail(err)
	}
	answer, err := c.post(ctx, path, caRequest{
		Request: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})),
		CAName:  caName, Profile: profile,
	}, login)
	if err != nil {
		return fail(err)
	}
	if cert, err = base64.StdEncoding.DecodeString(answer.Result.Cert); err != nil {
		return fail(ledger.Errorf(ledger.ErrTampered, "the certificate is not base64"))
	}
	block, _ := pem.Decode(cert)
	if block == nil {
		return fail(ledger.Errorf(ledger.ErrTampered, "the certificate is not PEM"))
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !private.PublicKey.Equal(parsed.PublicKey) {
		return fail(ledger.Errorf(ledger.ErrTampered, "the certificate is not for the key that was sent"))
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func (c *caClient) post(ctx context.Context, path string, in caRequest, login authenticator) (*caAnswer, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.ca.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "%v", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := login(r, body); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			return nil, ledger.Errorf(ledger.ErrDenied, "the server is not the CA of the profile: %v", untrusted.Err)
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which is told already
		}
		return nil, ledger.Errorf(ledger.ErrUnavailable, "the CA does not answer: %v", err)
	}
	defer resp.Body.Close()
	var answer caAnswer
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxCAAnswer))
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrUnavailable, "the CA does not answer: %v", err)
	}
	if err := json.Unmarshal(text, &answer); err != nil && resp.StatusCode == http.StatusUnauthorized { // it says no more than that
		return nil, ledger.Errorf(ledger.ErrDenied, "the CA does not accept the name with this secret")
	} else if err != nil {
		return nil, ledger.Errorf(ledger.ErrUnavailable, "the CA answers with HTTP status %d and no JSON", resp.StatusCode)
	}
	if answer.Success && resp.StatusCode < 300 {
		return &answer, nil
	}
	var said []string
	for _, e := range answer.Errors {
		said = append(said, fmt.Sprintf("%s (code %d)", e.Message, e.Code))
	}
	kind := ledger.ErrUnavailable
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		kind = ledger.ErrDenied
	} else if resp.StatusCode < 500 {
		kind = ledger.ErrInvalid
	}
	return nil, ledger.Errorf(kind, "the CA refuses: %s", strings.Join(said, "; "))
}
