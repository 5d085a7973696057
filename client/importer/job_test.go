package importer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/importer"
)

// byLabel gives rows by file and part.
func byLabel(rows []importer.Row) map[string]importer.Row {
	m := make(map[string]importer.Row)
	for _, r := range rows {
		label := r.File
		if r.Part > 0 {
			label += fmt.Sprint("#", r.Part)
		}
		m[label] = r
	}
	return m
}

// TestOddFiles: what is no record, or cannot be read, has a row with the reason, and the
// rest is sealed.
func TestOddFiles(t *testing.T) {
	h := newHospital(t)
	odd := "ünïcode ☃ \t\n\"quoted\" -x"
	dir := tree(t, map[string]string{"a/plain.txt": "plain", "a/" + odd: "odd", "a/\xff\xfe": "not text", "empty": "", "a/b/c/deep.txt": "deep", "grows.txt": "grows"})
	check(t, os.Symlink(filepath.Join(dir, "a/plain.txt"), filepath.Join(dir, "link")))
	check(t, os.Symlink(dir, filepath.Join(dir, "a/loop")))
	check(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	var rows []importer.Row
	j := h.job(t, dir, one(t, importer.Rule{Policy: doctors, Keywords: []string{"all"}}), &rows)
	// The file grows after it was inspected and before it is sealed.
	var once atomic.Bool
	h.world.Fail = func(transaction string) error {
		if transaction == ledger.AuthorityKeys && !once.Swap(true) {
			check(t, os.WriteFile(filepath.Join(dir, "grows.txt"), []byte("grows and grows"), 0o600))
		}
		return nil
	}
	sum := run(t, j)
	if sum.Sealed != 5 || sum.Failed != 1 || sum.Skipped != 3 {
		t.Errorf("%+v", sum)
	}
	got := byLabel(rows)
	for label, want := range map[string]string{
		"a/plain.txt": "", "a/" + odd: "", "a/\xff\xfe": "", "empty": "", "a/b/c/deep.txt": "",
		"link": "symbolic link", "a/loop": "symbolic link", "pipe": "not a regular file", "grows.txt": "changed while it was read",
	} {
		row, ok := got[label]
		if !ok || !strings.Contains(row.Reason, want) || (row.Record != "") != (want == "") {
			t.Errorf("%q: %+v", label, row)
		}
	}
	if got := h.contents(t); !slices.Equal(got, []string{"", "deep", "not text", "odd", "plain"}) {
		t.Errorf("sealed %q", got)
	}
	// The next run has only what failed left to do.
	if sum := run(t, h.job(t, dir, one(t, importer.Rule{Policy: doctors}), nil)); sum.Sealed != 1 || sum.Before != 5 || sum.Failed != 0 {
		t.Errorf("again: %+v", sum)
	}
}

// TestChangesUnderTheReader: content that changes without a change of size or time is
// noticed too.
func TestChangesUnderTheReader(t *testing.T) {
	h := newHospital(t)
	dir := tree(t, map[string]string{"a.txt": "before"})
	path := filepath.Join(dir, "a.txt")
	when := time.Now().Add(-time.Hour)
	check(t, os.Chtimes(path, when, when))
	var rows []importer.Row
	j := h.job(t, dir, one(t, importer.Rule{Policy: doctors}), &rows)
	h.world.Fail = func(transaction string) error {
		if transaction == ledger.AuthorityKeys {
			check(t, os.WriteFile(path, []byte("behind"), 0o600))
			check(t, os.Chtimes(path, when, when))
		}
		return nil
	}
	if sum := run(t, j); sum.Failed != 1 || sum.Sealed != 0 || !strings.Contains(rows[0].Reason, "changed while") {
		t.Errorf("%+v %+v", sum, rows)
	}
}

const bundle = `{"resourceType":"Bundle","type":"transaction","entry":[
 {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"p1","birthDate":"1970-01-01"}},
 {"resource":{"resourceType":"Condition","subject":{"reference":"urn:uuid:p1"},"code":{"coding":[{"system":"http://snomed.info/sct","code":"44054006"}]}}},
 {"request":{"method":"DELETE","url":"Patient/2"}}]}`

// TestSplit: bundles are taken apart, alone and in lines, and everything else stays
// whole.
func TestSplit(t *testing.T) {
	h := newHospital(t)
	line := strings.ReplaceAll(bundle, "\n", "")
	dir := tree(t, map[string]string{"b.json": bundle, "c.ndjson": line + "\n{\"resourceType\":\"Patient\",\"id\":\"p9\"}\nbroken{\n", "bad.json": bundle[:len(bundle)-3]})
	var rows []importer.Row
	j := h.job(t, dir, one(t, importer.Rule{Policy: doctors}), &rows)
	j.Split = true
	sum := run(t, j)
	got := byLabel(rows)
	if sum.Sealed != 2+2+1+1+1 || sum.Failed != 0 || sum.Skipped != 2 {
		t.Errorf("%+v", sum)
	}
	for label, kind := range map[string]string{"b.json#1": "fhir:Patient", "b.json#2": "fhir:Condition", "c.ndjson#2": "fhir:Condition", "c.ndjson#3": "fhir:Patient",
		"c.ndjson#4": "text", "bad.json": "fhir:Bundle"} {
		if got[label].Kind != kind {
			t.Errorf("%s: %+v, want %s", label, got[label], kind)
		}
	}
	if w := got["bad.json"].Warnings; len(w) == 0 || !strings.Contains(w[0], "sealed whole") {
		t.Errorf("bad.json: %q", w)
	}
	if !strings.Contains(got["b.json"].Reason, "1 entries of the bundle have no resource") {
		t.Errorf("%+v", got["b.json"])
	}
	if ids := h.found(t, "patient:p1 and snomed:44054006 and kind:Condition"); len(ids) != 2 {
		t.Errorf("found %q", ids)
	}
}

// TestRulesDecide: each record gets what the first rule that matches says.
func TestRulesDecide(t *testing.T) {
	h := newHospital(t)
	rules, err := importer.ParseRules([]byte(`
rules:
  - name: restricted
    match: {confidentiality: [R, V]}
    policy: HospitalA:role=nurse
    no-index: true
  - match: {code: "icd10:I2", path: "cardio/**"}
    policy: HospitalA:role=doctor
    keywords: [heart]
  - name: hl7
    match: {kind: "hl7v2:*"}
    policy: HospitalA:role=doctor and HospitalA:role=nurse
`))
	check(t, err)
	dir := tree(t, map[string]string{
		"r.json":        `{"resourceType":"Basic","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}}`,
		"cardio/i.json": `{"resourceType":"Condition","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I21.4"}]}}`,
		"i.json":        `{"resourceType":"Condition","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I21.4"}]}}`,
		"m.hl7":         "MSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.5\rPID|1||77\r",
	})
	var rows, plan []importer.Row
	j := h.job(t, dir, rules, &rows)
	planned := *j
	planned.Client, planned.Ledger, planned.Journal = nil, nil, nil
	planned.Report = func(r importer.Row) error { plan = append(plan, r); return nil }
	if sum, err := planned.Plan(t.Context()); err != nil || sum.Sealed != 3 || sum.Failed != 1 {
		t.Errorf("plan: %+v, %v", sum, err)
	}
	if sum := run(t, j); sum.Sealed != 3 || sum.Failed != 1 {
		t.Errorf("%+v", sum)
	}
	for i, got := range []map[string]importer.Row{byLabel(plan), byLabel(rows)} {
		for label, want := range map[string][3]string{
			"r.json": {"restricted", nurses, ""}, "cardio/i.json": {"rule 2", doctors, "consortium"},
			"m.hl7": {"hl7", "HospitalA:role=doctor and HospitalA:role=nurse", "consortium"}, "i.json": {"", "", ""},
		} {
			if r := got[label]; r.Rule != want[0] || r.Policy != want[1] || r.Scope != want[2] {
				t.Errorf("%d %s: %+v, want %q", i, label, r, want)
			}
		}
		if !strings.Contains(got["i.json"].Reason, "no rule matches") {
			t.Errorf("%+v", got["i.json"])
		}
	}
	if ids := h.found(t, "heart"); len(ids) != 1 || ids[0] != byLabel(rows)["cardio/i.json"].Record {
		t.Errorf("found %q", ids)
	}
}

// TestOneBadRecord: of a batch that is refused because of one record, the others are
// sealed.
func TestOneBadRecord(t *testing.T) {
	h := newHospital(t)
	files := make(map[string]string)
	for i := range 25 {
		files[fmt.Sprintf("%02d.txt", i)] = fmt.Sprint("content ", i)
	}
	dir := tree(t, files)
	var rows []importer.Row
	j := h.job(t, dir, one(t, importer.Rule{Policy: doctors}), &rows)
	j.Client = sealer(func(ctx context.Context, r client.SealRequest) ([]client.Sealed, error) {
		for _, s := range r.Sources {
			if s.Name == "13.txt" {
				return nil, errors.New("the envelope is too large")
			}
		}
		return h.client(t).Seal(ctx, r)
	})
	if sum := run(t, j); sum.Sealed != 24 || sum.Failed != 1 || byLabel(rows)["13.txt"].Reason != "the envelope is too large" {
		t.Errorf("%+v %+v", sum, byLabel(rows)["13.txt"])
	}
}

type sealer func(context.Context, client.SealRequest) ([]client.Sealed, error)

func (s sealer) Seal(ctx context.Context, r client.SealRequest) ([]client.Sealed, error) {
	return s(ctx, r)
}

// TestBrokenRule: an attribute that nobody has published fails the records of its rule,
// and those only.
func TestBrokenRule(t *testing.T) {
	h := newHospital(t)
	rules, err := importer.ParseRules([]byte("rules:\n- {match: {path: x/*}, policy: HospitalA:role=ghost}\n- {policy: HospitalA:role=doctor}\n"))
	check(t, err)
	var rows []importer.Row
	dir := tree(t, map[string]string{"x/1": "1", "x/2": "2", "y": "3"})
	if sum := run(t, h.job(t, dir, rules, &rows)); sum.Sealed != 1 || sum.Failed != 2 || !strings.Contains(byLabel(rows)["x/1"].Reason, "role=ghost") {
		t.Errorf("%+v %+v", sum, rows)
	}
}

// TestServiceAway: a service that does not answer is waited for; one that stays away ends
// the job, which can be run again.
func TestServiceAway(t *testing.T) {
	for away, ends := range map[int]bool{3: false, 1000: true} {
		h := newHospital(t)
		dir := tree(t, map[string]string{"a": "1", "b": "2"})
		j := h.job(t, dir, one(t, importer.Rule{Policy: doctors}), nil)
		calls := 0
		h.world.Fail = func(transaction string) error {
			if transaction == ledger.RecordCreate {
				if calls++; calls <= away {
					return ledger.Errorf(ledger.ErrUnavailable, "nobody home")
				}
			}
			return nil
		}
		sum, err := j.Run(t.Context())
		if ends && !errors.Is(err, ledger.ErrUnavailable) || !ends && (err != nil || sum.Sealed != 2) {
			t.Errorf("%d calls fail: %+v, %v", away, sum, err)
		}
		j.Journal.Close()
		h.world.Fail = nil
		if sum := run(t, h.job(t, dir, one(t, importer.Rule{Policy: doctors}), nil)); sum.Before+sum.Sealed != 2 {
			t.Errorf("again: %+v", sum)
		}
	}
}

// TestOtherLedger: marks that were made on one ledger are not believed on another.
func TestOtherLedger(t *testing.T) {
	h, other := newHospital(t), newHospital(t)
	dir := tree(t, map[string]string{"a": "1"})
	rules := one(t, importer.Rule{Policy: doctors})
	run(t, h.job(t, dir, rules, nil))
	other.journal = h.journal
	if _, err := other.job(t, dir, rules, nil).Run(t.Context()); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	for _, header := range []importer.Header{{Actor: "HospitalA/doctor", Source: "/elsewhere"}, {Actor: "HospitalB/doctor", Source: dir},
		{Actor: "HospitalA/doctor", Source: dir, Split: true}} {
		if j, err := importer.OpenJournal(filepath.Join(t.TempDir(), "x"), header); err != nil {
			t.Error(err)
		} else {
			j.Close()
		}
		if _, err := importer.OpenJournal(h.journal, header); !errors.Is(err, ledger.ErrInvalid) && !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("%+v: %v", header, err)
		}
	}
}

