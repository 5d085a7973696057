package clienttest

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// seal returns the number of a version's newest seal.
func (w *World) seal(id string, version int) int {
	if v := w.records[id]; version >= 1 && version <= len(v) {
		return v[version-1].Seal
	}
	return 0
}

func (w *World) erasure(id string) *ledger.Erasure {
	if i := slices.IndexFunc(w.erasures, func(e ledger.Erasure) bool { return e.ID == id }); i >= 0 {
		return &w.erasures[i]
	}
	return nil
}

// lifeOf returns what happened to a record beside its versions and accesses.
func (w *World) lifeOf(id string) (events []ledger.HistoryEvent) {
	payload := make(map[int]string)
	for _, s := range w.seals {
		if s.ID != id {
			continue
		}
		event := "resealed"
		if before, known := payload[s.Version]; known && before != s.CID {
			event = "revoked"
		}
		if payload[s.Version] = s.CID; s.Seal > 0 {
			events = append(events, ledger.HistoryEvent{Time: s.Time, Event: event, Actor: s.Actor, Version: s.Version, Tx: s.Tx})
		}
	}
	if e := w.erasure(id); e != nil {
		events = append(events, ledger.HistoryEvent{Time: e.Time, Event: "erased", Actor: e.Actor, Reason: e.Reason, Tx: e.Tx})
	}
	return events
}

// Reseal implements client.Ledger.
func (p *Person) Reseal(ctx context.Context, again []ledger.RecordVersion, envelopes [][]byte) (out []ledger.RecordVersion, err error) {
	err = p.submit(ctx, ledger.RecordReseal, "clinical", func(tx, now string) error {
		if len(again) == 0 || len(again) > ledger.MaxNewRecords || len(again) != len(envelopes) {
			return ledger.Errorf(ledger.ErrInvalid, "%d versions, %d envelopes", len(again), len(envelopes))
		}
		for i, v := range again {
			versions := p.w.records[v.ID]
			if v.Version < 1 || v.Version > len(versions) {
				return ledger.Errorf(ledger.ErrNotFound, "no version %d of %s", v.Version, v.ID)
			}
			switch b := versions[v.Version-1]; {
			case p.w.erasure(v.ID) != nil:
				return ledger.Errorf(ledger.ErrErased, "record %s was erased", v.ID)
			case b.Home != p.msp || b.Author != p.Actor() && p.role != ledger.RoleCustodian:
				return ledger.Errorf(ledger.ErrDenied, "%s cannot reseal record %s", p.Actor(), v.ID)
			case v.Seal <= b.Seal:
				return ledger.Errorf(ledger.ErrExists, "seal %d exists", v.Seal)
			case v.Seal != b.Seal+1 || !p.signed(envelopes[i]) || v.CID == b.CID && (v.Commitment != b.Commitment || v.Size != b.Size && b.Size != 0) || v.Size == 0:
				return ledger.Errorf(ledger.ErrInvalid, "seal %d of record %s", v.Seal, v.ID)
			}
		}
		for i, v := range again {
			at := &p.w.records[v.ID][v.Version-1]
			if at.Seal == 0 { // the first seal, to compare with
				p.w.seals = append(p.w.seals, ledger.Seal{ID: v.ID, Version: v.Version, CID: at.CID})
			}
			s := ledger.Seal{ID: v.ID, Version: v.Version, Seal: v.Seal, CID: v.CID, Commitment: v.Commitment, Size: v.Size, Actor: p.Actor(), Time: now, Tx: tx}
			p.w.seals = append(p.w.seals, s)
			delete(p.w.private, ledger.SealedKey(v.ID, v.Version, at.Seal))
			put(&p.w.private, ledger.SealedKey(v.ID, v.Version, v.Seal), bytes.Clone(envelopes[i]))
			*at = at.Again(s)
			out = append(out, *at)
		}
		return nil
	})
	return out, err
}

