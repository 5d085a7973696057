package abe

import (
	"github.com/chartseal/chartseal/abe/internal/group"
	"github.com/chartseal/chartseal/abe/policy"
)

// An Explanation says why an identity can or cannot open a stanza.
type Explanation struct {
	Satisfied bool
	Used      []KeyVersion // the keys that opening takes, when satisfied: as few as possible
	Missing   [][]string   // smallest sets of attributes that would do, the smallest first, when not
	Stale     []string     // attributes that are held, but only in versions that the object was not sealed to
}

// Explain says whether these keys satisfy what [HeaderPolicies] read, without opening
// anything. An object with several stanzas opens if any of them is satisfied. It fails
// with [ErrMalformed] when p is not from this package.
func (id *Identity) Explain(p *SealedPolicy) (*Explanation, error) {
	span, err := policy.ParseSpan(p.Span, group.Order)
	if err != nil || len(p.Keys) != len(span.Rows()) {
		return nil, malformed("sealed policy: %v", err)
	}
	s := &stanza{policy: p.Policy, span: span}
	for _, k := range p.Keys {
		s.versions = append(s.versions, k.Version)
	}
	held := id.held(s)
	coefficients, satisfied := span.Solve(func(a string) bool { return held[a] != nil })
	if !satisfied {
		refusal := id.refusal(s, held)
		return &Explanation{Missing: refusal.Missing, Stale: refusal.Stale}, nil
	}
	e := &Explanation{Satisfied: true}
	for _, c := range coefficients {
		e.Used = append(e.Used, KeyVersion{span.Rows()[c.Row].Attribute, s.versions[c.Row]})
	}
	return e, nil
}
