package clienttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// A FullLedger is everything that an adapter implements: the needs of a client and those
// of an authority, see package client/keys.
type FullLedger interface {
	client.Ledger

	// CertificateID names the caller's enrolment certificate.
	CertificateID() ledger.CertificateID

	Announce(ctx context.Context, a ledger.Announcement) error
	PublishKeys(ctx context.Context, keys []ledger.AttributeKey) error

	// AttributeKeyVersions returns the published ones among the named versions of public
	// keys, current or past, in the order asked. It takes any number of them.
	AttributeKeyVersions(ctx context.Context, versions []ledger.AttributeName) ([]ledger.AttributeKey, error)

	// AttributesOf lists all published attributes of one authority, sorted by name.
	AttributesOf(ctx context.Context, authority string) ([]ledger.AttributeName, error)

	// CurrentKeys returns the current public keys of those of the names that are
	// published, in the order of names. It takes any number of names.
	CurrentKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error)
}

// LedgerEnv is an implementation under test, as seen by several users. The ledger may
// already hold data.
type LedgerEnv struct {
	Doctor    FullLedger // a clinical user of a hospital
	Other     FullLedger // a clinical user of another hospital
	Custodian FullLedger // of Doctor's hospital
	Authority FullLedger // of Doctor's hospital
	Auditor   FullLedger // of an organisation that is no hospital

	// PublicKey makes the encoding of a public key that the ledger accepts under the name
	// and version.
	PublicKey func(name string, version int) []byte
}

// Ledger runs the suite.
func Ledger(t *testing.T, env LedgerEnv) {
	t.Run("records", func(t *testing.T) { ledgerRecords(t, env) })
	t.Run("envelopes", func(t *testing.T) { ledgerEnvelopes(t, env) })
	t.Run("reseal", func(t *testing.T) { ledgerReseal(t, env) })
	t.Run("erase", func(t *testing.T) { ledgerErase(t, env) })
	t.Run("together", func(t *testing.T) { ledgerTogether(t, env) })
	t.Run("index", func(t *testing.T) { ledgerIndex(t, env) })
	t.Run("scopes", func(t *testing.T) { ledgerScopes(t, env) })
	t.Run("attributes", func(t *testing.T) { ledgerAttributes(t, env) })
	t.Run("audit", func(t *testing.T) { ledgerAudit(t, env) })
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := env.Doctor.Records(ctx, []string{NewID()}); !errors.Is(err, context.Canceled) {
			t.Errorf("evaluate: %v", err)
		}
		r, e := newRecord(t, env.Doctor)
		if _, err := env.Doctor.CreateRecords(ctx, []ledger.NewRecord{r}, [][]byte{e}); !errors.Is(err, context.Canceled) {
			t.Errorf("submit: %v", err)
		}
		if got, err := env.Doctor.Records(t.Context(), []string{r.ID}); err != nil || len(got) != 0 {
			t.Errorf("a cancelled submit left %v, %v", got, err)
		}
	})
}

// NewID returns a new record id.
func NewID() string {
	var id [ledger.RecordIDSize]byte
	rand.Read(id[:])
	return ledger.FormatRecordID(id)
}

func newRecord(t *testing.T, author FullLedger) (ledger.NewRecord, []byte) {
	t.Helper()
	secret := make([]byte, 32)
	rand.Read(secret)
	return ledger.NewRecord{ID: NewID(), CID: cidOf(secret), Commitment: hex.EncodeToString(secret), Size: 300}, NewEnvelope(t, author)
}

