package abe

import (
	"fmt"

	"github.com/chartseal/chartseal/abe/policy"
)

// An Explanation says why an identity can or cannot open a stanza.
type Explanation struct {
	Satisfied bool
	Used      []KeyVersion // when satisfied: the keys that opening uses, as few as possible
	Missing   [][]string   // when not: smallest sets of further attributes that would satisfy, the smallest first
	Stale     []string     // when not: attributes held only in other versions than the object was sealed to
}

// Explain says whether these keys satisfy a policy that [HeaderPolicies] read. It opens
// nothing. An object with several stanzas opens if any of them is satisfied.
//
// Errors:
//   - ErrMalformed if p is not from this package.
func (id *Identity) Explain(p *SealedPolicy) (*Explanation, error) {
	s, err := suiteNamed(p.Suite)
	if err != nil {
		return nil, fmt.Errorf("%w: sealed policy: %w", ErrMalformed, err)
	}
	span, err := policy.ParseSpan(p.Span, s.Parameters().Order)
	if err != nil || len(p.Keys) != len(span.Rows()) {
		return nil, malformed("sealed policy: %v", err)
	}
	a := &stanza{suite: s, policy: p.Policy, span: span}
	for _, k := range p.Keys {
		a.versions = append(a.versions, k.Version)
	}
	held := id.held(a)
	coefficients, satisfied := span.Solve(func(a string) bool { return held[a] != nil })
	if !satisfied {
		refusal := id.refusal(a, held)
		return &Explanation{Missing: refusal.Missing, Stale: refusal.Stale}, nil
	}
	e := &Explanation{Satisfied: true}
	for _, c := range coefficients {
		e.Used = append(e.Used, KeyVersion{span.Rows()[c.Row].Attribute, a.versions[c.Row]})
	}
	return e, nil
}