// TestManyLines: memory does not grow with what is imported. The records are not sealed
// here, which has no part in it.
func TestManyLines(t *testing.T) {
	lines, most := 100000, uint64(64<<20)
	if testing.Short() {
		lines, most = 5000, 24<<20
	}
	h := newHospital(t)
	path := filepath.Join(t.TempDir(), "big.ndjson")
	f, err := os.Create(path)
	check(t, err)
	line := []byte(`{"resourceType":"Observation","id":"x","valueString":"abc"}` + "\n")
	check(t, third(f.Write(slices.Repeat(line, lines))))
	check(t, f.Close())
	count := atomic.Int64{}
	j := h.job(t, path, one(t, importer.Rule{Policy: doctors}), nil)
	j.Flush = nil
	var peak uint64
	j.Client = sealer(func(_ context.Context, r client.SealRequest) ([]client.Sealed, error) {
		var out []client.Sealed
		for _, s := range r.Sources {
			out = append(out, client.Sealed{ID: s.ID})
		}
		if n := count.Add(int64(len(out))); n%1000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
		return out, nil
	})
	if sum := run(t, j); sum.Sealed != lines {
		t.Errorf("%+v", sum)
	}
	if peak > most {
		t.Errorf("%d MiB of heap in use", peak>>20)
	}
	again := h.job(t, path, one(t, importer.Rule{Policy: doctors}), nil)
	again.Ledger = registry{}
	if sum := run(t, again); sum.Before != lines || sum.Sealed != 0 {
		t.Errorf("again: %+v", sum)
	}
}

func third(_ int, err error) error { return err } // of a Write

// registry has every record.
type registry struct{}

func (registry) Records(_ context.Context, ids []string) ([]ledger.Record, error) {
	return make([]ledger.Record, len(ids)), nil
}
