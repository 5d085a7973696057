package client_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/replica"
)

func TestMainJob(t *testing.T) {
	c := newConsortium(t)
	ctx := t.Context()
	sealed := c.seal(t, "ST elevation in V2 to V4", "troponin", "icd10:I21.4", "date:2019-03-14", "patient:MRN-77")
	if sealed.Size != 24 || sealed.Stored < 4096 || sealed.Policy != doctors || len(sealed.Warnings) != 0 {
		t.Errorf("sealed %+v", sealed)
	}
	other := c.as(t, "HospitalB", "jane", "doctor")
	for _, query := range []string{"troponin", "icd10:I21.4 and patient:MRN-77", "icd10:I21", "date:2019-03 and troponin"} {
		found, err := other.Search(ctx, index.MustParseQuery(query), client.SearchOptions{Scope: "consortium"})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if len(found.Hits) != 1 || found.Hits[0].ID != sealed.ID || found.Hits[0].Home != "HospitalA" || found.Truncated {
			t.Errorf("%s: %+v", query, found)
		}
	}
	if found, err := other.Search(ctx, index.MustParseQuery("nonsense"), client.SearchOptions{Scope: "consortium"}); err != nil || len(found.Hits) != 0 {
		t.Errorf("a word that is nowhere: %+v, %v", found, err)
	}
	content, opened, err := open(ctx, other, sealed.ID, client.OpenRequest{Purpose: "ETREAT"})
	if err != nil || content != "ST elevation in V2 to V4" {
		t.Fatalf("opened %q, %v", content, err)
	}
	if opened.Name != "note.txt" || opened.Author != "HospitalA/doctor" || opened.Patient != "MRN-77" || opened.Access.Purpose != "ETREAT" {
		t.Errorf("opened %+v", opened)
	}
	log, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditAccesses(ctx, ledger.AccessQuery{Record: sealed.ID})
	if err != nil || len(log.Entries) != 1 || log.Entries[0].Actor != "HospitalB/jane" {
		t.Errorf("access log %+v, %v", log, err)
	}
}

// TestNotEntitled: a person without the attributes cannot open a record, even without the
// client's policy check. Each attempt leaves an access entry.
func TestNotEntitled(t *testing.T) {
	c := newConsortium(t)
	ctx := t.Context()
	sealed := c.seal(t, "secret", "word")
	nurse := c.as(t, "HospitalC", "nurse", "nurse")
	for _, skip := range []bool{false, true} {
		content, _, err := open(ctx, nurse, sealed.ID, client.OpenRequest{SkipPolicyCheck: skip})
		var refusal *abe.NotSatisfiedError
		if !errors.Is(err, client.ErrNotSatisfied) || !errors.As(err, &refusal) || content != "" {
			t.Errorf("skip %v: %q, %v", skip, content, err)
		}
	}
	none := c.with(t, c.world.As("HospitalA", "new", "doctor"))
	if _, _, err := open(ctx, none, sealed.ID, client.OpenRequest{}); !errors.Is(err, client.ErrNotSatisfied) {
		t.Errorf("without any keys: %v", err)
	}
	// Search and index need the scope's key, which the nurse cannot open either. Stolen
	// keys would work: they are bound to their holder, not to the ledger's caller. But
	// they name their holder, and the keys of two holders do not combine, see package
	// abe.
	if _, err := nurse.Search(ctx, index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"}); !errors.Is(err, client.ErrNotSatisfied) {
		t.Errorf("search: %v", err)
	}
	_, err := nurse.Seal(ctx, client.SealRequest{Sources: []client.Source{text("n", "x")}, Policy: doctors, Scope: "consortium"})
	if !errors.Is(err, client.ErrNotSatisfied) {
		t.Errorf("index without the scope's key: %v", err)
	}
	log, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditAccesses(ctx, ledger.AccessQuery{Record: sealed.ID})
	if err != nil || len(log.Entries) != 3 {
		t.Errorf("%d traces of 3 attempts, %v", len(log.Entries), err)
	}
}