// NewEnvelope returns an age file to the given recipients and a random one, with a
// signature that names the author's certificate. The ledger cannot verify the signature.
func NewEnvelope(t *testing.T, author FullLedger, before ...age.Recipient) []byte {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := ledger.NewSignature(author.CertificateID(), make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, append(before, id.Recipient(), envelope.Signed(signature))...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func create(t *testing.T, l FullLedger, n int) ([]ledger.RecordVersion, [][]byte) {
	t.Helper()
	records, envelopes := make([]ledger.NewRecord, n), make([][]byte, n)
	for i := range records {
		records[i], envelopes[i] = newRecord(t, l)
	}
	versions, err := l.CreateRecords(t.Context(), records, envelopes)
	if err != nil {
		t.Fatal(err)
	}
	return versions, envelopes
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func ledgerRecords(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	versions, _ := create(t, env.Doctor, 3)
	ids := []string{versions[2].ID, NewID(), versions[0].ID}
	got := recordsOf(t, env.Other, ids, func(r []ledger.Record) bool { return len(r) == 2 })
	if len(got) != 2 || got[0].ID != ids[0] || got[1].ID != ids[2] {
		t.Fatalf("got %v for %v", got, ids)
	}
	if v := got[0].Current(); v != versions[2] || v.Home != env.Doctor.MSP() || v.Author != env.Doctor.Actor() || v.Version != 1 {
		t.Errorf("got %+v, registered %+v", v, versions[2])
	}
	many := make([]string, ledger.MaxRecordsPerCall+5)
	for i := range many {
		many[i] = NewID()
	}
	many[0], many[len(many)-1] = versions[0].ID, versions[1].ID
	if got, err := env.Doctor.Records(ctx, many); err != nil || len(got) != 2 {
		t.Errorf("%d ids: %d records, %v", len(many), len(got), err)
	}

	again := ledger.NewRecord{ID: versions[0].ID, CID: versions[0].CID, Commitment: versions[0].Commitment, Size: 300}
	fresh, wrapped := newRecord(t, env.Doctor)
	_, err := env.Doctor.CreateRecords(ctx, []ledger.NewRecord{fresh, again}, [][]byte{wrapped, wrapped})
	wantError(t, "an id that is taken", err, client.ErrExists)
	if got, err := env.Doctor.Records(ctx, []string{fresh.ID}); err != nil || len(got) != 0 {
		t.Errorf("half of a refused transaction is there: %v, %v", got, err)
	}
	_, err = env.Auditor.CreateRecords(ctx, []ledger.NewRecord{fresh}, [][]byte{wrapped})
	wantError(t, "an auditor registers", err, client.ErrDenied)
	_, err = env.Doctor.CreateRecords(ctx, []ledger.NewRecord{{ID: "x", CID: fresh.CID, Commitment: fresh.Commitment, Size: 300}}, [][]byte{wrapped})
	wantError(t, "a malformed id", err, client.ErrInvalid)
	_, err = env.Doctor.CreateRecords(ctx, []ledger.NewRecord{fresh}, [][]byte{[]byte("a bare key")})
	wantError(t, "an envelope that is no age file", err, client.ErrInvalid)
	_, err = env.Doctor.CreateRecords(ctx, []ledger.NewRecord{fresh}, [][]byte{NewEnvelope(t, env.Custodian)})
	wantError(t, "an envelope that somebody else has signed", err, client.ErrInvalid)

	next := ledger.NewVersion{ID: versions[0].ID, Version: 2, CID: fresh.CID, Commitment: fresh.Commitment, Size: 300}
	_, err = env.Other.AmendRecord(ctx, next, NewEnvelope(t, env.Other))
	wantError(t, "another hospital amends", err, client.ErrDenied)
	v, err := env.Doctor.AmendRecord(ctx, next, wrapped)
	if err != nil || v.Version != 2 || v.CID != fresh.CID {
		t.Fatalf("amend: %+v, %v", v, err)
	}
	_, err = env.Doctor.AmendRecord(ctx, next, wrapped)
	wantError(t, "the same version again", err, client.ErrExists)
	amended := func(r []ledger.Record) bool { return len(r) == 1 && len(r[0].Versions) == 2 && r[0].Current() == v }
	if got := recordsOf(t, env.Other, []string{v.ID}, amended); !amended(got) {
		t.Errorf("after amending: %v", got)
	}
	named, err := env.Doctor.RecordVersions(ctx, []ledger.VersionName{{ID: v.ID, Version: 2}, {ID: v.ID, Version: 3}, {ID: NewID(), Version: 1}, {ID: v.ID, Version: 1}})
	if err != nil || len(named) != 2 || named[0] != v || named[1] != versions[0] {
		t.Errorf("named versions: %+v, %v", named, err)
	}
}

// recordsOf reads records until wanted returns true, or for 5 seconds. Another
// organisation's peer may be behind.
func recordsOf(t *testing.T, l FullLedger, ids []string, wanted func([]ledger.Record) bool) []ledger.Record {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, err := l.Records(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		if wanted(got) || time.Now().After(deadline) {
			return got
		}
	}
}

func ledgerEnvelopes(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	versions, envelopes := create(t, env.Doctor, 2)
	a, b := versions[0].ID, versions[1].ID
	entries, err := env.Doctor.RequestAccess(ctx, []string{b, a}, "TREAT")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 || entries[0].Target != b || entries[1].Target != a || entries[0].Actor != env.Doctor.Actor() || entries[0].Purpose != "TREAT" {
		t.Fatalf("entries %+v", entries)
	}
	got, _, err := env.Doctor.Envelope(ctx, a, 1, entries[1].ID)
	if err != nil || !bytes.Equal(got, envelopes[0]) {
		t.Errorf("envelope: %d bytes, %v", len(got), err)
	}
	_, _, err = env.Other.Envelope(ctx, a, 1, entries[1].ID)
	wantError(t, "with somebody else's access entry", err, client.ErrDenied)
	_, _, err = env.Doctor.Envelope(ctx, a, 1, strings.Replace(entries[1].ID, "0", "1", 1))
	if !errors.Is(err, client.ErrDenied) && !errors.Is(err, client.ErrInvalid) {
		t.Errorf("with an access entry that does not exist: %v", err)
	}
	other, _ := create(t, env.Doctor, 1)
	_, _, err = env.Doctor.Envelope(ctx, other[0].ID, 1, entries[1].ID)
	wantError(t, "with the access entry of another record", err, client.ErrDenied)
	_, _, err = env.Doctor.Envelope(ctx, a, 2, entries[1].ID)
	wantError(t, "a version that does not exist", err, client.ErrNotFound)
	_, err = env.Auditor.RequestAccess(ctx, []string{a}, "TREAT")
	wantError(t, "an auditor asks", err, client.ErrDenied)
	_, err = env.Doctor.RequestAccess(ctx, []string{NewID()}, "TREAT")
	wantError(t, "a record that does not exist", err, client.ErrNotFound)
	_, err = env.Doctor.RequestAccess(ctx, []string{a}, "CURIOSITY")
	wantError(t, "a purpose that does not exist", err, client.ErrInvalid)
}

func newEntries(n int) []index.Entry {
	entries := make([]index.Entry, n)
	for i := range entries {
		rand.Read(entries[i].Label[:])
		rand.Read(entries[i].Value[:])
	}
	return entries
}

func ledgerIndex(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	entries := newEntries(3)
	if err := env.Doctor.PutEntries(ctx, entries); err != nil {
		t.Fatal(err)
	}
	unknown := newEntries(1)[0]
	var got [][][]byte
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) { // see recordsOf
		var err error
		if got, err = env.Other.GetEntries(ctx, []index.Batch{
			{MSP: env.Doctor.MSP(), Labels: []index.Label{entries[2].Label, unknown.Label, entries[0].Label}},
			{MSP: env.Other.MSP(), Labels: []index.Label{entries[0].Label}},
		}); err != nil {
			t.Fatal(err)
		}
		if got[0][0] != nil || time.Now().After(deadline) {
			break
		}
	}
	if len(got) != 2 || len(got[0]) != 3 || len(got[1]) != 1 || !bytes.Equal(got[0][0], entries[2].Value[:]) ||
		got[0][1] != nil || !bytes.Equal(got[0][2], entries[0].Value[:]) || got[1][0] != nil {
		t.Errorf("got %x", got)
	}
	found, _, err := env.Other.SearchEntries(ctx, "", []index.Batch{
		{MSP: env.Doctor.MSP(), Labels: []index.Label{entries[2].Label, unknown.Label}}, {MSP: env.Other.MSP(), Labels: []index.Label{entries[0].Label}},
	})
	if err != nil || len(found) != 2 || len(found[0]) != 2 || !bytes.Equal(found[0][0], entries[2].Value[:]) || found[0][1] != nil || found[1][0] != nil {
		t.Errorf("a search got %x, %v", found, err)
	}
	fresh := newEntries(2)
	wantError(t, "a label that is taken", env.Doctor.PutEntries(ctx, []index.Entry{fresh[0], entries[1]}), client.ErrExists)
	if got, err := env.Doctor.GetEntries(ctx, []index.Batch{{MSP: env.Doctor.MSP(), Labels: []index.Label{fresh[0].Label}}}); err != nil || got[0][0] != nil {
		t.Errorf("half of a refused transaction is there: %v", err)
	}
	if err := env.Other.PutEntries(ctx, entries[:1]); err != nil {
		t.Errorf("the same label under another MSP: %v", err)
	}

	// Of several concurrent writers of one label, one succeeds and the others get an
	// error.
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			mine := newEntries(1)
			mine[0].Label = fresh[1].Label
			errs[i] = env.Doctor.PutEntries(ctx, mine)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantError(t, "a lost race", err, client.ErrExists)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d writers got one label", won, len(errs))
	}
}

func ledgerAudit(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	versions, _ := create(t, env.Doctor, 1)
	v := versions[0]
	entries, err := env.Doctor.RequestAccess(ctx, []string{v.ID}, "ETREAT")
	if err != nil {
		t.Fatal(err)
	}
	recordsOf(t, env.Auditor, []string{v.ID}, func(r []ledger.Record) bool { return len(r) == 1 })
	var history []ledger.HistoryEvent
	for deadline := time.Now().Add(5 * time.Second); len(history) < 2 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if history, err = env.Auditor.AuditHistory(ctx, v.ID); err != nil {
			t.Fatal(err)
		}
	}
	if len(history) != 2 || history[0].Event != "sealed" || history[1].Event != "accessed" || history[1].Purpose != "ETREAT" {
		t.Errorf("history %+v", history)
	}
	records, err := env.Auditor.AuditRecords(ctx, ledger.RecordQuery{Record: v.ID})
	if err != nil || len(records.Versions) != 1 || records.Versions[0] != v {
		t.Errorf("records %+v, %v", records, err)
	}
	accesses, err := env.Auditor.AuditAccesses(ctx, ledger.AccessQuery{Record: v.ID, Actor: env.Doctor.Actor()})
	if err != nil || len(accesses.Entries) != 1 || accesses.Entries[0] != entries[0] {
		t.Errorf("accesses %+v, %v", accesses, err)
	}
	_, err = env.Doctor.AuditRecords(ctx, ledger.RecordQuery{})
	wantError(t, "a doctor audits", err, client.ErrDenied)
	own, err := env.Doctor.AuditRecords(ctx, ledger.RecordQuery{Record: v.ID, Author: env.Doctor.Actor()})
	if err != nil || len(own.Versions) != 1 || own.Versions[0] != v {
		t.Errorf("a doctor's own records %+v, %v", own, err)
	}
	_, err = env.Doctor.AuditRecords(ctx, ledger.RecordQuery{Author: env.Auditor.Actor()})
	wantError(t, "a doctor lists the records of another", err, client.ErrDenied)
}
