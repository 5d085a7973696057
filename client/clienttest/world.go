package clienttest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// A World is a ledger in memory for several users. The zero value is ready for use. It is
// safe for concurrent use.
type World struct {
	// Fail, if set, is called before each transaction with its name in package ledger. If
	// it returns an error, the transaction fails with it and has no effect.
	Fail func(transaction string) error
	// Lose, if set, is called after each submitted transaction. If it returns an error,
	// the caller gets it although the transaction has taken effect.
	Lose func(transaction string) error

	mu          sync.Mutex
	cas         map[string]*ca     // by MSP
	persons     map[Person]*signer // by MSP, id and role
	actors      map[string]*Person // the last of each name
	deposited   map[ledger.CertificateID][]byte
	records     map[string][]ledger.RecordVersion // each with its newest seal
	seals       []ledger.Seal                     // all after the first of a version
	erasures    []ledger.Erasure
	receipts    []ledger.Receipt
	private     map[string][]byte // wrapped keys and shared beginnings by ledger key
	accesses    []ledger.AccessEntry
	attributes  map[string]ledger.AttributeKey // the current version
	versions    map[ledger.AttributeName]ledger.AttributeKey
	authorities map[string]ledger.Authority
	scopes      map[string]ledger.Scope
	generation  string                            // of the searchable state
	retired     map[string]ledger.Retirement      // by ledger key
	entries     map[string]map[index.Label][]byte // by MSP
	serial      int
}

// As returns the ledger as a user sees it.
func (w *World) As(msp, enrolmentID, role string) *Person {
	p := &Person{w: w, msp: msp, id: enrolmentID, role: role}
	w.mu.Lock()
	defer w.mu.Unlock()
	put(&w.actors, p.Actor(), p)
	return p
}

// A Person acts on a World. It implements client.Ledger.
type Person struct {
	w             *World
	msp, id, role string
}

var _ FullLedger = (*Person)(nil)

// Actor implements client.Ledger.
func (p *Person) Actor() string { return ledger.Actor(p.msp, p.id) }

// MSP implements client.Ledger.
func (p *Person) MSP() string { return p.msp }

// submit runs a transaction while it holds the lock of the World.
func (p *Person) submit(ctx context.Context, name string, roles string, run func(tx, now string) error) error {
	if err := p.evaluate(ctx, name, roles, func() error {
		p.w.serial++
		return run(fmt.Sprintf("%064x", p.w.serial), ledger.FormatTime(time.Now()))
	}); err != nil {
		return err
	}
	if p.w.Lose != nil {
		return p.w.Lose(name)
	}
	return nil
}

func (p *Person) evaluate(ctx context.Context, name, roles string, run func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.w.Fail != nil {
		if err := p.w.Fail(name); err != nil {
			return err
		}
	}
	if !allowed(roles, p.role) {
		return ledger.Errorf(ledger.ErrDenied, "%s: role %q of %s", name, p.role, p.Actor())
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return run()
}

// allowed reports whether a role may run a transaction. The list roles names the allowed
// roles. The empty list allows anyone. "clinical" allows custodians and every role that
// the contracts do not know.
func allowed(roles, role string) bool {
	switch roles {
	case "":
		return true
	case "clinical":
		return ledger.Clinical(role)
	}
	return slices.Contains(strings.Fields(roles), role)
}

const auditing = ledger.RoleAuditor + " " + ledger.RoleCustodian + " " + ledger.RoleAdmin

func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[k] = v
}