func TestCustodianAndPatientOpen(t *testing.T) {
	c := newConsortium(t)
	ctx := t.Context()
	patient := newIdentity(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	sealed, err := doctor.Seal(ctx, client.SealRequest{
		Sources: []client.Source{text("n", "for the patient")}, Policy: doctors, PatientRecipient: patient.Recipient().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, cl := range map[string]*client.Client{
		"patient":   c.with(t, c.world.As("HospitalA", "pat", "patient"), patient),
		"custodian": c.with(t, c.world.As("HospitalA", "custodian", ledger.RoleCustodian), c.custodian),
	} {
		if content, _, err := open(ctx, cl, sealed[0].ID, client.OpenRequest{Purpose: "PATRQT"}); err != nil || content != "for the patient" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
}

func TestSealManySources(t *testing.T) {
	c := newConsortium(t)
	const n = ledger.MaxNewRecords + 7
	var sources []client.Source
	for i := range n {
		sources = append(sources, text(strings.Repeat("x", i%3+1), strings.Repeat("y", i)))
	}
	sealed, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), client.SealRequest{
		Sources: sources, Policy: "HospitalA:role=doctor", Scope: "consortium", Keywords: []string{"bulk"},
	})
	if err != nil {
		t.Fatal(err)
	}
	txs := map[string]bool{}
	for i, s := range sealed {
		if s.Size != int64(i) || s.Name != sources[i].Name {
			t.Fatalf("position %d: %+v", i, s)
		}
		txs[s.Tx] = true
	}
	if len(sealed) != n || len(txs) != 2 {
		t.Errorf("%d records in %d transactions", len(sealed), len(txs))
	}
	found, err := c.as(t, "HospitalB", "doctor", "doctor").Search(t.Context(), index.MustParseQuery("bulk"), client.SearchOptions{Scope: "consortium", Limit: n - 1})
	if err != nil || len(found.Hits) != n-1 || !found.Truncated {
		t.Errorf("found %d, truncated %v, %v", len(found.Hits), found.Truncated, err)
	}
}

func TestAmend(t *testing.T) {
	c := newConsortium(t)
	ctx := t.Context()
	sealed := c.seal(t, "first", "note")
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	amend := func(cl *client.Client, content string) (client.Sealed, error) {
		return cl.Amend(ctx, client.AmendRequest{ID: sealed.ID, SealRequest: client.SealRequest{
			Sources: []client.Source{text("n", content)}, Policy: doctors, Scope: "consortium", Keywords: []string{"addendum"}}})
	}
	if _, err := amend(c.as(t, "HospitalB", "doctor", "doctor"), "forged"); !errors.Is(err, client.ErrDenied) {
		t.Errorf("another hospital: %v", err)
	}
	v2, err := amend(doctor, "second")
	if err != nil || v2.Version != 2 || v2.ID != sealed.ID {
		t.Fatalf("amended %+v, %v", v2, err)
	}
	for version, want := range map[int]string{0: "second", 1: "first", 2: "second"} {
		if content, _, err := open(ctx, doctor, sealed.ID, client.OpenRequest{Version: version}); err != nil || content != want {
			t.Errorf("version %d: %q, %v", version, content, err)
		}
	}
	if _, _, err := open(ctx, doctor, sealed.ID, client.OpenRequest{Version: 3}); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("version 3: %v", err)
	}
	found, err := doctor.Search(ctx, index.MustParseQuery("addendum"), client.SearchOptions{Scope: "consortium"})
	if err != nil || len(found.Hits) != 1 || found.Hits[0].Version != 2 {
		t.Errorf("found %+v, %v", found, err)
	}
}

// TestRefusedEarly: an invalid request is refused before anything is stored or written.
func TestRefusedEarly(t *testing.T) {
	c := newConsortium(t)
	good := client.SealRequest{Sources: []client.Source{text("n", "x")}, Policy: doctors, Scope: "consortium"}
	dir := t.TempDir()
	file := filepath.Join(dir, "record")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c1 := range map[string]struct {
		change func(*client.SealRequest)
		want   error
		says   string
	}{
		"no sources":        {func(r *client.SealRequest) { r.Sources = nil }, client.ErrInvalid, "nothing to seal"},
		"missing file":      {func(r *client.SealRequest) { r.Sources = append(r.Sources, client.FileSource(file+"x")) }, client.ErrNotFound, file + "x"},
		"directory":         {func(r *client.SealRequest) { r.Sources = append(r.Sources, client.FileSource(dir)) }, client.ErrInvalid, "directory"},
		"malformed policy":  {func(r *client.SealRequest) { r.Policy = "HospitalA:role=doctor and" }, client.ErrInvalid, ""},
		"unknown authority": {func(r *client.SealRequest) { r.Policy = "HospitalX:role=doctor" }, client.ErrNotFound, "did you mean Hospital"},
		"unknown attribute": {func(r *client.SealRequest) { r.Policy = "HospitalA:role=docter" }, client.ErrNotFound, "did you mean HospitalA:role=doctor?"},
		"far attribute":     {func(r *client.SealRequest) { r.Policy = "Elsewhere:ward=12" }, client.ErrNotFound, "Elsewhere:ward=12"},
		"unknown scope":     {func(r *client.SealRequest) { r.Scope = "trial" }, client.ErrNotFound, "there are consortium"},
		"empty keyword":     {func(r *client.SealRequest) { r.Keywords = []string{" "} }, client.ErrInvalid, "empty"},
		"bad date":          {func(r *client.SealRequest) { r.Keywords = []string{"date:yesterday"} }, client.ErrInvalid, "yesterday"},
		"bad purpose":       {func(r *client.SealRequest) { r.Purpose = "CURIOSITY" }, client.ErrInvalid, "CURIOSITY"},
		"bad recipient":     {func(r *client.SealRequest) { r.PatientRecipient = "age1nonsense" }, client.ErrInvalid, "recipient"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			r.Sources = append([]client.Source(nil), good.Sources...)
			c1.change(&r)
			_, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), r)
			if !errors.Is(err, c1.want) || !strings.Contains(err.Error(), c1.says) {
				t.Errorf("got %v", err)
			}
			c.nothingLeft(t)
		})
	}
	if err := client.FileSource(file).Check(); err != nil {
		t.Errorf("a good file: %v", err)
	}
}