// Erase implements client.Ledger.
func (p *Person) Erase(ctx context.Context, reason string, erasures []ledger.NewErasure) (out []ledger.Erasure, err error) {
	err = p.submit(ctx, ledger.RecordErase, "clinical", func(tx, now string) error {
		if _, known := ledger.ErasureReasons[reason]; !known {
			return ledger.Errorf(ledger.ErrInvalid, "reason %q", reason)
		}
		for _, e := range erasures {
			versions := p.w.records[e.ID]
			s, err := ledger.ParseSignature(e.Signature)
			switch {
			case err != nil:
				return err
			case s.Certificate != ledger.IDOfCertificate(p.enrolledLocked().certificate.Raw):
				return ledger.Errorf(ledger.ErrInvalid, "record %s: another's signature", e.ID)
			case versions == nil:
				return ledger.Errorf(ledger.ErrNotFound, "no record %s", e.ID)
			case p.w.erasure(e.ID) != nil:
				return ledger.Errorf(ledger.ErrErased, "record %s was erased", e.ID)
			case versions[0].Home != p.msp || p.role != ledger.RoleCustodian:
				return ledger.Errorf(ledger.ErrDenied, "%s cannot erase record %s", p.Actor(), e.ID)
			}
			out = append(out, ledger.Erasure{ID: e.ID, Reason: reason, Actor: p.Actor(), Time: now, Tx: tx, Signature: e.Signature})
		}
		for _, e := range out {
			for _, v := range p.w.records[e.ID] {
				delete(p.w.private, ledger.SealedKey(v.ID, v.Version, v.Seal))
			}
		}
		p.w.erasures = append(p.w.erasures, out...)
		return nil
	})
	return out, err
}

// AuditErasures implements client.Ledger. It returns all rows on one page.
func (p *Person) AuditErasures(ctx context.Context, q ledger.ErasureQuery) (out ledger.ErasurePage, err error) {
	err = p.evaluate(ctx, ledger.AuditErasures, auditing, func() error {
		for _, e := range p.w.erasures {
			if within(e.Time, q.Since, q.Until) {
				out.Erasures = append(out.Erasures, e)
			}
		}
		return nil
	})
	return out, err
}

