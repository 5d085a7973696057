package wallet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

const (
	certFile    = "cert.pem"
	keyFile     = "key.pem"
	tlsCertFile = "tls-cert.pem"
	tlsKeyFile  = "tls-key.pem"
)

// A User is a person or service with an enrolment certificate.
type User struct {
	Name    string // enrolment id, such as doctor
	Profile *Profile

	Certificate    *x509.Certificate
	CertificatePEM []byte          // with its chain, if the file has one
	TLS            tls.Certificate // for client authentication

	dir string
	key *ecdsa.PrivateKey
}

// String is NAME@ORG.
func (u *User) String() string { return u.Name + "@" + u.Profile.MSP }

// Dir is the user's own directory.
func (u *User) Dir() string { return u.dir }

// Signer is the enrolment key.
func (u *User) Signer() crypto.Signer { return u.key }

// Key is the enrolment key as fabric-gateway's identity package takes it.
func (u *User) Key() crypto.PrivateKey { return u.key }

// At is the same user at the peer of another organisation.
func (u *User) At(p Peer) *User {
	profile := *u.Profile
	profile.Peer = p
	there := *u
	there.Profile = &profile
	return &there
}

func readUser(dir, name string, p *Profile) (*User, error) {
	u := &User{Name: name, Profile: p, dir: dir}
	fail := func(err error) (*User, error) {
		return nil, fmt.Errorf("user %s: %w", filepath.Base(dir), err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fail(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fail(ledger.Errorf(ledger.ErrDenied, "%s may be entered by others (mode %04o): run chmod 700 on it", dir, mode))
	}
	if u.CertificatePEM, err = os.ReadFile(filepath.Join(dir, certFile)); err != nil {
		return fail(notEnrolled(err))
	}
	if u.Certificate, err = parseCertificate(u.CertificatePEM); err != nil {
		return fail(fmt.Errorf("%s: %w", certFile, err))
	}
	keyPEM, err := readSecret(filepath.Join(dir, keyFile))
	if err != nil {
		return fail(notEnrolled(err))
	}
	if u.key, err = parseKey(keyPEM); err != nil {
		return fail(fmt.Errorf("%s: %w", keyFile, err))
	}
	if !u.key.PublicKey.Equal(u.Certificate.PublicKey) {
		return fail(ledger.Errorf(ledger.ErrInvalid, "%s is not the key of %s", keyFile, certFile))
	}
	tlsCert, err := os.ReadFile(filepath.Join(dir, tlsCertFile))
	if err != nil {
		return fail(notEnrolled(err))
	}
	tlsKey, err := readSecret(filepath.Join(dir, tlsKeyFile))
	if err != nil {
		return fail(notEnrolled(err))
	}
	if u.TLS, err = tls.X509KeyPair(tlsCert, tlsKey); err != nil {
		return fail(ledger.Errorf(ledger.ErrInvalid, "%s and %s: %v", tlsCertFile, tlsKeyFile, err))
	}
	return u, nil
}

func notEnrolled(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Errorf(ledger.ErrNotFound, "not enrolled: %v", err)
	}
	return err
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, ledger.Errorf(ledger.ErrInvalid, "no certificate in it")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "%v", err)
	}
	return c, nil
}

func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, ledger.Errorf(ledger.ErrInvalid, "no PKCS#8 private key in it")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "not a PKCS#8 private key") // err could tell of the key
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, ledger.Errorf(ledger.ErrInvalid, "not an ECDSA key")
	}
	return key, nil
}

// An ExpiredError says that a certificate is outside its validity. It is
// [ledger.ErrDenied].
type ExpiredError struct {
	User string
	What string // "enrolment certificate" or "TLS certificate"
	From time.Time
	To   time.Time
	Now  time.Time
}

func (e *ExpiredError) Error() string {
	if e.Now.Before(e.From) {
		return fmt.Sprintf("the %s of %s is not valid before %s; check this machine's clock", e.What, e.User, day(e.From))
	}
	return fmt.Sprintf("the %s of %s expired on %s; enrol again to renew it", e.What, e.User, day(e.To))
}

// Unwrap makes it ErrDenied.
func (e *ExpiredError) Unwrap() error { return ledger.ErrDenied }

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// Valid fails with an [ExpiredError] when a certificate of the user is not valid at t.
func (u *User) Valid(t time.Time) error {
	for _, c := range []struct {
		what string
		cert *x509.Certificate
	}{{"enrolment certificate", u.Certificate}, {"TLS certificate", u.TLS.Leaf}} {
		if c.cert != nil && (t.Before(c.cert.NotBefore) || t.After(c.cert.NotAfter)) {
			return &ExpiredError{User: u.String(), What: c.what, From: c.cert.NotBefore, To: c.cert.NotAfter, Now: t}
		}
	}
	return nil
}

// Credentials are what enrolment yields, all PEM.
type Credentials struct {
	Certificate, Key       []byte
	TLSCertificate, TLSKey []byte
}

// Save writes the credentials of a user, new or renewed. Attribute keys and the rest of
// the directory stay. It fails with [ledger.ErrInvalid] and writes nothing when the parts
// do not fit together.
func (w *Wallet) Save(user string, c Credentials) error {
	if _, _, err := SplitUser(user); err != nil {
		return err
	}
	cert, err := parseCertificate(c.Certificate)
	if err != nil {
		return fmt.Errorf("save %s: %w", user, err)
	}
	key, err := parseKey(c.Key)
	if err != nil {
		return fmt.Errorf("save %s: %w", user, err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return ledger.Errorf(ledger.ErrInvalid, "save %s: key and certificate do not belong together", user)
	}
	if _, err := tls.X509KeyPair(c.TLSCertificate, c.TLSKey); err != nil {
		return ledger.Errorf(ledger.ErrInvalid, "save %s: TLS certificate: %v", user, err)
	}
	dir := filepath.Join(w.dir, user)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("save %s: %w", user, err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{keyFile, c.Key}, {certFile, c.Certificate}, {tlsKeyFile, c.TLSKey}, {tlsCertFile, c.TLSCertificate}} {
		if err := writeFile(filepath.Join(dir, f.name), f.data); err != nil {
			return fmt.Errorf("save %s: %w", user, err)
		}
	}
	return nil
}
