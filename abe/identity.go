package abe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/internal/parallel"
	"github.com/chartseal/chartseal/abe/policy"
)

// An Identity opens with the keys of one person. It implements age.Identity and is safe
// for concurrent use.
type Identity struct {
	gid    string
	hashes map[string]pairing.G1 // H(GID), by suite of the keys
	keys   map[keyID]*UserKey
	bypass bool
}

// A keyID tells the keys of one person apart.
type keyID struct {
	suite string
	KeyVersion
}

var _ age.Identity = (*Identity)(nil)

// An IdentityOption changes how an [Identity] works.
type IdentityOption func(*Identity)

// SkipPolicyCheck is for red teams and demonstrations. The identity then decrypts even
// with keys that do not satisfy the policy, instead of refusing at once. The computation
// gives a wrong secret, which the AEAD refuses. This weakens nothing, as an attacker can
// do the same.
func SkipPolicyCheck(id *Identity) { id.bypass = true }

// NewIdentity gathers the keys of one person. There may be several versions of an
// attribute's key.
//
// Errors:
//   - ErrKeyMismatch if the keys have different GIDs: such keys do not combine.
func NewIdentity(keys []*UserKey, options ...IdentityOption) (*Identity, error) {
	id := &Identity{hashes: map[string]pairing.G1{}, keys: make(map[keyID]*UserKey, len(keys))}
	for _, k := range keys {
		if id.gid == "" {
			id.gid = k.gid
		}
		if k.gid != id.gid {
			return nil, fmt.Errorf("identity: %w: keys of %s and of %s do not combine", ErrKeyMismatch, id.gid, k.gid)
		}
		suite := nameOf(k.suite)
		id.keys[keyID{suite, KeyVersion{k.Name(), k.version}}] = k
		if id.hashes[suite] == nil {
			h, err := k.suite.HashToG1(id.gid)
			if err != nil {
				return nil, fmt.Errorf("identity: hash GID: %w", err)
			}
			id.hashes[suite] = h
		}
	}
	for _, o := range options {
		o(id)
	}
	return id, nil
}

// GID is the holder of the keys; empty without keys.
func (id *Identity) GID() string { return id.gid }

// Attributes lists the attributes that there are keys for, sorted, each once.
func (id *Identity) Attributes() []string { return attributesOf(id.Keys()) }

// Keys lists the attributes and versions that there are keys for, sorted, each once.
func (id *Identity) Keys() []KeyVersion {
	return id.list(func(keyID) bool { return true })
}

func (id *Identity) list(wanted func(keyID) bool) []KeyVersion {
	out := make([]KeyVersion, 0, len(id.keys))
	for k := range id.keys {
		if wanted(k) {
			out = append(out, k.KeyVersion)
		}
	}
	slices.SortFunc(out, func(a, b KeyVersion) int {
		return cmp.Or(cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Version, b.Version))
	})
	return slices.Compact(out)
}

// usable lists the keys of the stanza's suite.
func (id *Identity) usable(s *stanza) []KeyVersion {
	return id.list(func(k keyID) bool { return k.suite == nameOf(s.suite) })
}

func attributesOf(keys []KeyVersion) []string {
	var names []string
	for _, k := range keys {
		names = append(names, k.Attribute)
	}
	return slices.Compact(names)
}

// Unwrap implements age.Identity. It returns the file key of the first stanza that opens.
//
// Errors, the first that applies:
//   - ErrTampered or ErrMalformed if a stanza is broken.
//   - [*NotSatisfiedError] if the keys do not satisfy the policy.
//   - [*UnknownSuiteError] if this version does not know the suite of a stanza. It stands
//     beside the NotSatisfiedError of another stanza.
//   - age.ErrIncorrectIdentity alone if there is no stanza of this package.
func (id *Identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	var broken error
	var refused, unsatisfied *NotSatisfiedError
	var unknown *UnknownSuiteError
	for _, a := range stanzas {
		if !IsStanza(a.Type) {
			continue
		}
		fileKey, err := id.unwrap(a)
		switch {
		case err == nil:
			return fileKey, nil
		case errors.As(err, &unsatisfied):
			refused = refused.join(unsatisfied)
		case errors.As(err, &unknown):
		case broken == nil:
			broken = err
		}
	}
	switch {
	case broken != nil:
		return nil, broken
	case refused != nil && unknown != nil:
		return nil, fmt.Errorf("%w; %w", refused, unknown)
	case refused != nil:
		return nil, refused
	case unknown != nil:
		return nil, unknown
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
		if !id.bypass {
			return nil, refusal
		}
		if fileKey, err := id.attack(s, held); err == nil {
			return fileKey, nil // cannot happen; if it does, the red team has won and must see it
		}
		return nil, refusal
	}
	return id.open(s, coefficients, held)
}

// held are the keys, by attribute, that fit a row of the stanza in suite, name and
// version.
func (id *Identity) held(s *stanza) map[string]*UserKey {
	held := map[string]*UserKey{}
	for i, r := range s.span.Rows() {
		if k := id.keys[keyID{nameOf(s.suite), KeyVersion{r.Attribute, s.versions[i]}}]; k != nil {
			held[r.Attribute] = k
		}
	}
	return held
}

func (id *Identity) open(s *stanza, coefficients []policy.Coefficient, held map[string]*UserKey) ([]byte, error) {
	shares := make([]share, len(coefficients))
	errs := make([]error, len(coefficients))
	parallel.Each(len(shares), func(i int) {
		c := coefficients[i]
		shares[i] = share{coefficient: c.Value, key: held[s.span.Rows()[c.Row].Attribute]}
		shares[i].row, errs[i] = parseRow(s.suite, s.rows[c.Row])
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	secret, err := decapsulate(s.suite, id.hashes[nameOf(s.suite)], shares)
	if err != nil {
		return nil, err
	}
	return s.unwrap(secret)
}

// attack makes the best of keys that do not satisfy the policy. It decrypts with the
// coefficients of a set that would, and replaces missing keys by keys of other attributes
// and versions.
func (id *Identity) attack(s *stanza, held map[string]*UserKey) ([]byte, error) {
	mine := id.usable(s)
	if len(mine) == 0 {
		return nil, ErrNoKey
	}
	other := id.keys[keyID{nameOf(s.suite), mine[0]}]
	coefficients, _ := s.span.Solve(func(string) bool { return true })
	substituted := map[string]*UserKey{}
	for _, r := range s.span.Rows() {
		substituted[r.Attribute] = other
		if k := held[r.Attribute]; k != nil {
			substituted[r.Attribute] = k
		}
	}
	return id.open(s, coefficients, substituted)
}

// maxMissing bounds the ways to satisfy a policy that an error names.
const maxMissing = 3

func (id *Identity) refusal(s *stanza, held map[string]*UserKey) *NotSatisfiedError {
	e := &NotSatisfiedError{Policy: s.policy, GID: id.gid}
	if p, err := policy.Parse(s.policy); err == nil {
		e.Missing = p.Missing(func(a string) bool { return held[a] != nil }, maxMissing)
	}
	names := attributesOf(id.usable(s))
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
