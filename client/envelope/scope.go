package envelope

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A ScopeKey is the key of one epoch of a search domain. It travels wrapped, like an
// envelope.
type ScopeKey struct {
	Type    string    `json:"type"`   // "scope"
	Format  int       `json:"format"` // 1
	Scope   string    `json:"scope"`
	Epoch   int       `json:"epoch"`
	Key     []byte    `json:"key"` // KeySize bytes
	Policy  string    `json:"policy"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`

	// Digest is the SHA-256 of the whole plaintext of an opened scope key, see
	// [Draft.Digest].
	Digest [32]byte `json:"-"`
}

// Seal wraps the scope key for the recipients.
//
// Errors:
//   - ledger.ErrInvalid if scope, epoch or key is missing, or the policy is too long.
//   - the error of a recipient.
func (k ScopeKey) Seal(recipients ...age.Recipient) ([]byte, error) {
	d, err := k.Draft()
	if err != nil {
		return nil, err
	}
	return d.Seal(recipients...)
}

// Draft returns the text that [ScopeKey.Seal] seals. Its errors are those of
// [ScopeKey.Seal].
func (k ScopeKey) Draft() (Draft, error) {
	k.Type, k.Format = typeScope, scopeFormat
	if len(k.Key) != KeySize || k.Scope == "" || k.Epoch < 1 {
		return Draft{}, fmt.Errorf("seal scope key: no scope, epoch or key: %w", ledger.ErrInvalid)
	}
	text, err := json.Marshal(k)
	if err != nil {
		return Draft{}, fmt.Errorf("seal scope key: %w", err)
	}
	if len(text) > maxText {
		return Draft{}, ledger.Errorf(ledger.ErrInvalid, "seal scope key: the policy is too long")
	}
	return Draft{pad(text)}, nil
}

// OpenScopeKey unwraps the key of a scope and epoch. Its errors are those of [Open].
func OpenScopeKey(data []byte, scope string, epoch int, identities ...age.Identity) (*ScopeKey, error) {
	text, err := unwrap(data, identities)
	if err != nil {
		return nil, err
	}
	k := ScopeKey{Digest: sha256.Sum256(text)}
	if err := decode(text, &k); err != nil {
		return nil, err
	}
	switch {
	case k.Type != typeScope || k.Format != scopeFormat:
		return nil, tampered("not a scope key of a known format")
	case len(k.Key) != KeySize:
		return nil, tampered("scope key has the wrong size")
	case k.Scope != scope || k.Epoch != epoch:
		return nil, tampered("key of scope %s epoch %d was served for scope %s epoch %d", k.Scope, k.Epoch, scope, epoch)
	}
	return &k, nil
}
