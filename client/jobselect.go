package client

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// examine tells whether the job changes a record.
func (r *jobRun) examine(ctx context.Context, f ledger.Record, accessID string) (candidate, error) {
	c := candidate{record: f}
	for _, v := range f.Versions {
		now, data, err := r.access.envelope(ctx, v, accessID)
		if err != nil {
			return c, err
		}
		if r.job.Kind != JobErase {
			header, err := envelope.ReadHeader(data)
			if err != nil {
				return c, err
			}
			again, err := r.outdated(ctx, header)
			if err != nil {
				return c, err
			}
			if again {
				c.versions, c.selected = append(c.versions, now), true
			}
			continue
		}
		m, facts, err := openEnvelope(data, now, r.identities)
		if err != nil {
			return c, err
		}
		if m.Facts == nil && m.Partial {
			if facts, err = r.readFacts(ctx, now, m, facts); err != nil {
				return c, err
			}
		}
		if r.ends(m, facts, v.Version == f.Current().Version) {
			c.selected = true
			return c, nil
		}
	}
	return c, nil
}

// outdated reports whether a version has to be sealed again.
func (r *jobRun) outdated(ctx context.Context, header *envelope.Header) (bool, error) {
	former, err := sealedTo(header)
	if err != nil {
		return false, err
	}
	p, err := policy.Parse(former)
	if err != nil {
		return false, ledger.WithKind(err, ErrTampered)
	}
	if !slices.Contains(p.Attributes(), r.job.Select.Attribute) {
		return false, nil
	}
	s := &resealing{Client: r.Client, r: ResealRequest{Policy: r.job.Policy, Without: r.job.Without}}
	if r.job.Without != "" && p.Without(policy.Holding(r.job.Without)) == p {
		return false, nil // done already
	}
	next, err := s.nextPolicy(former)
	if err != nil {
		return false, err
	}
	to, err := r.audienceOf(ctx, next, "")
	if err != nil {
		return false, err
	}
	if to.policy != former {
		return true, nil
	}
	for _, stanza := range header.Recipients {
		if !abe.IsStanza(stanza.Type) {
			continue
		}
		was, err := abe.StanzaPolicy(stanza)
		if err != nil {
			return false, ledger.WithKind(err, ErrTampered)
		}
		for _, k := range was.Keys {
			if to.abe.Version(k.Attribute) > k.Version {
				return true, nil
			}
		}
	}
	return false, nil
}

// ends reports whether the job erases a record that has a version with these facts.
func (r *jobRun) ends(m *envelope.Metadata, facts index.Facts, current bool) bool {
	if id := r.job.Select.Patient; id != "" {
		wanted := index.Facts{Patients: []index.Identifier{identifier(id)}}.Expand().Terms
		has := facts.Expand().Terms
		if slices.ContainsFunc(wanted, func(t index.Term) bool { return slices.Contains(has, t) }) {
			return true
		}
		return m.Patient == id
	}
	if !current { // an earlier version is kept as long as the record
		return false
	}
	since := m.Sealed
	if _, last := facts.Days(); last != index.NoDay {
		since = last.Time()
	}
	for _, rule := range r.job.Select.Retention {
		if kindMatches(rule.Kind, m.Kind) {
			return !since.AddDate(rule.Years, 0, 0).After(time.Now())
		}
	}
	return false
}

// kindMatches reports whether a kind, or one of the kinds that it stands for, is that of
// a record. "*" stands for all.
func kindMatches(rule, kind string) bool {
	return rule == "*" || strings.EqualFold(rule, kind) ||
		len(kind) > len(rule) && strings.EqualFold(kind[:len(rule)], rule) && kind[len(rule)] == ':'
}
