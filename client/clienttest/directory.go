package clienttest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/trust"
)

// Announce implements client.Ledger.
func (p *Person) Announce(ctx context.Context, a ledger.Announcement) error {
	return p.submit(ctx, ledger.AuthorityAnnounce, ledger.RoleAdmin+" "+ledger.RoleAuthority, func(_, now string) error {
		put(&p.w.authorities, p.msp, ledger.Authority{MSP: p.msp, URL: a.URL, Custodian: a.Custodian, Time: now, Signature: a.Signature})
		p.w.generation = NewID()
		return nil
	})
}

// PublishKeys implements client.Ledger.
func (p *Person) PublishKeys(ctx context.Context, keys []ledger.AttributeKey) error {
	return p.submit(ctx, ledger.AuthorityPublishKeys, ledger.RoleAdmin+" "+ledger.RoleAuthority, func(_, _ string) error {
		for _, k := range keys {
			if !strings.HasPrefix(k.Name, p.msp+":") {
				return ledger.Errorf(ledger.ErrDenied, "%s is not of %s", k.Name, p.msp)
			}
			current := p.w.attributes[k.Name]
			published := p.w.versions[ledger.AttributeName{Name: k.Name, Version: k.Version}]
			again := k.Key == published.Key && (k.Signature != "" || k.Version == current.Version)
			if k.Version != current.Version+1 && !again {
				return ledger.Errorf(ledger.ErrExists, "%s version %d", k.Name, k.Version)
			}
		}
		for _, k := range keys {
			if published := p.w.versions[ledger.AttributeName{Name: k.Name, Version: k.Version}]; published.Key != k.Key || k.Signature != "" {
				if k.Version >= p.w.attributes[k.Name].Version {
					put(&p.w.attributes, k.Name, k)
				}
				put(&p.w.versions, ledger.AttributeName{Name: k.Name, Version: k.Version}, k)
			}
		}
		return nil
	})
}

// SetKey replaces a published key in the answers, like a lying peer.
func (w *World) SetKey(k ledger.AttributeKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	put(&w.attributes, k.Name, k)
	put(&w.versions, ledger.AttributeName{Name: k.Name, Version: k.Version}, k)
}

// Signed returns the keys with the person's signature, and deposits their certificate.
func (p *Person) Signed(keys ...ledger.AttributeKey) []ledger.AttributeKey {
	s := p.deposited()
	signed := slices.Clone(keys)
	for i, k := range keys {
		signed[i].Signature = must(s.Sign(trust.KeyStatement(p.Channel(), k))).String()
	}
	return signed
}

// SignedAnnouncement returns an announcement with the person's signature, and deposits
// their certificate.
func (p *Person) SignedAnnouncement(a ledger.Announcement) ledger.Announcement {
	statement := trust.AuthorityStatement(p.Channel(), ledger.Authority{MSP: p.msp, URL: a.URL, Custodian: a.Custodian})
	a.Signature = must(p.deposited().Sign(statement)).String()
	return a
}

// SignedRetirement returns a retirement with the person's signature, and deposits their
// certificate.
func (p *Person) SignedRetirement(r ledger.Retirement) ledger.Retirement {
	r.Signature = must(p.deposited().Sign(trust.RetirementStatement(p.Channel(), r))).String()
	return r
}

// deposited returns the person's signer, whose certificate is on the ledger.
func (p *Person) deposited() *trust.Signer {
	s := p.Signer()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	put(&p.w.deposited, s.Certificate(), p.enrolledLocked().certificate.Raw)
	return s
}

// Authorities implements client.Ledger.
func (p *Person) Authorities(ctx context.Context) (out []ledger.Authority, err error) {
	err = p.evaluate(ctx, ledger.AuthorityList, "", func() error {
		for _, msp := range slices.Sorted(maps.Keys(p.w.authorities)) {
			out = append(out, p.w.authorities[msp])
		}
		return nil
	})
	return out, err
}

