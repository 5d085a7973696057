package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/index/indextest"
)

// An importResult is the output of import --json.
type importResult struct {
	Sealed, Before, Failed, Skipped, Entries int
	Problems                                 []struct{ File, Reason string }
}

func importResultOf(t *testing.T, r result) importResult {
	t.Helper()
	var out importResult
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("import --json printed %q: %v", r.stdout, err)
	}
	return out
}

// ruleFile writes a rule that gives the two doctors access to everything and adds a
// keyword.
func ruleFile(t *testing.T, keyword string) string {
	return write(t, "rules.yaml", fmt.Appendf(nil, "rules:\n- {policy: %s, keywords: [%s]}\n", twoDoctors, keyword))
}

// TestImportKilled repeatedly kills an import with SIGKILL and starts it again. In the
// end no record is lost or duplicated.
func TestImportKilled(t *testing.T) {
	n, most := 600, 6
	if testing.Short() {
		n, most = 200, 3
	}
	word := "killed" + strings.ToLower(randomText(8))
	var lines strings.Builder
	want := make(map[string]bool)
	for i := range n {
		line := fmt.Sprintf(`{"resourceType":"Observation","id":"%s-%d","subject":{"reference":"Patient/%s"},"effectiveDateTime":"2020-02-%02d"}`, word, i, word, i%28+1)
		want[line] = true
		lines.WriteString(line + "\n")
	}
	began := time.Now().UTC().Format(time.RFC3339Nano)
	export := write(t, "Observation.ndjson", []byte(lines.String()))
	report := filepath.Join(t.TempDir(), "report")
	args := []string{"--wallet", consortium.Wallet(), "--user", doctorA, "import", export, "--policy-file", ruleFile(t, word), "--report", report, "--json"}
	kills := 0
	for ; kills < most; kills++ {
		cmd := exec.CommandContext(t.Context(), filepath.Join(consortium.Programs(), "chartseal"), args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if kills%2 == 1 { // every other time, only after another record was sealed
			awaitGrowth(report, ended)
		}
		time.Sleep(time.Duration(rand.IntN(600)) * time.Millisecond)
		cmd.Process.Kill()
		if err := <-ended; err == nil {
			break // it finished before the kill
		}
	}
	r := importResultOf(t, expect(t, exitDone, doctorA, args[4:]...))
	if r.Sealed+r.Before != n || r.Failed != 0 {
		t.Errorf("after %d kills: %+v", kills, r)
	}
	if r.Before == 0 {
		t.Errorf("%d kills, and each came before anything was sealed", kills)
	}
	t.Logf("%d kills, %d of %d left for the last run", kills, r.Sealed, n)

	ids := found(t, doctorB, word, "--limit", "1000")
	slices.Sort(ids)
	if unique := len(slices.Compact(slices.Clone(ids))); len(ids) != n || unique != n {
		t.Fatalf("%d records are found, %d different ones, want %d", len(ids), unique, n)
	}
	// Every record is in the report. The report is written before the journal marks the
	// record as done.
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if !strings.Contains(string(text), id) {
			t.Errorf("record %s is in no line of the report", id)
		}
	}
	// The auditor counts all records on the ledger, also those that no search finds.
	on := expect(t, exitDone, auditor, "audit", "records", "--since", began, "--json").stdout
	if got := strings.Count(on, `"record"`); got != n {
		t.Errorf("%d records are on the ledger, want %d", got, n)
	}
	// A sample of records equals its source, and no line is duplicated.
	for _, id := range ids[:12] {
		out := expect(t, exitDone, doctorB, "open", id).stdout
		if !want[out] {
			t.Errorf("record %s is %q, which was not imported or is there twice", id, out)
		}
		delete(want, out)
	}
	again := importResultOf(t, expect(t, exitDone, doctorA, args[4:]...))
	if again.Sealed != 0 || again.Before != n {
		t.Errorf("once more: %+v", again)
	}
}

// awaitGrowth waits until a file grows or a process ends. It puts the process's result
// back into the channel.
func awaitGrowth(path string, ended chan error) {
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for before := size(); size() <= before; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			return
		default:
		}
	}
}

// TestImportAnswers imports records on the real network and searches the index at another
// hospital. The results equal those of a plain scan.
func TestImportAnswers(t *testing.T) {
	dir := "../../importer/testdata/records"
	if files, err := filepath.Glob("../../../../shared/data/fhir/[A-C]*.json"); err == nil && len(files) > 0 {
		dir = t.TempDir()
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) < 600<<10 && (!testing.Short() || len(text) < 300<<10) { // each file becomes some hundred records
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// The test has a scope of its own, so that it finds no records of other tests.
	scope := "answers-" + strings.ToLower(randomText(6))
	expect(t, exitDone, "custodian@HospitalA", "scope", "create", scope, "--policy", twoDoctors)
	report := filepath.Join(t.TempDir(), "report")
	sum := importResultOf(t, expect(t, exitDone, doctorA, "import", dir, "--split", "--policy", twoDoctors, "--scope", scope, "--report", report, "--json"))
	if sum.Failed > 0 || sum.Sealed < 10 {
		t.Fatalf("%+v", sum)
	}
	docs := make(map[string]emr.Document)
	for id, content := range contents(t, dir, report) {
		d, err := emr.Extract(t.Context(), strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		docs[id] = d
	}
	if len(docs) != sum.Sealed {
		t.Fatalf("%d rows for %d records", len(docs), sum.Sealed)
	}
	indextest.ResolvePatients(docs)
	questions, answered := 40, 0
	if testing.Short() {
		questions = 10
	}
	for _, q := range indextest.Questions(docs, questions, 9) {
		want := q.Answer(docs)
		got := found(t, doctorB, q.Query, "--scope", scope, "--limit", "5000")
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d records, want %d", q.Query, len(got), len(want))
		}
		if len(want) > 0 {
			answered++
		}
	}
	t.Logf("%d records, %d keywords, %d of %d questions with an answer", sum.Sealed, sum.Entries, answered, questions)
}

// contents returns the source text of each record in the report. It cuts the text out of
// the file independently of the importer.
func contents(t *testing.T, dir, report string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	parts := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		var row struct {
			File, Record string
			Part         int
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if row.Record == "" {
			continue
		}
		file, err := os.ReadFile(filepath.Join(dir, row.File))
		if err != nil {
			t.Fatal(err)
		}
		if row.Part == 0 {
			out[row.Record] = string(file)
			continue
		}
		if parts[row.File] == nil {
			parts[row.File] = cut(row.File, file)
		}
		out[row.Record] = parts[row.File][row.Part-1]
	}
	return out
}

func cut(name string, file []byte) []string {
	var out []string
	if strings.HasSuffix(name, ".ndjson") {
		return strings.Split(strings.TrimSpace(string(file)), "\n")
	}
	var bundle struct {
		Entry []struct{ Resource json.RawMessage }
	}
	json.Unmarshal(file, &bundle)
	for _, e := range bundle.Entry {
		out = append(out, string(e.Resource))
	}
	return out
}

func randomText(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}