func ledgerReseal(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	versions, _ := create(t, env.Doctor, 3)
	entries, err := env.Doctor.RequestAccess(ctx, []string{versions[0].ID, versions[1].ID}, "TREAT")
	if err != nil {
		t.Fatal(err)
	}
	next := func(v ledger.RecordVersion) ledger.RecordVersion {
		v.Seal++
		return v
	}
	// One keeps its payload, the other has a new one.
	again := []ledger.RecordVersion{next(versions[0]), next(versions[1])}
	fresh, _ := newRecord(t, env.Custodian)
	again[1].CID, again[1].Commitment, again[1].Size = fresh.CID, fresh.Commitment, 400
	wrapped := [][]byte{NewEnvelope(t, env.Custodian), NewEnvelope(t, env.Custodian)}
	resealed, err := env.Custodian.Reseal(ctx, again, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	want := func(r []ledger.Record) bool {
		return len(r) == 2 && r[0].Current() == resealed[0] && r[1].Current() == resealed[1]
	}
	got := recordsOf(t, env.Other, []string{versions[0].ID, versions[1].ID}, want)
	if !want(got) || resealed[0].Seal != 1 || resealed[0].SealedBy != env.Custodian.Actor() || resealed[0].Author != env.Doctor.Actor() ||
		resealed[0].CID != versions[0].CID || resealed[1].CID != fresh.CID || resealed[1].Size != 400 {
		t.Errorf("resealed %+v, read %+v", resealed, got)
	}
	named, err := env.Custodian.RecordVersions(ctx, []ledger.VersionName{{ID: versions[1].ID, Version: 1}, {ID: versions[2].ID, Version: 1}})
	if err != nil || len(named) != 2 || named[0] != resealed[1] || named[1] != versions[2] {
		t.Errorf("named versions %+v, %v", named, err)
	}
	for i, want := range wrapped {
		data, seal, err := env.Doctor.Envelope(ctx, versions[i].ID, 1, entries[i].ID)
		if err != nil || seal != 1 || !bytes.Equal(data, want) {
			t.Errorf("envelope: seal %d, %d bytes, %v", seal, len(data), err)
		}
	}

	_, err = env.Custodian.Reseal(ctx, again[:1], wrapped[:1])
	wantError(t, "the same seal again", err, client.ErrExists)
	skipped := next(next(resealed[0]))
	_, err = env.Custodian.Reseal(ctx, []ledger.RecordVersion{skipped}, wrapped[:1])
	wantError(t, "a seal is left out", err, client.ErrInvalid)
	changed := next(resealed[0])
	changed.Commitment = fresh.Commitment
	_, err = env.Custodian.Reseal(ctx, []ledger.RecordVersion{changed}, wrapped[:1])
	wantError(t, "another commitment of the same payload", err, client.ErrInvalid)
	_, err = env.Other.Reseal(ctx, []ledger.RecordVersion{next(resealed[0])}, [][]byte{NewEnvelope(t, env.Other)})
	wantError(t, "another hospital reseals", err, client.ErrDenied)
	_, err = env.Doctor.Reseal(ctx, []ledger.RecordVersion{next(resealed[0])}, wrapped[:1])
	wantError(t, "an envelope that somebody else has signed", err, client.ErrInvalid)
	missing := next(resealed[0])
	missing.Version = 2
	_, err = env.Custodian.Reseal(ctx, []ledger.RecordVersion{missing}, wrapped[:1])
	wantError(t, "a version that does not exist", err, client.ErrNotFound)
	if twice, err := env.Doctor.Reseal(ctx, []ledger.RecordVersion{next(resealed[0])}, [][]byte{NewEnvelope(t, env.Doctor)}); err != nil || twice[0].Seal != 2 {
		t.Errorf("the author reseals: %+v, %v", twice, err)
	}
	history, err := env.Custodian.AuditHistory(ctx, versions[1].ID)
	if err != nil || len(history) != 3 || !slices.ContainsFunc(history, func(e ledger.HistoryEvent) bool {
		return e.Event == "revoked" && e.Actor == env.Custodian.Actor() && e.Version == 1
	}) {
		t.Errorf("history %+v, %v", history, err)
	}
}

func ledgerErase(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	versions, _ := create(t, env.Doctor, 2)
	id := versions[0].ID
	entries, err := env.Doctor.RequestAccess(ctx, []string{id}, "TREAT")
	if err != nil {
		t.Fatal(err)
	}
	erasure := func(l FullLedger, id string) []ledger.NewErasure {
		signature, err := ledger.NewSignature(l.CertificateID(), make([]byte, 64))
		if err != nil {
			t.Fatal(err)
		}
		return []ledger.NewErasure{{ID: id, Signature: signature.String()}}
	}
	since := ledger.FormatTime(time.Now().Add(-ledger.MaxClockSkew))
	_, err = env.Doctor.Erase(ctx, "ERROR", erasure(env.Doctor, id))
	wantError(t, "a doctor erases", err, client.ErrDenied)
	_, err = env.Custodian.Erase(ctx, "WHIM", erasure(env.Custodian, id))
	wantError(t, "a reason that does not exist", err, client.ErrInvalid)
	_, err = env.Custodian.Erase(ctx, "ERROR", erasure(env.Doctor, id))
	wantError(t, "another's signature", err, client.ErrInvalid)
	_, err = env.Custodian.Erase(ctx, "ERROR", erasure(env.Custodian, NewID()))
	wantError(t, "a record that does not exist", err, client.ErrNotFound)
	done, err := env.Custodian.Erase(ctx, "ERROR", erasure(env.Custodian, id))
	if err != nil || len(done) != 1 || done[0].ID != id || done[0].Actor != env.Custodian.Actor() || done[0].Reason != "ERROR" {
		t.Fatalf("erased %+v, %v", done, err)
	}
	gone := func(r []ledger.Record) bool {
		return len(r) == 2 && r[0].Erasure != nil && *r[0].Erasure == done[0] && r[1].Erasure == nil
	}
	if got := recordsOf(t, env.Other, []string{id, versions[1].ID}, gone); !gone(got) {
		t.Errorf("after erasing: %+v", got)
	}
	_, _, err = env.Doctor.Envelope(ctx, id, 1, entries[0].ID)
	wantError(t, "the wrapped key of an erased record", err, client.ErrErased)
	_, err = env.Doctor.RequestAccess(ctx, []string{versions[1].ID, id}, "TREAT")
	wantError(t, "access to an erased record", err, client.ErrErased)
	fresh, wrapped := newRecord(t, env.Doctor)
	_, err = env.Doctor.AmendRecord(ctx, ledger.NewVersion{ID: id, Version: 2, CID: fresh.CID, Commitment: fresh.Commitment, Size: 300}, wrapped)
	wantError(t, "an erased record is amended", err, client.ErrErased)
	again := versions[0]
	again.Seal = 1
	_, err = env.Doctor.Reseal(ctx, []ledger.RecordVersion{again}, [][]byte{NewEnvelope(t, env.Doctor)})
	wantError(t, "an erased record is resealed", err, client.ErrErased)
	_, err = env.Custodian.Erase(ctx, "ERROR", erasure(env.Custodian, id))
	wantError(t, "an erased record is erased", err, client.ErrErased)
	named, err := env.Doctor.RecordVersions(ctx, []ledger.VersionName{{ID: id, Version: 1}, {ID: versions[1].ID, Version: 1}})
	if err != nil || len(named) != 1 || named[0] != versions[1] {
		t.Errorf("named versions %+v, %v", named, err)
	}
	history, err := env.Custodian.AuditHistory(ctx, id)
	if err != nil || len(history) != 3 || !slices.ContainsFunc(history, func(e ledger.HistoryEvent) bool { return e.Event == "erased" && e.Reason == "ERROR" }) {
		t.Errorf("history %+v, %v", history, err)
	}
	page, err := env.Custodian.AuditErasures(ctx, ledger.ErasureQuery{Since: since})
	if err != nil || !slices.Contains(page.Erasures, done[0]) {
		t.Errorf("erasures %+v, %v", page, err)
	}
	_, err = env.Doctor.AuditErasures(ctx, ledger.ErasureQuery{})
	wantError(t, "a doctor audits", err, client.ErrDenied)
}

// Receipts implements client.Ledger.
func (p *Person) Receipts(ctx context.Context, ids []string) (out []ledger.Receipt, err error) {
	err = p.evaluate(ctx, ledger.ReplicaReceipts, "", func() error {
		for _, r := range p.w.receipts {
			if slices.Contains(ids, r.Record) {
				out = append(out, r)
			}
		}
		return nil
	})
	return out, err
}

// Confirm puts receipts of the person's hospital on the ledger, as its keeper does.
func (p *Person) Confirm(ctx context.Context, receipts []ledger.NewReceipt) error {
	return p.submit(ctx, ledger.ReplicaConfirm, ledger.RoleAdmin+" "+ledger.RoleAuthority, func(_, now string) error {
		for _, r := range receipts {
			p.w.receipts = slices.DeleteFunc(p.w.receipts, func(old ledger.Receipt) bool { return old.Record == r.Record && old.Keeper == p.msp })
			p.w.receipts = append(p.w.receipts, ledger.Receipt{Record: r.Record, Keeper: p.msp, Keys: r.Keys, Payloads: r.Payloads,
				Actor: p.Actor(), Time: now, Signature: r.Signature})
		}
		return nil
	})
}
