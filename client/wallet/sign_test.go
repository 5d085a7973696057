package wallet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A fixedSigner answers with the same bytes whatever it should sign.
type fixedSigner struct {
	crypto.Signer
	answer []byte
	err    error
}

func (s fixedSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.answer, s.err
}

// TestSign: of both forms of a signature, the one that Fabric accepts comes out.
func TestSign(t *testing.T) {
	digest := sha256.Sum256([]byte("a proposal"))
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		other := new(big.Int).Sub(curve.Params().N, s)
		for _, s := range []*big.Int{s, other} {
			der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
			if err != nil {
				t.Fatal(err)
			}
			signature, err := (&User{signer: fixedSigner{Signer: key, answer: der}}).Sign(digest[:])
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ R, S *big.Int }
			if _, err := asn1.Unmarshal(signature, &got); err != nil {
				t.Fatal(err)
			}
			if got.S.Cmp(new(big.Int).Rsh(curve.Params().N, 1)) > 0 || !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
				t.Errorf("%s: s is %x, of a group of order %x", curve.Params().Name, got.S, curve.Params().N)
			}
		}
		for name, answer := range map[string][]byte{"nothing": nil, "raw": make([]byte, 64), "more": append([]byte{0x30, 0x06, 2, 1, 1, 2, 1, 1}, 0)} {
			if _, err := (&User{signer: fixedSigner{Signer: key, answer: answer}}).Sign(digest[:]); !errors.Is(err, ledger.ErrInvalid) {
				t.Errorf("a token that answers %s: %v", name, err)
			}
		}
		locked := errors.New("the token is locked")
		if _, err := (&User{signer: fixedSigner{Signer: key, err: locked}}).Sign(digest[:]); !errors.Is(err, locked) {
			t.Errorf("a token that refuses: %v", err)
		}
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&User{signer: edwards}).Sign(digest[:]); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("an Ed25519 key: %v", err)
	}
}

// TestNewUser: keys from elsewhere have to belong to their certificates and to sign.
func TestNewUser(t *testing.T) {
	w := newWallet(t)
	u := user(t, w)
	enrolment := tls.Certificate{Certificate: [][]byte{u.Certificate.Raw}, PrivateKey: u.Signer()}
	if _, err := w.NewUser("doctor@HospitalA", enrolment, u.TLS); err != nil {
		t.Error(err)
	}
	if _, err := w.NewUser("doctor@HospitalX", enrolment, u.TLS); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("no profile: %v", err)
	}
	mute := enrolment
	mute.PrivateKey = struct{}{}
	for name, c := range map[string][2]tls.Certificate{
		"no certificate":            {{PrivateKey: u.Signer()}, u.TLS},
		"the key of another":        {{Certificate: enrolment.Certificate, PrivateKey: u.TLS.PrivateKey}, u.TLS},
		"the TLS key of another":    {enrolment, {Certificate: u.TLS.Certificate, PrivateKey: u.Signer()}},
		"a key that does not sign":  {mute, u.TLS},
		"a certificate of rubbish":  {{Certificate: [][]byte{{1}}, PrivateKey: u.Signer()}, u.TLS},
		"a TLS key that is missing": {enrolment, {Certificate: u.TLS.Certificate}},
	} {
		if _, err := w.NewUser("doctor@HospitalA", c[0], c[1]); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