// AttributeKeys implements client.Ledger.
func (p *Person) AttributeKeys(ctx context.Context, names []string) (out []ledger.AttributeKey, err error) {
	err = p.evaluate(ctx, ledger.AuthorityKeys, "", func() error {
		for _, n := range names {
			k, ok := p.w.attributes[n]
			if !ok {
				return ledger.Errorf(ledger.ErrNotFound, "attribute %s is not published", n)
			}
			out = append(out, k)
		}
		return nil
	})
	return out, err
}

// CurrentKeys implements keys.Catalog.
func (p *Person) CurrentKeys(ctx context.Context, names []string) (out []ledger.AttributeKey, err error) {
	err = p.evaluate(ctx, ledger.AuthorityKeys, "", func() error {
		for _, n := range names {
			if k, ok := p.w.attributes[n]; ok {
				out = append(out, k)
			}
		}
		return nil
	})
	return out, err
}

// AttributesOf implements keys.Catalog.
func (p *Person) AttributesOf(ctx context.Context, authority string) (out []ledger.AttributeName, err error) {
	err = p.evaluate(ctx, ledger.AuthorityPublished, "", func() error {
		for _, n := range slices.Sorted(maps.Keys(p.w.attributes)) {
			if strings.HasPrefix(n, authority+":") {
				out = append(out, ledger.AttributeName{Name: n, Version: p.w.attributes[n].Version})
			}
		}
		return nil
	})
	return out, err
}

// AttributeKeyVersions implements client.Ledger.
func (p *Person) AttributeKeyVersions(ctx context.Context, versions []ledger.AttributeName) (out []ledger.AttributeKey, err error) {
	err = p.evaluate(ctx, ledger.AuthorityKeyVersions, "", func() error {
		for _, v := range versions {
			if k, ok := p.w.versions[v]; ok {
				out = append(out, k)
			}
		}
		return nil
	})
	return out, err
}

// Attributes implements client.Ledger.
func (p *Person) Attributes(ctx context.Context) (out []ledger.AttributeName, err error) {
	err = p.evaluate(ctx, ledger.AuthorityAttributes, "", func() error {
		for _, n := range slices.Sorted(maps.Keys(p.w.attributes)) {
			out = append(out, ledger.AttributeName{Name: n, Version: p.w.attributes[n].Version})
		}
		return nil
	})
	return out, err
}

// Scopes implements client.Ledger.
func (p *Person) Scopes(ctx context.Context) (out []ledger.Scope, err error) {
	err = p.evaluate(ctx, ledger.ScopeList, "", func() error {
		for _, n := range slices.Sorted(maps.Keys(p.w.scopes)) {
			out = append(out, p.w.scopes[n])
		}
		return nil
	})
	return out, err
}

// Searchable implements client.Ledger.
func (p *Person) Searchable(ctx context.Context, name string) (out ledger.Searchable, err error) {
	err = p.evaluate(ctx, ledger.ScopeSearchable, "", func() error {
		out.Generation, out.Hospitals = p.w.generation, slices.Sorted(maps.Keys(p.w.authorities))
		if s, ok := p.w.scopes[name]; ok {
			out.Scopes = []ledger.Scope{s}
		}
		for _, at := range slices.Sorted(maps.Keys(p.w.retired)) {
			if r := p.w.retired[at]; r.Scope == name {
				out.Retirements = append(out.Retirements, r)
			}
		}
		return nil
	})
	return out, err
}

// CreateScope implements client.Ledger.
func (p *Person) CreateScope(ctx context.Context, name string, envelope []byte) error {
	return p.submit(ctx, ledger.ScopeCreate, ledger.RoleAdmin+" "+ledger.RoleCustodian, func(_, now string) error {
		if _, ok := p.w.scopes[name]; ok {
			return ledger.Errorf(ledger.ErrExists, "scope %s exists", name)
		}
		put(&p.w.scopes, name, ledger.Scope{Name: name, Epoch: 1, Owner: p.msp, Time: now})
		put(&p.w.private, ledger.ScopeKeyKey(name, 1), bytes.Clone(envelope))
		p.w.generation = NewID()
		return nil
	})
}