// nothingLeft checks that no record is on the ledger and no payload is pinned.
func (c *consortium) nothingLeft(t *testing.T) {
	t.Helper()
	page, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditRecords(context.Background(), ledger.RecordQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Versions) != 0 {
		t.Errorf("%d records on the ledger", len(page.Versions))
	}
	if pinned := c.swept(t); len(pinned) != 0 {
		t.Errorf("%d payloads stay pinned", len(pinned))
	}
}

// swept lets the hospital's replicator unpin what is in no record, as it does a day
// later, and returns what is pinned then.
func (c *consortium) swept(t *testing.T) []string {
	t.Helper()
	const grace = time.Nanosecond
	sweeper, err := replica.NewSweeper(replica.SweepConfig{
		Store: unpinner{t, c.blobs}, Memory: memory{}, Grace: grace,
		Registered: func(ctx context.Context, _ uint64, handle func([]ledger.Payload, []ledger.End) error) (uint64, error) {
			var payloads []ledger.Payload
			for q := (ledger.RecordQuery{}); ; {
				page, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditRecords(ctx, q)
				if err != nil {
					return 0, err
				}
				for _, v := range page.Versions {
					payloads = append(payloads, ledger.Payload{CID: v.CID})
				}
				if q.Bookmark = page.Bookmark; q.Bookmark == "" {
					return 1, handle(payloads, nil)
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 14 { // one sees what is not registered, 12 see it again, and then it is unpinned
		if err := sweeper.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(grace)
	}
	return c.blobs.Pinned(t)
}

// unpinner is the hospital's store for its replicator.
type unpinner struct {
	t *testing.T
	*clienttest.MemoryBlobs
}

func (u unpinner) Pinned(context.Context) ([]string, error) { return u.MemoryBlobs.Pinned(u.t), nil }

// memory is a replica.Memory.
type memory map[string][]byte

func (m memory) Load(name string) ([]byte, error) {
	if data, ok := m[name]; ok {
		return data, nil
	}
	return nil, ledger.ErrNotFound
}

func (m memory) Store(name string, data []byte) error {
	m[name] = data
	return nil
}

func TestSearchQueryError(t *testing.T) {
	_, err := index.ParseQuery("(a and")
	var q *index.QueryError
	if !errors.As(err, &q) || !errors.Is(err, client.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// TestScopeEpochs: after a roll, new members search the new epoch only, and former
// members the old epoch only.
func TestScopeEpochs(t *testing.T) {
	c := newConsortium(t)
	ctx := t.Context()
	old := c.seal(t, "before", "word")
	admin := c.as(t, "HospitalA", "custodian", ledger.RoleCustodian)
	epoch, _, err := admin.RollScope(ctx, "consortium", "HospitalA:role=doctor or HospitalC:role=nurse")
	if err != nil || epoch != 2 {
		t.Fatalf("epoch %d, %v", epoch, err)
	}
	fresh := c.seal(t, "after", "word")
	for _, p := range []struct {
		msp, role string
		want      []string
	}{
		{"HospitalA", "doctor", []string{fresh.ID, old.ID}},
		{"HospitalB", "doctor", []string{old.ID}},
		{"HospitalC", "nurse", []string{fresh.ID}},
	} {
		cl := c.as(t, p.msp, "someone", p.role)
		for range 2 { // the second search uses the stored keys
			found, err := cl.Search(ctx, index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
			if err != nil {
				t.Fatalf("%s: %v", p.msp, err)
			}
			got := map[string]bool{}
			for _, h := range found.Hits {
				got[h.ID] = true
			}
			for _, id := range p.want {
				if !got[id] {
					t.Errorf("%s does not find %s", p.msp, id)
				}
			}
			if len(got) != len(p.want) || (len(p.want) < 2) != (len(found.Warnings) > 0) {
				t.Errorf("%s: found %d, warnings %q", p.msp, len(got), found.Warnings)
			}
		}
	}
}

// TestScopeKeysAreRemembered: a second search needs no second access entry. The stored
// keys are not used with another ledger.
func TestScopeKeysAreRemembered(t *testing.T) {
	c := newConsortium(t)
	c.seal(t, "x", "word")
	memory := &recallingMemory{}
	search := func(c *consortium) (client.Results, error) {
		cl, err := client.New(client.Config{Ledger: c.world.As("HospitalB", "doctor", "doctor"), Signer: c.world.As("HospitalB", "doctor", "doctor").Signer(), Blobs: c.blobs, Memory: memory,
			Identities: ids(c.identity(t, "HospitalB/doctor", "HospitalB:role=doctor"))})
		if err != nil {
			t.Fatal(err)
		}
		return cl.Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
	}
	searchWith := func(c *consortium) int {
		t.Helper()
		found, err := search(c)
		if err != nil {
			t.Fatal(err)
		}
		return len(found.Hits)
	}
	for range 3 {
		if n := searchWith(c); n != 1 {
			t.Fatalf("%d hits", n)
		}
	}
	log, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditAccesses(t.Context(), ledger.AccessQuery{Actor: "HospitalB/doctor"})
	if err != nil || len(log.Entries) != 1 {
		t.Errorf("%d access entries for 3 searches, %v", len(log.Entries), err)
	}
	another := newConsortium(t)
	another.seal(t, "x", "word")
	if _, err := search(another); !errors.Is(err, client.ErrTampered) {
		t.Errorf("a ledger with other members: %v", err)
	}
	if err := memory.Store("members.json", []byte("{}")); err != nil { // a person accepts them
		t.Fatal(err)
	}
	if n := searchWith(another); n != 1 {
		t.Errorf("%d hits on another ledger: the old one's scope key was used", n)
	}
}

func TestOddNamesAndEmptyRecords(t *testing.T) {
	c := newConsortium(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	for _, name := range []string{"", "-", "../../etc/passwd", "a\nb\x00c", "\xff\xfe", strings.Repeat("long", 2000), "Müller ♥.txt"} {
		sealed, err := doctor.Seal(t.Context(), client.SealRequest{Sources: []client.Source{text(name, "")}, Policy: doctors})
		if err != nil {
			t.Errorf("%.20q: %v", name, err)
			continue
		}
		var out bytes.Buffer
		o, err := doctor.Open(t.Context(), sealed[0].ID, &out, client.OpenRequest{})
		if err != nil || out.Len() != 0 || o.Size != 0 || o.Name != string([]rune(name)) {
			t.Errorf("%.20q came back as %.20q, %v", name, o.Name, err)
		}
	}
}
