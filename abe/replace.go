package abe

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/chartseal/chartseal/abe/policy"
)

// A span assigns versions of an attribute to a secret: those after the span before, up to
// Until. Versions after the last span are made from the current secret.
type span struct {
	Until int `json:"until"`
	By    int `json:"by"` // index into earlier; len(earlier) is the current secret
}

// foreign is the By of versions that no secret of the authority has made.
const foreign = -1

// errForeign: somebody else published the version, so the authority cannot issue keys for
// it.
var errForeign = errors.New("no secret of this authority has made it")

// history is what a replacement leaves behind.
type history struct {
	Earlier    [][]byte          `json:"earlier"` // replaced secrets, oldest first
	Past       map[string][]span `json:"past"`    // by attribute
	Unfinished bool              `json:"unfinished,omitempty"`
}

// Replace returns a master key with a new secret, for an authority whose secret was
// stolen. It keeps the secrets of m, for the versions that [MasterKey.Assign] assigns to
// them. Assign those before using the key. The replacement is unfinished until
// [MasterKey.Finish].
func (m *MasterKey) Replace(random io.Reader) (*MasterKey, error) {
	if err := m.usable(); err != nil {
		return nil, fmt.Errorf("replace master key: %w", err)
	}
	next, err := NewMasterKey(m.authority, random)
	if err != nil {
		return nil, err
	}
	next.history = history{Earlier: [][]byte{}, Past: maps.Clone(m.history.Past), Unfinished: true}
	for _, secret := range append(slices.Clone(m.history.Earlier), m.secret[:]) {
		next.history.Earlier = append(next.history.Earlier, slices.Clone(secret))
	}
	return next, nil
}

// Unfinished reports whether a replacement was begun and not finished.
func (m *MasterKey) Unfinished() bool { return m.history.Unfinished }

// Finish marks the replacement as finished.
func (m *MasterKey) Finish() { m.history.Unfinished = false }

// Assign assigns the published versions of an attribute, version 1 first, to the secrets
// that made them, up to the last one that the current secret did not make. Nil stands for
// a key that cannot be read. The assignment replaces the one before. Assign returns the
// number of versions that no secret made. The authority cannot issue keys for these. It
// must not run beside another method.
func (m *MasterKey) Assign(attribute string, published []*PublicKey) (foreigners int, err error) {
	a, err := m.own(attribute)
	if err == nil {
		err = m.usable()
	}
	if err != nil {
		return 0, fmt.Errorf("assign versions: %w", err)
	}
	current := len(m.history.Earlier)
	var spans []span
	by := current
	for i, key := range published {
		version := i + 1
		if by, err = m.maker(a, version, key, by); err != nil {
			return 0, fmt.Errorf("assign versions: %w", err)
		}
		if by == foreign {
			foreigners++
		}
		if n := len(spans); n > 0 && spans[n-1].By == by {
			spans[n-1].Until = version
		} else {
			spans = append(spans, span{version, by})
		}
	}
	if n := len(spans); n > 0 && spans[n-1].By == current {
		spans = spans[:n-1]
	}
	past := maps.Clone(m.history.Past)
	delete(past, a.String())
	if len(spans) > 0 {
		if past == nil {
			past = make(map[string][]span)
		}
		past[a.String()] = spans
	}
	m.history.Past = past
	return foreigners, nil
}

// maker finds the secret that made a published key. It tries likely first.
func (m *MasterKey) maker(attribute policy.Attribute, version int, key *PublicKey, likely int) (int, error) {
	if key == nil {
		return foreign, nil
	}
	var order []int
	if likely != foreign {
		order = append(order, likely)
	}
	for i := len(m.history.Earlier); i >= 0; i-- {
		order = append(order, i)
	}
	for _, by := range order {
		_, e, err := m.exponentsFrom(suites[0], m.secretAt(by), attribute, version)
		if err != nil {
			return foreign, err
		}
		if newPublicKey(suites[0], attribute, e, version).Equal(key) {
			return by, nil
		}
	}
	return foreign, nil
}

func (m *MasterKey) secretAt(by int) []byte {
	if by == len(m.history.Earlier) {
		return m.secret[:]
	}
	return m.history.Earlier[by]
}

// made returns the secret that makes a version of an attribute, as an index.
func (m *MasterKey) made(attribute string, version int) int {
	for _, s := range m.history.Past[attribute] {
		if version <= s.Until {
			return s.By
		}
	}
	return len(m.history.Earlier)
}

// Past reports whether a version of an attribute was published before the secret was
// replaced. Such a version must not be published anew.
func (m *MasterKey) Past(attribute string, version int) bool {
	spans := m.history.Past[attribute]
	return len(spans) > 0 && version <= spans[len(spans)-1].Until
}

// Foreign reports whether somebody else published a version of an attribute, before the
// secret was replaced. The authority has no keys for it.
func (m *MasterKey) Foreign(attribute string, version int) bool {
	return m.made(attribute, version) == foreign
}

func (h history) empty() bool { return len(h.Earlier) == 0 }

// check refuses what [MasterKey.Assign] does not make.
func (h history) check(m *MasterKey) error {
	for _, secret := range h.Earlier {
		if len(secret) != masterSize {
			return malformed("master key: an earlier secret has %d bytes", len(secret))
		}
	}
	for name, spans := range h.Past {
		if a, err := m.own(name); err != nil || a.String() != name {
			return malformed("master key: %.80q is not an attribute of %s", name, m.authority)
		}
		last := 0
		for _, s := range spans {
			if s.Until <= last || s.Until > maxVersion || s.By < foreign || s.By > len(h.Earlier) {
				return malformed("master key: the versions of %s", name)
			}
			last = s.Until
		}
	}
	return nil
}

func (h history) wipe() {
	for _, secret := range h.Earlier {
		clear(secret)
	}
}

const infoHistory = "chartseal/abe/master-history/v1"

// sealHistory encrypts the history under the current secret, so that shares of the secret
// bring it back too. It returns nil if there is none.
func (m *MasterKey) sealHistory() ([]byte, error) {
	if m.history.empty() {
		return nil, nil
	}
	plain, err := json.Marshal(m.history)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	salt := make([]byte, saltSize)
	rand.Read(salt)
	root, err := hkdf.Extract(sha256.New, m.secret[:], nil)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	aead, err := wrapper(root, infoHistory, salt)
	if err != nil {
		return nil, err
	}
	return aead.Seal(salt, make([]byte, aead.NonceSize()), plain, []byte(m.authority)), nil
}

// openHistory decrypts what sealHistory made, into m.
func (m *MasterKey) openHistory(sealed []byte) error {
	if sealed == nil {
		return nil
	}
	if len(sealed) < saltSize {
		return malformed("history of the master key: too short")
	}
	root, err := hkdf.Extract(sha256.New, m.secret[:], nil)
	if err != nil {
		return err
	}
	defer clear(root)
	aead, err := wrapper(root, infoHistory, sealed[:saltSize])
	if err != nil {
		return err
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed[saltSize:], []byte(m.authority))
	if err != nil {
		return fmt.Errorf("history of the master key: %w", ErrTampered)
	}
	defer clear(plain)
	var h history
	if err := json.Unmarshal(plain, &h); err != nil || h.empty() {
		return malformed("history of the master key: not one")
	}
	if err := h.check(m); err != nil {
		return err
	}
	m.history = h
	return nil
}
