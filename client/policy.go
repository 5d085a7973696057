package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
)

// A seat is everybody who can unwrap what is sealed under one policy.
type seat struct {
	policy   string // canonical form
	abe      *abe.Recipient
	others   []age.Recipient // the custodian, a patient
	warnings []string
}

// recipients are what age wants of an envelope. The policy comes first, as itself or as a
// group that shares its encapsulation, so that the envelopes of a group begin with the
// same bytes.
func (s *seat) recipients(policy age.Recipient) []age.Recipient {
	return append([]age.Recipient{policy}, s.others...)
}

// seat compiles a policy with the attribute keys that the ledger pins, and adds the home
// hospital's custodian and the further age recipients. An attribute that nobody has
// published is ErrNotFound.
func (c *Client) seat(ctx context.Context, text string, others ...string) (*seat, error) {
	p, err := policy.Parse(text)
	if err != nil {
		return nil, invalid(err)
	}
	keys, err := c.PublicKeys(ctx, p.Attributes()...)
	if err != nil {
		return nil, err
	}
	ring, err := abe.KeyRing(keys...)
	if err != nil {
		return nil, err
	}
	recipient, err := abe.NewRecipient(p, ring)
	if err != nil {
		return nil, invalid(err)
	}
	s := &seat{policy: recipient.Policy(), abe: recipient}
	custodian, err := c.custodian(ctx)
	if err != nil {
		return nil, err
	}
	if custodian == "" {
		s.warnings = append(s.warnings, fmt.Sprintf("%s has announced no records custodian: only the policy can open this", c.ledger.MSP()))
	}
	s.others, err = envelope.Recipients(append(others, custodian)...)
	return s, err
}

// invalid marks an error of package policy, whose own sentinels tell more, as the
// caller's mistake.
func invalid(err error) error { return &markedError{err, ErrInvalid} }

// markedError is an error that is also a sentinel of ours.
type markedError struct {
	err  error
	mark error
}

func (e *markedError) Error() string   { return e.err.Error() }
func (e *markedError) Unwrap() []error { return []error{e.err, e.mark} }

// PublicKeys returns the current public key of each attribute, in the order of names,
// checked against what this client has seen before: another key under a known version, or
// a version older than the newest known, is ErrTampered. A key that was not seen before
// is confirmed by a witness, see [Config]. Names that nobody has published are
// ErrNotFound, with a suggestion when one is close.
func (c *Client) PublicKeys(ctx context.Context, names ...string) ([]*abe.PublicKey, error) {
	pinned, err := c.ledger.AttributeKeys(ctx, names)
	if errors.Is(err, ErrNotFound) {
		return nil, c.unpublished(ctx, names, err)
	}
	if err != nil {
		return nil, err
	}
	keys := make([]*abe.PublicKey, len(pinned))
	var fresh []ledger.AttributeKey
	var pins []pin
	for i, k := range pinned {
		if k.Name != names[i] {
			return nil, ledger.Errorf(ErrTampered, "the ledger gave the key of %s for %s", k.Name, names[i])
		}
		if keys[i], err = readKey(k); err != nil {
			return nil, err
		}
		p, known, err := c.pinned(keys[i])
		if err != nil {
			return nil, err
		}
		if !known {
			fresh, pins = append(fresh, k), append(pins, p)
		}
	}
	if err := c.confirmKeys(ctx, fresh); err != nil {
		return nil, err
	}
	for _, p := range pins {
		if err := c.memory.Store(p.item, p.text); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// readKey decodes a key and holds it against what it is published as.
func readKey(k ledger.AttributeKey) (*abe.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil {
		return nil, ledger.Errorf(ErrTampered, "public key of %s is not base64", k.Name)
	}
	key, err := abe.ParsePublicKey(raw)
	if err != nil {
		return nil, ledger.Errorf(ErrTampered, "public key of %s: %v", k.Name, err)
	}
	if key.Name() != k.Name || key.Version() != k.Version {
		return nil, ledger.Errorf(ErrTampered, "the key published as %s version %d says that it is %s version %d", k.Name, k.Version, key.Name(), key.Version())
	}
	return key, nil
}

// A pin is the item of the memory that holds the first key seen under each version of an
// attribute, as lines "VERSION HEX-SHA256".
type pin struct {
	item string
	text []byte
}

// pinned tells whether exactly this key was seen before, and gives the pin that remembers
// it.
func (c *Client) pinned(key *abe.PublicKey) (p pin, known bool, err error) {
	name, version := key.Name(), key.Version()
	raw, err := key.MarshalBinary()
	if err != nil {
		return p, false, err
	}
	digest := sha256.Sum256(raw)
	hash := hex.EncodeToString(digest[:])
	item := pinItem(name)
	text, err := c.memory.Load(item)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return p, false, err
	}
	for line := range strings.Lines(string(text)) {
		number, seen, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, err := strconv.Atoi(number)
		switch {
		case err != nil:
			return p, false, ledger.Errorf(ErrInvalid, "the pinned keys of %s cannot be read: %q", name, line)
		case v > version:
			return p, false, ledger.Errorf(ErrTampered, "the ledger gives version %d of the public key of %s, but version %d was seen before", version, name, v)
		case v == version && seen != hash:
			return p, false, ledger.Errorf(ErrTampered, "the public key of %s version %d is not the one that was seen before", name, version)
		case v == version:
			known = true
		}
	}
	return pin{item, fmt.Appendf(text, "%d %s\n", version, hash)}, known, nil
}

// unpublished explains which of the names nobody has published.
func (c *Client) unpublished(ctx context.Context, names []string, cause error) error {
	published, err := c.ledger.Attributes(ctx)
	if err != nil {
		return cause
	}
	known := make(map[string]bool, len(published))
	var all []string
	for _, a := range published {
		known[a.Name] = true
		all = append(all, a.Name)
	}
	var missing []string
	for _, name := range names {
		if known[name] {
			continue
		}
		text := name
		if near := policy.Suggest(name, all); len(near) > 0 {
			text += " (did you mean " + near[0] + "?)"
		}
		missing = append(missing, text)
	}
	if len(missing) == 0 {
		return cause
	}
	return ledger.Errorf(ErrNotFound, "no authority has published %s", strings.Join(missing, ", "))
}
