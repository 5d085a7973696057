package wallet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
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

// A User is a person or service with an enrolment certificate and a TLS certificate. The
// private keys are crypto.Signers, so they may live in a file or in a token: no caller
// sees a private key. [Wallet.User] reads both from files; [Wallet.NewUser] takes them
// from elsewhere.
type User struct {
	Name    string // enrolment id, such as doctor
	Profile *Profile

	Certificate *x509.Certificate // for enrolment
	TLS         tls.Certificate   // for client authentication; its private key is a crypto.Signer

	dir    string
	signer crypto.Signer
}

// String is NAME@ORG.
func (u *User) String() string { return u.Name + "@" + u.Profile.MSP }

// Dir is the user's own directory.
func (u *User) Dir() string { return u.dir }

// Signer is the enrolment key, which is ECDSA. Signatures for Fabric come from
// [User.Sign].
func (u *User) Signer() crypto.Signer { return u.signer }

// At is the same user at the peer of another organisation.
func (u *User) At(p Peer) *User {
	profile := *u.Profile
	profile.Peer = p
	there := *u
	there.Profile = &profile
	return &there
}

// User reads a user, their keys and the profile of their organisation from files.
//
// Errors:
//   - ErrNotFound if the wallet has no such user or no profile of the organisation, or if
//     the user is not enrolled. The message lists the users or profiles in the wallet.
//   - ErrDenied if others may read a key or enter the user's directory.
//   - ErrInvalid if a file is damaged, or if a key does not belong to its certificate.
func (w *Wallet) User(user string) (*User, error) {
	if _, _, err := SplitUser(user); err != nil {
		return nil, err
	}
	dir := filepath.Join(w.dir, user)
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		known, _ := w.Users()
		return nil, ledger.Errorf(ledger.ErrNotFound, "the wallet %s has no user %s%s", w.dir, user, listed(known))
	}
	fail := func(err error) (*User, error) { return nil, fmt.Errorf("user %s: %w", user, err) }
	if err != nil {
		return fail(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fail(ledger.Errorf(ledger.ErrDenied, "others may enter %s (mode %04o): run chmod 700 on it", dir, mode))
	}
	enrolment, err := readPair(dir, certFile, keyFile)
	if err != nil {
		return fail(err)
	}
	client, err := readPair(dir, tlsCertFile, tlsKeyFile)
	if err != nil {
		return fail(err)
	}
	return w.NewUser(user, enrolment, client)
}

// NewUser returns a user whose private keys do not come from files, for example from a
// PKCS#11 token. Each certificate comes with its chain, and with a PrivateKey that
// implements crypto.Signer and stays where it is. The enrolment key must be ECDSA, as
// Fabric accepts nothing else. The user's directory in the wallet holds the rest:
// attribute keys and state.
//
// Errors:
//   - ErrNotFound if the wallet has no profile of the organisation.
//   - ErrInvalid if a private key is not a crypto.Signer or does not belong to its
//     certificate, or if the enrolment key is not ECDSA.
func (w *Wallet) NewUser(user string, enrolment, client tls.Certificate) (*User, error) {
	name, org, err := SplitUser(user)
	if err != nil {
		return nil, err
	}
	p, err := w.Profile(org)
	if err != nil {
		return nil, err
	}
	u := &User{Name: name, Profile: p, TLS: client, dir: filepath.Join(w.dir, user)}
	if u.Certificate, u.signer, err = checkEnrolment(enrolment); err != nil {
		return nil, fmt.Errorf("user %s: %w", user, err)
	}
	if u.TLS.Leaf, _, err = checkPair(client); err != nil {
		return nil, fmt.Errorf("user %s: TLS certificate: %w", user, err)
	}
	return u, nil
}

// checkEnrolment is [checkPair] for an enrolment certificate, whose key must be ECDSA.
func checkEnrolment(pair tls.Certificate) (*x509.Certificate, crypto.Signer, error) {
	leaf, signer, err := checkPair(pair)
	if err != nil {
		return nil, nil, fmt.Errorf("enrolment certificate: %w", err)
	}
	if _, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok {
		return nil, nil, ledger.Errorf(ledger.ErrInvalid, "enrolment certificate: its key is not ECDSA")
	}
	return leaf, signer, nil
}

// checkPair returns the first certificate of a chain and its key, which must belong
// together.
func checkPair(pair tls.Certificate) (*x509.Certificate, crypto.Signer, error) {
	if len(pair.Certificate) == 0 {
		return nil, nil, ledger.Errorf(ledger.ErrInvalid, "there is none")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, nil, ledger.Errorf(ledger.ErrInvalid, "%v", err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, nil, ledger.Errorf(ledger.ErrInvalid, "its private key, a %T, is not a crypto.Signer", pair.PrivateKey)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return nil, nil, ledger.Errorf(ledger.ErrInvalid, "the private key is for another certificate")
	}
	return leaf, signer, nil
}

// readPair reads a certificate chain and its private key from two PEM files.
func readPair(dir, cert, key string) (tls.Certificate, error) {
	var none tls.Certificate
	certPEM, err := os.ReadFile(filepath.Join(dir, cert))
	if err != nil {
		return none, notEnrolled(err)
	}
	keyPEM, err := readSecret(filepath.Join(dir, key))
	if err != nil {
		return none, notEnrolled(err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return none, ledger.Errorf(ledger.ErrInvalid, "%s and %s: %v", cert, key, err)
	}
	return pair, nil
}

func notEnrolled(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Errorf(ledger.ErrNotFound, "not enrolled: %v", err)
	}
	return err
}

// An ExpiredError says that a certificate is not valid now. It is [ledger.ErrDenied].
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

// Valid checks that both certificates of the user are valid at t.
//
// Errors:
//   - [ExpiredError] if one is not.
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

// Ends gives the time at which the first of the user's certificates ends, and tells
// whether that is soon after t: within 30 days, or within a third of a shorter lifetime.
func (u *User) Ends(t time.Time) (end time.Time, soon bool) {
	for _, c := range []*x509.Certificate{u.Certificate, u.TLS.Leaf} {
		if c == nil {
			continue
		}
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
		period := min(30*24*time.Hour, c.NotAfter.Sub(c.NotBefore)/3)
		soon = soon || t.After(c.NotAfter.Add(-period))
	}
	return end, soon
}

// Credentials are the result of an enrolment with keys on disk, all PEM.
type Credentials struct {
	Certificate, Key       []byte
	TLSCertificate, TLSKey []byte
}

// Save writes the credentials of a user, new or renewed. Attribute keys and the rest of
// the directory stay.
//
// Errors:
//   - ErrInvalid if a key does not belong to its certificate. Nothing is written then.
func (w *Wallet) Save(user string, c Credentials) error {
	if _, _, err := SplitUser(user); err != nil {
		return err
	}
	enrolment, err := tls.X509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return ledger.Errorf(ledger.ErrInvalid, "save %s: enrolment certificate: %v", user, err)
	}
	if _, _, err := checkEnrolment(enrolment); err != nil {
		return fmt.Errorf("save %s: %w", user, err)
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