// CreateRecords implements client.Ledger.
func (p *Person) CreateRecords(ctx context.Context, records []ledger.NewRecord, envelopes [][]byte) (out []ledger.RecordVersion, err error) {
	err = p.submit(ctx, ledger.RecordCreate, "clinical", func(tx, now string) error {
		if len(records) == 0 || len(records) > ledger.MaxNewRecords || len(records) != len(envelopes) {
			return ledger.Errorf(ledger.ErrInvalid, "%d records, %d envelopes", len(records), len(envelopes))
		}
		for i, r := range records {
			if p.w.records[r.ID] != nil {
				return ledger.Errorf(ledger.ErrExists, "record %s exists", r.ID)
			}
			if len(r.ID) != 32 || len(r.Commitment) != 64 || !p.signed(envelopes[i]) {
				return ledger.Errorf(ledger.ErrInvalid, "record %s", r.ID)
			}
		}
		divided, err := ledger.UnpackEnvelopes(ledger.DivideEnvelopes(envelopes).Pack(), len(envelopes))
		if err != nil {
			return err
		}
		for _, beginning := range divided.Beginnings {
			if p.w.private[ledger.BeginningKey(beginning)] != nil {
				return ledger.Errorf(ledger.ErrExists, "a beginning is there already")
			}
		}
		for i, r := range records {
			v := ledger.RecordVersion{ID: r.ID, Version: 1, Home: p.msp, CID: r.CID, Commitment: r.Commitment, Size: r.Size, Author: p.Actor(), Time: now, Tx: tx}
			put(&p.w.records, r.ID, []ledger.RecordVersion{v})
			put(&p.w.private, ledger.EnvelopeKey(r.ID, 1), bytes.Clone(divided.Value(i)))
			out = append(out, v)
		}
		for _, beginning := range divided.Beginnings {
			put(&p.w.private, ledger.BeginningKey(beginning), bytes.Clone(beginning))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// signed reports whether the header of an envelope names the person's certificate as that
// of its author.
func (p *Person) signed(data []byte) bool {
	header, err := envelope.ReadHeader(data)
	return err == nil && header.Signature != nil && header.Signature.Certificate == ledger.IDOfCertificate(p.enrolledLocked().certificate.Raw)
}

// AmendRecord implements client.Ledger.
func (p *Person) AmendRecord(ctx context.Context, n ledger.NewVersion, data []byte) (out ledger.RecordVersion, err error) {
	err = p.submit(ctx, ledger.RecordAmend, "clinical", func(tx, now string) error {
		versions := p.w.records[n.ID]
		switch {
		case versions == nil:
			return ledger.Errorf(ledger.ErrNotFound, "no record %s", n.ID)
		case p.w.erasure(n.ID) != nil:
			return ledger.Errorf(ledger.ErrErased, "record %s was erased", n.ID)
		case versions[0].Home != p.msp:
			return ledger.Errorf(ledger.ErrDenied, "its home is %s", versions[0].Home)
		case n.Version <= len(versions):
			return ledger.Errorf(ledger.ErrExists, "version %d exists", n.Version)
		case n.Version != len(versions)+1:
			return ledger.Errorf(ledger.ErrInvalid, "version %d is not the next", n.Version)
		case !p.signed(data):
			return ledger.Errorf(ledger.ErrInvalid, "version %d is not signed by %s", n.Version, p.Actor())
		case versions[len(versions)-1].Author != p.Actor() && p.role != "doctor" && p.role != ledger.RoleCustodian:
			return ledger.Errorf(ledger.ErrDenied, "%s amends no records of other people", p.Actor())
		}
		out = ledger.RecordVersion{ID: n.ID, Version: n.Version, Home: p.msp, CID: n.CID, Commitment: n.Commitment, Size: n.Size, Author: p.Actor(), Time: now, Tx: tx}
		p.w.records[n.ID] = append(versions, out)
		put(&p.w.private, ledger.EnvelopeKey(n.ID, n.Version), bytes.Clone(data))
		return nil
	})
	return out, err
}

// Records implements client.Ledger.
func (p *Person) Records(ctx context.Context, ids []string) (out []ledger.Record, err error) {
	err = p.evaluate(ctx, ledger.RecordGet, "", func() error {
		total := 0
		for _, id := range ids {
			if v := p.w.records[id]; v != nil {
				out = append(out, ledger.Record{ID: id, Home: v[0].Home, Versions: slices.Clone(v), Erasure: p.w.erasure(id)})
				total += len(v)
			}
		}
		for i := range out {
			if r := &out[i]; total > ledger.MaxHistory {
				r.Earlier = max(0, len(r.Versions)-ledger.MaxHistory/len(ids))
				r.Versions = r.Versions[r.Earlier:]
			}
		}
		return nil
	})
	return out, err
}

// RecordVersions implements client.Ledger.
func (p *Person) RecordVersions(ctx context.Context, names []ledger.VersionName) (out []ledger.RecordVersion, err error) {
	err = p.evaluate(ctx, ledger.RecordVersions, "", func() error {
		for _, n := range names {
			if v := p.w.records[n.ID]; n.Version >= 1 && n.Version <= len(v) && p.w.erasure(n.ID) == nil {
				out = append(out, v[n.Version-1])
			}
		}
		return nil
	})
	return out, err
}

// RequestAccess implements client.Ledger.
func (p *Person) RequestAccess(ctx context.Context, targets []string, purpose string) (out []ledger.AccessEntry, err error) {
	err = p.submit(ctx, ledger.AccessRequest, "clinical", func(tx, now string) error {
		if _, ok := ledger.Purposes[purpose]; !ok || len(targets) == 0 {
			return ledger.Errorf(ledger.ErrInvalid, "purpose %q", purpose)
		}
		for _, t := range targets {
			name, isScope := strings.CutPrefix(t, ledger.ScopeTarget(""))
			if _, ok := p.w.scopes[name]; isScope && !ok || !isScope && p.w.records[t] == nil {
				return ledger.Errorf(ledger.ErrNotFound, "no %s", t)
			}
			if p.w.erasure(t) != nil {
				return ledger.Errorf(ledger.ErrErased, "record %s was erased", t)
			}
			out = append(out, ledger.AccessEntry{ID: ledger.AccessID(now, tx), Target: t, Actor: p.Actor(), Purpose: purpose, Time: now, Tx: tx})
		}
		p.w.accesses = append(p.w.accesses, out...)
		return nil
	})
	return out, err
}

// Envelope implements client.Ledger.
func (p *Person) Envelope(ctx context.Context, id string, version int, accessID string) (data []byte, seal int, err error) {
	data, err = p.handOut(ctx, ledger.RecordEnvelope, id, accessID, func() (string, error) {
		if p.w.erasure(id) != nil {
			return "", ledger.Errorf(ledger.ErrErased, "record %s was erased", id)
		}
		seal = p.w.seal(id, version)
		return ledger.SealedKey(id, version, seal), nil
	})
	return data, seal, err
}

// ScopeKey implements client.Ledger.
func (p *Person) ScopeKey(ctx context.Context, name string, epoch int, accessID string) ([]byte, error) {
	return p.handOut(ctx, ledger.ScopeKey, ledger.ScopeTarget(name), accessID, func() (string, error) { return ledger.ScopeKeyKey(name, epoch), nil })
}

func (p *Person) handOut(ctx context.Context, transaction, target, accessID string, key func() (string, error)) (out []byte, err error) {
	err = p.evaluate(ctx, transaction, "clinical", func() error {
		if !slices.ContainsFunc(p.w.accesses, func(a ledger.AccessEntry) bool {
			return a.ID == accessID && a.Target == target && a.Actor == p.Actor()
		}) {
			return ledger.Errorf(ledger.ErrDenied, "no access entry %s of %s for %s", accessID, p.Actor(), target)
		}
		at, err := key()
		if err != nil {
			return err
		}
		data, err := p.w.wrappedKey(at)
		out = bytes.Clone(data)
		return err
	})
	return out, err
}

// wrappedKey reads a wrapped key and adds its shared beginning.
func (w *World) wrappedKey(key string) ([]byte, error) {
	read := func(key string) ([]byte, error) {
		if data, ok := w.private[key]; ok {
			return data, nil
		}
		return nil, ledger.Errorf(ledger.ErrNotFound, "no wrapped key %s", key)
	}
	value, err := read(key)
	if err != nil {
		return nil, err
	}
	return ledger.JoinEnvelope(value, read)
}

// SetEnvelope replaces a wrapped key, like the administrator of a peer.
func (w *World) SetEnvelope(id string, version int, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.private[ledger.SealedKey(id, version, w.seal(id, version))] = data
}

// GetEnvelope reads a wrapped key without an access entry, like the administrator of a
// peer.
func (w *World) GetEnvelope(id string, version int) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	data, err := w.wrappedKey(ledger.SealedKey(id, version, w.seal(id, version)))
	if err != nil {
		return nil
	}
	return bytes.Clone(data)
}

// SetCID replaces the CID of a record version.
func (w *World) SetCID(id string, version int, cid string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records[id][version-1].CID = cid
}

// ForgetSize makes a version one of an earlier release, which kept no sizes.
func (w *World) ForgetSize(id string, version int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records[id][version-1].Size = 0
}

// Entries counts the index entries of a hospital, dummies included.
func (w *World) Entries(msp string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.entries[msp])
}