// RollScope implements client.Ledger.
func (p *Person) RollScope(ctx context.Context, name string, epoch int, envelope []byte) error {
	return p.submit(ctx, ledger.ScopeRoll, ledger.RoleAdmin+" "+ledger.RoleCustodian, func(_, now string) error {
		s, ok := p.w.scopes[name]
		switch {
		case !ok:
			return ledger.Errorf(ledger.ErrNotFound, "no scope %s", name)
		case epoch <= s.Epoch:
			return ledger.Errorf(ledger.ErrExists, "epoch %d exists", epoch)
		case epoch != s.Epoch+1:
			return ledger.Errorf(ledger.ErrInvalid, "epoch %d is not the next", epoch)
		}
		s.Epoch, s.Time = epoch, now
		p.w.scopes[name] = s
		put(&p.w.private, ledger.ScopeKeyKey(name, epoch), bytes.Clone(envelope))
		p.w.generation = NewID()
		return nil
	})
}

// RetireScope implements client.Ledger.
func (p *Person) RetireScope(ctx context.Context, name string, epoch int, signature string) error {
	return p.submit(ctx, ledger.ScopeRetire, ledger.RoleAdmin+" "+ledger.RoleCustodian, func(_, now string) error {
		at := ledger.ScopeRetiredKey(name, p.msp)
		switch s, ok := p.w.scopes[name]; {
		case !ok:
			return ledger.Errorf(ledger.ErrNotFound, "no scope %s", name)
		case epoch >= s.Epoch || epoch < 1:
			return ledger.Errorf(ledger.ErrInvalid, "epoch %d is not a past one", epoch)
		case p.w.retired[at].Epoch >= epoch && (signature == "" || p.w.retired[at].Epoch > epoch):
			return ledger.Errorf(ledger.ErrExists, "epoch %d is retired", epoch)
		}
		put(&p.w.retired, at, ledger.Retirement{Scope: name, MSP: p.msp, Epoch: epoch, Actor: p.Actor(), Time: now, Signature: signature})
		p.w.generation = NewID()
		return nil
	})
}

// Retirements implements client.Ledger.
func (p *Person) Retirements(ctx context.Context, name string) (out []ledger.Retirement, err error) {
	err = p.evaluate(ctx, ledger.ScopeRetired, "", func() error {
		for _, at := range slices.Sorted(maps.Keys(p.w.retired)) {
			if r := p.w.retired[at]; r.Scope == name {
				out = append(out, r)
			}
		}
		return nil
	})
	return out, err
}

// GetEntries implements index.Store.
func (p *Person) GetEntries(ctx context.Context, batches []index.Batch) (out [][][]byte, err error) {
	err = p.evaluate(ctx, ledger.IndexGet, "", func() error {
		out = p.w.values(batches)
		return nil
	})
	return out, err
}

// SearchEntries implements client.Ledger.
func (p *Person) SearchEntries(ctx context.Context, known string, batches []index.Batch) (out [][][]byte, s ledger.Searchable, err error) {
	err = p.evaluate(ctx, ledger.IndexSearch, "", func() error {
		out = p.w.values(batches)
		if s.Generation = p.w.generation; s.Generation == known && known != "" {
			return nil
		}
		for _, n := range slices.Sorted(maps.Keys(p.w.scopes)) {
			s.Scopes = append(s.Scopes, p.w.scopes[n])
		}
		s.Hospitals = slices.Sorted(maps.Keys(p.w.authorities))
		for _, at := range slices.Sorted(maps.Keys(p.w.retired)) {
			s.Retirements = append(s.Retirements, p.w.retired[at])
		}
		return nil
	})
	return out, s, err
}

