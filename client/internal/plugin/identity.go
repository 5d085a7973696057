package plugin

import (
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

// identity returns the age identity for the data of an identity string. It reads no file:
// age also tries identities that cannot open the file at hand, and these must not fail.
func (p *program) identity(data []byte) (age.Identity, error) {
	ref, err := parseIdentity(data)
	if err != nil {
		return nil, say(err)
	}
	if ref.recordKey != nil {
		payload, err := envelope.PayloadIdentity(ref.recordKey)
		if err != nil {
			return nil, say(err)
		}
		return &recordIdentity{payload: payload, tell: p.tell}, nil
	}
	return &walletIdentity{program: p, user: ref.user}, nil
}

// A walletIdentity opens with the attribute keys of a user of the wallet.
type walletIdentity struct {
	program *program
	user    string // NAME@ORG, or "" for the user of the settings
}

// Unwrap implements age.Identity.
//
// An unsatisfied policy is a message, not an error of the protocol: age stops at an
// error, but a later identity may open the file. If none does, age says that no identity
// matched.
func (w *walletIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if !slices.ContainsFunc(stanzas, func(s *age.Stanza) bool { return abe.IsStanza(s.Type) }) {
		return nil, age.ErrIncorrectIdentity
	}
	user, err := w.program.user(w.user)
	if err != nil {
		return nil, say(err)
	}
	id, err := attributeIdentity(user)
	if err != nil {
		return nil, say(err)
	}
	fileKey, err := id.Unwrap(stanzas)
	var refused *abe.NotSatisfiedError
	switch {
	case errors.As(err, &refused):
		err := fmt.Errorf("%s cannot open this: %w", user, refused)
		if len(id.Attributes()) == 0 {
			err = words.WithHint(err, "the wallet holds no attribute keys: run chartseal --user %s keys request", user)
		}
		w.program.tell(say(err).Error())
		return nil, age.ErrIncorrectIdentity
	case err != nil:
		return nil, say(fmt.Errorf("open as %s: %w", user, err))
	}
	return fileKey, nil
}

// attributeIdentity reads the attribute keys of a user.
func attributeIdentity(u *wallet.User) (*abe.Identity, error) {
	keys, err := session.AttributeKeys(u)
	if broken := new(session.KeysError); errors.As(err, &broken) {
		return nil, words.WithHint(err, "run chartseal --user %s keys request", u)
	}
	if err != nil {
		return nil, err
	}
	return abe.NewIdentity(keys)
}

// A recordIdentity opens the payload of one record.
type recordIdentity struct {
	payload age.Identity
	tell    func(string)
}

// Unwrap implements age.Identity.
func (r *recordIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	fileKey, err := r.payload.Unwrap(stanzas)
	switch {
	case err == age.ErrIncorrectIdentity: // not a payload at all
		return nil, err
	case errors.Is(err, age.ErrIncorrectIdentity):
		r.tell("this record key does not open this payload: they belong to different records or versions")
		return nil, age.ErrIncorrectIdentity
	case err != nil:
		return nil, say(fmt.Errorf("open payload: %w", err))
	}
	return fileKey, nil
}
