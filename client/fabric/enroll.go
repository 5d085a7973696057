package fabric

import (
	"context"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/wallet"
	"github.com/chartseal/chartseal/network/fabricca"
)

// Enroll gets a person's first certificates from their organisation's Fabric CA. The
// registrar gave them the enrolment id and the secret. Both keys, for the ledger and for
// TLS, are made here and never leave; the CA sees certificate requests. Enroll takes two
// of the identity's enrolments, one at each of the two CAs.
//
// Errors:
//   - ErrDenied if the secret is wrong or used up, or the server is not the profile's CA.
//   - ErrInvalid if the profile names no CA.
//   - ErrTampered if the CA certifies another key.
//   - ErrUnavailable if the CA does not answer.
func Enroll(ctx context.Context, ca *wallet.CA, id, secret string) (wallet.Credentials, error) {
	c, err := newCA(ca)
	if err != nil {
		return wallet.Credentials{}, err
	}
	return c.credentials(id, func(r fabricca.Request) (fabricca.KeyPair, error) {
		return c.Enroll(ctx, r, secret)
	})
}

// Renew gets a user new certificates for new keys. The present certificates authenticate
// the request, so they must still be valid.
//
// Errors:
//   - ErrDenied if the present certificates are expired or revoked, or the server is not
//     the profile's CA.
//   - ErrInvalid if the profile names no CA, or the present keys cannot sign for one.
//   - ErrTampered if the CA certifies another key.
//   - ErrUnavailable if the CA does not answer.
func Renew(ctx context.Context, u *wallet.User) (wallet.Credentials, error) {
	c, err := newCA(u.Profile.CA)
	if err != nil {
		return wallet.Credentials{}, err
	}
	if err := u.Valid(time.Now()); err != nil {
		return wallet.Credentials{}, err
	}
	enrolment, err := signingIdentity(u.Certificate.Raw, u.Signer())
	if err != nil {
		return wallet.Credentials{}, err
	}
	tls, err := signingIdentity(u.TLS.Certificate[0], u.TLS.PrivateKey)
	if err != nil {
		return wallet.Credentials{}, err
	}
	return c.credentials(u.Certificate.Subject.CommonName, func(r fabricca.Request) (fabricca.KeyPair, error) {
		if r.Profile == fabricca.ProfileTLS {
			return c.Reenroll(ctx, r, tls)
		}
		return c.Reenroll(ctx, r, enrolment)
	})
}

// ClockAhead tells how far this computer's clock is ahead of that of the CA, to about a
// second. It is negative if the clock is behind. The CA's certificate need not be valid
// by either clock.
//
// Errors:
//   - ErrDenied if the server is not the profile's CA.
//   - ErrInvalid if the profile names no CA.
//   - ErrUnavailable if the CA does not answer.
func ClockAhead(ctx context.Context, ca *wallet.CA) (time.Duration, error) {
	c, err := newCA(ca)
	if err != nil {
		return 0, err
	}
	at, err := c.Clock(ctx)
	if err != nil {
		return 0, caError(err)
	}
	return time.Since(at), nil
}

func signingIdentity(der []byte, key crypto.PrivateKey) (fabricca.Identity, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return fabricca.Identity{}, ledger.Errorf(ledger.ErrInvalid, "renewing needs keys that can sign")
	}
	return fabricca.Identity{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: signer,
	}, nil
}

// A caServer is the CA server of a profile.
type caServer struct {
	*fabricca.Client
	profile *wallet.CA
}

func newCA(profile *wallet.CA) (caServer, error) {
	if profile == nil {
		return caServer{}, ledger.Errorf(ledger.ErrInvalid, "the organisation's profile names no CA")
	}
	c, err := fabricca.New(profile.URL, profile.TLSRoots)
	if err != nil {
		return caServer{}, ledger.Errorf(ledger.ErrInvalid, "the organisation's profile: %v", err)
	}
	return caServer{c, profile}, nil
}

// credentials gets the enrolment certificate and the TLS certificate of an identity.
func (c caServer) credentials(id string, certify func(fabricca.Request) (fabricca.KeyPair, error)) (wallet.Credentials, error) {
	get := func(ca, profile string) (fabricca.KeyPair, error) {
		pair, err := certify(fabricca.Request{CA: ca, Profile: profile, Name: id})
		if err != nil {
			err = fmt.Errorf("enrol %s with %s at %s: %w", id, ca, c.profile.URL, caError(err))
		}
		return pair, err
	}
	enrolment, err := get(c.profile.Name, "")
	if err != nil {
		return wallet.Credentials{}, err
	}
	tls, err := get(c.profile.TLSName, fabricca.ProfileTLS)
	if err != nil {
		return wallet.Credentials{}, err
	}
	return wallet.Credentials{
		Certificate: enrolment.Certificate, Key: enrolment.Key,
		TLSCertificate: tls.Certificate, TLSKey: tls.Key,
	}, nil
}

// caErrors says which of the ledger's errors stands for one of the CA's.
var caErrors = map[error]error{
	fabricca.ErrDenied:      ledger.ErrDenied,
	fabricca.ErrUntrusted:   ledger.ErrDenied,
	fabricca.ErrNotFound:    ledger.ErrNotFound,
	fabricca.ErrExists:      ledger.ErrExists,
	fabricca.ErrInvalid:     ledger.ErrInvalid,
	fabricca.ErrMismatch:    ledger.ErrTampered,
	fabricca.ErrUnavailable: ledger.ErrUnavailable,
}

func caError(err error) error {
	for kind, ours := range caErrors {
		if errors.Is(err, kind) {
			return ledger.Errorf(ours, "%v", err)
		}
	}
	return err
}
