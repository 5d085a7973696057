package abe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/internal/group"
	"github.com/chartseal/chartseal/abe/policy"
)

// An Identity opens with the keys of one person. It implements age.Identity and is safe
// for concurrent use.
type Identity struct {
	gid    string
	h      *group.G1 // H(GID); nil without keys
	keys   map[KeyVersion]*UserKey
	bypass bool
}

var _ age.Identity = (*Identity)(nil)

// An IdentityOption changes how an [Identity] works.
type IdentityOption func(*Identity)

// SkipPolicyCheck is for red teams and demonstrations: it makes the identity run the
// decryption with the keys it has even when they do not satisfy the policy, instead of
// saying so at once. The computation then gives a wrong secret, which the AEAD refuses.
// It weakens nothing, as an attacker has this option anyway.
func SkipPolicyCheck(id *Identity) { id.bypass = true }

// NewIdentity gathers the keys of one person; there may be several versions of an
// attribute's key. Keys of different GIDs are refused with [ErrKeyMismatch]: they do not
// combine.
func NewIdentity(keys []*UserKey, options ...IdentityOption) (*Identity, error) {
	id := &Identity{keys: make(map[KeyVersion]*UserKey, len(keys))}
	for _, k := range keys {
		if id.gid == "" {
			id.gid = k.gid
		}
		if k.gid != id.gid {
			return nil, fmt.Errorf("identity: %w: keys of %s and of %s do not combine", ErrKeyMismatch, id.gid, k.gid)
		}
		id.keys[KeyVersion{k.Name(), k.version}] = k
	}
	if len(keys) > 0 {
		h, err := group.HashToG1(id.gid)
		if err != nil {
			return nil, fmt.Errorf("identity: hash GID: %w", err)
		}
		id.h = h
	}
	for _, o := range options {
		o(id)
	}
	return id, nil
}

// GID is whose keys these are; empty when there are none.
func (id *Identity) GID() string { return id.gid }

// Attributes lists the names of the attributes that there are keys for, sorted, each
// once.
func (id *Identity) Attributes() []string {
	var names []string
	for _, v := range id.versions() {
		names = append(names, v.Attribute)
	}
	return slices.Compact(names)
}

// Keys lists the attributes and versions that there are keys for, sorted.
func (id *Identity) Keys() []KeyVersion { return id.versions() }

// Unwrap implements age.Identity. It tries each stanza of [StanzaType], and returns the
// file key from the first that opens. Otherwise the error is, in this order: one that
// matches [ErrTampered] or [ErrMalformed], if there was a broken stanza; a
// [*NotSatisfiedError]; age.ErrIncorrectIdentity alone when there is no stanza of this
// type.
func (id *Identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	var broken error
	var refused *NotSatisfiedError
	for _, a := range stanzas {
		if a.Type != StanzaType {
			continue
		}
		fileKey, err := id.unwrap(a)
		if err == nil {
			return fileKey, nil
		}
		var unsatisfied *NotSatisfiedError
		switch {
		case errors.As(err, &unsatisfied):
			refused = refused.join(unsatisfied)
		case broken == nil:
			broken = err
		}
	}
	switch {
	case broken != nil:
		return nil, broken
	case refused != nil:
		return nil, refused
	}
	return nil, age.ErrIncorrectIdentity
}

func (id *Identity) unwrap(a *age.Stanza) ([]byte, error) {
	s, err := parseStanza(a)
	if err != nil {
		return nil, err
	}
	held := id.held(s)
	coefficients, satisfied := s.span.Solve(func(a string) bool { return held[a] != nil })
	if !satisfied {
		refusal := id.refusal(s, held)
		if !id.bypass || len(id.keys) == 0 {
			return nil, refusal
		}
		if fileKey, err := id.attack(s, held); err == nil {
			return fileKey, nil // cannot happen; if it does, the red team has won and must see it
		}
		return nil, refusal
	}
	return id.open(s, coefficients, held)
}

// held are the keys, by attribute, that fit a row of the stanza in name and version.
func (id *Identity) held(s *stanza) map[string]*UserKey {
	held := map[string]*UserKey{}
	for i, r := range s.span.Rows() {
		if k := id.keys[KeyVersion{r.Attribute, s.versions[i]}]; k != nil {
			held[r.Attribute] = k
		}
	}
	return held
}

func (id *Identity) open(s *stanza, coefficients []policy.Coefficient, held map[string]*UserKey) ([]byte, error) {
	shares := make([]share, len(coefficients))
	errs := make([]error, len(coefficients))
	group.Each(len(shares), func(i int) {
		c := coefficients[i]
		shares[i] = share{coefficient: c.Value, key: held[s.span.Rows()[c.Row].Attribute]}
		shares[i].row, errs[i] = parseRow(s.rows[c.Row])
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	secret, err := decapsulate(id.h, shares)
	if err != nil {
		return nil, err
	}
	return s.unwrap(secret)
}

// attack does the best that keys which do not satisfy the policy can do: it decrypts with
// the coefficients of a set that does, and puts keys of other attributes and versions in
// the place of those that are missing.
func (id *Identity) attack(s *stanza, held map[string]*UserKey) ([]byte, error) {
	coefficients, _ := s.span.Solve(func(string) bool { return true })
	other := id.keys[id.versions()[0]]
	substituted := map[string]*UserKey{}
	for _, r := range s.span.Rows() {
		substituted[r.Attribute] = other
		if k := held[r.Attribute]; k != nil {
			substituted[r.Attribute] = k
		}
	}
	return id.open(s, coefficients, substituted)
}

// versions lists the keys that there are, sorted.
func (id *Identity) versions() []KeyVersion {
	out := make([]KeyVersion, 0, len(id.keys))
	for v := range id.keys {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b KeyVersion) int {
		return cmp.Or(cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Version, b.Version))
	})
	return out
}

// maxMissing is how many ways to satisfy a policy an error names.
const maxMissing = 3

func (id *Identity) refusal(s *stanza, held map[string]*UserKey) *NotSatisfiedError {
	e := &NotSatisfiedError{Policy: s.policy, GID: id.gid}
	if p, err := policy.Parse(s.policy); err == nil {
		e.Missing = p.Missing(func(a string) bool { return held[a] != nil }, maxMissing)
	}
	names := id.Attributes()
	for _, r := range s.span.Rows() {
		if held[r.Attribute] == nil && slices.Contains(names, r.Attribute) {
			e.Stale = append(e.Stale, r.Attribute)
		}
	}
	return e
}

// join merges the refusals of two stanzas of one policy; e may be nil.
func (e *NotSatisfiedError) join(other *NotSatisfiedError) *NotSatisfiedError {
	if e == nil {
		return other
	}
	if e.Policy == other.Policy && len(e.Stale) == 0 {
		e.Stale = other.Stale
	}
	return e
}