func (w *World) values(batches []index.Batch) (out [][][]byte) {
	for _, b := range batches {
		values := make([][]byte, len(b.Labels))
		for i, l := range b.Labels {
			values[i] = bytes.Clone(w.entries[b.MSP][l])
		}
		out = append(out, values)
	}
	return out
}

// PutEntries implements index.Store.
func (p *Person) PutEntries(ctx context.Context, entries []index.Entry) error {
	return p.submit(ctx, ledger.IndexPut, "clinical", func(_, _ string) error {
		own := p.w.entries[p.msp]
		for _, e := range entries {
			if own[e.Label] != nil {
				return ledger.Errorf(ledger.ErrExists, "a label is taken")
			}
		}
		if own == nil {
			own = make(map[index.Label][]byte)
			put(&p.w.entries, p.msp, own)
		}
		for _, e := range entries {
			own[e.Label] = bytes.Clone(e.Value[:])
		}
		return nil
	})
}

// AuditRecords implements client.Ledger. A bookmark is the number of rows before a page.
// A query without a page size gets all rows.
func (p *Person) AuditRecords(ctx context.Context, q ledger.RecordQuery) (out ledger.RecordPage, err error) {
	roles := auditing
	if q.Author == p.Actor() {
		roles = ""
	}
	err = p.evaluate(ctx, ledger.AuditRecords, roles, func() error {
		for id, versions := range p.w.records {
			for _, v := range versions {
				if (q.Author == "" || q.Author == v.Author) && (q.Record == "" || q.Record == id) && within(v.Time, q.Since, q.Until) {
					out.Versions = append(out.Versions, v)
				}
			}
		}
		slices.SortFunc(out.Versions, func(a, b ledger.RecordVersion) int {
			return cmp.Or(strings.Compare(a.Time, b.Time), strings.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
		})
		from, _ := strconv.Atoi(q.Bookmark)
		out.Versions = out.Versions[min(from, len(out.Versions)):]
		if size := cmp.Or(q.PageSize, len(out.Versions)); len(out.Versions) > size {
			out.Versions, out.Bookmark = out.Versions[:size], strconv.Itoa(from+size)
		}
		return nil
	})
	return out, err
}

// AuditAccesses implements client.Ledger. It returns all rows on one page.
func (p *Person) AuditAccesses(ctx context.Context, q ledger.AccessQuery) (out ledger.AccessPage, err error) {
	err = p.evaluate(ctx, ledger.AuditAccesses, auditing, func() error {
		for _, a := range p.w.accesses {
			if (q.Record == "" || q.Record == a.Target) && (q.Actor == "" || q.Actor == a.Actor) && within(a.Time, q.Since, q.Until) {
				out.Entries = append(out.Entries, a)
			}
		}
		return nil
	})
	return out, err
}

func within(t, since, until string) bool {
	return (since == "" || t >= since) && (until == "" || t < until)
}

// AuditHistory implements client.Ledger.
func (p *Person) AuditHistory(ctx context.Context, id string) (out []ledger.HistoryEvent, err error) {
	err = p.evaluate(ctx, ledger.AuditHistory, auditing, func() error {
		for _, v := range p.w.records[id] {
			event := "sealed"
			if v.Version > 1 {
				event = "amended"
			}
			out = append(out, ledger.HistoryEvent{Time: v.Time, Event: event, Actor: v.Author, Version: v.Version, Tx: v.Tx})
		}
		out = append(out, p.w.lifeOf(id)...)
		for _, a := range p.w.accesses {
			if a.Target == id {
				out = append(out, ledger.HistoryEvent{Time: a.Time, Event: "accessed", Actor: a.Actor, Purpose: a.Purpose, Tx: a.Tx})
			}
		}
		slices.SortFunc(out, func(a, b ledger.HistoryEvent) int { return strings.Compare(a.Time, b.Time) })
		return nil
	})
	return out, err
}
