package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
)

// An ExplainRequest asks why the caller can or cannot open a record.
type ExplainRequest struct {
	Version int    // zero means the current one
	Purpose string // code of HL7 v3 PurposeOfUse; empty means TREAT
}

// An Explanation compares the header of a record's envelope with the caller's keys. Its
// policy is authenticated only if the caller is entitled.
type Explanation struct {
	ID         string
	Version    int
	Home       string
	Policy     string           // canonical form; empty when the envelope is sealed to no policy
	Keys       []abe.KeyVersion // attribute keys that it is sealed to, sorted
	Recipients int              // age recipients beside the policy: the home hospital's custodian, a patient
	Entitled   bool
	ByPolicy   bool       // entitled by attributes, not by a custodian's or patient's own key
	Missing    [][]string // if not entitled, up to three sets of attributes that would do, smallest first
	Stale      []StaleKey // attributes held in other versions than it is sealed to
	Held       []abe.KeyVersion
	Access     ledger.AccessEntry
}

// A StaleKey is an attribute that the caller holds in other versions than the record
// needs.
type StaleKey struct {
	Attribute string
	Sealed    int
	Held      []int // ascending
}

// maxMissing bounds Explanation.Missing.
const maxMissing = 3

// Explain tells why the caller can or cannot open a record. It asks for the envelope as
// Open does, so it leaves an access entry. It tries the caller's keys on the envelope's
// header and decrypts nothing else. A caller who is not entitled gets an Explanation and
// no error.
//
// Errors:
//   - those of [Client.Open] but ErrNotSatisfied.
func (c *Client) Explain(ctx context.Context, id string, r ExplainRequest) (Explanation, error) {
	e, err := c.explain(ctx, id, r)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain record %s: %w", id, err)
	}
	return e, nil
}

func (c *Client) explain(ctx context.Context, id string, r ExplainRequest) (Explanation, error) {
	h, err := c.access.HandOut(ctx, id, r.Version, r.Purpose)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{ID: h.Version.ID, Version: h.Version.Version, Home: h.Version.Home, Access: h.Access}
	header, err := envelope.ReadHeader(h.Envelope)
	if err != nil {
		return e, err
	}
	if err := e.read(header.Recipients); err != nil {
		return e, err
	}
	for _, identity := range c.identities {
		attributes, byPolicy := identity.(*abe.Identity)
		if byPolicy {
			e.Held = attributes.Keys()
		}
		switch _, err := age.DecryptHeader(header.Bytes, identity); {
		case err == nil:
			e.Entitled, e.ByPolicy = true, byPolicy
			return e, nil
		case !errors.Is(err, age.ErrIncorrectIdentity):
			return e, ledger.Errorf(ErrTampered, "envelope: %v", err)
		}
	}
	return e, e.compare()
}

// read takes the policy, keys and recipients from the stanzas.
func (e *Explanation) read(stanzas []*age.Stanza) error {
	var policies []string
	for _, s := range stanzas {
		if !abe.IsStanza(s.Type) {
			e.Recipients++
			continue
		}
		p, err := abe.StanzaPolicy(s)
		if err != nil {
			return ledger.Errorf(ErrTampered, "envelope: %v", err)
		}
		if !slices.Contains(policies, p.Policy) {
			policies = append(policies, p.Policy)
		}
		e.Keys = append(e.Keys, p.Keys...)
	}
	slices.SortFunc(e.Keys, func(a, b abe.KeyVersion) int {
		return cmp.Or(cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Version, b.Version))
	})
	e.Keys = slices.Compact(e.Keys)
	e.Policy = strings.Join(policies, " or ") // any one of the stanzas will do
	return nil
}

// compare finds the missing attributes and the stale keys.
func (e *Explanation) compare() error {
	if e.Policy == "" {
		return nil
	}
	p, err := policy.Parse(e.Policy)
	if err != nil {
		return ledger.Errorf(ErrTampered, "envelope: %v", err)
	}
	usable := make(map[string]bool)
	for _, k := range e.Keys {
		if slices.Contains(e.Held, k) {
			usable[k.Attribute] = true
			continue
		}
		var versions []int
		for _, h := range e.Held {
			if h.Attribute == k.Attribute {
				versions = append(versions, h.Version)
			}
		}
		if versions != nil {
			e.Stale = append(e.Stale, StaleKey{k.Attribute, k.Version, versions})
		}
	}
	e.Missing = p.Missing(func(a string) bool { return usable[a] }, maxMissing)
	return nil
}
