package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

// An exportedRow is a row of an export of many records.
type exportedRow struct {
	Record, Access, Envelope, Payload, File string
	Data                                    []byte
}

func exportedRows(t *testing.T, file string) []exportedRow {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []exportedRow
	for line := range strings.Lines(string(text)) {
		var r exportedRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("row %q: %v", line, err)
		}
		rows = append(rows, r)
	}
	return rows
}

// TestChart exports the chart of a patient, killed with SIGKILL several times, and opens
// the age files with the patient's key. Every record is there once, with its own access
// entry.
func TestChart(t *testing.T) {
	const n = 40
	patient, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	name := "chart" + randomText(8)
	var files []string
	for i := range n {
		files = append(files, write(t, fmt.Sprintf("%s-%d.txt", name, i), fmt.Appendf(nil, "entry %d of %s", i, name)))
	}
	half := []string{"--patient", name, "--patient-key", patient.Recipient().String()}
	seal(t, doctorA, append(slices.Concat(half, []string{"--policy", twoDoctors}), files[:n/2]...)...)
	seal(t, doctorA, append(slices.Concat(half, []string{"--policy", "HospitalA:role=doctor"}), files[n/2:]...)...)
	want := found(t, doctorB, "patient:"+name)
	if len(want) != n {
		t.Fatalf("%d records are found", len(want))
	}

	dir := filepath.Join(t.TempDir(), "chart")
	rowFile := filepath.Join(dir, "records.ndjson")
	args := []string{"export", "--all", "--patient", name, "--to", dir, "--patient-key", patient.Recipient().String(), "--json"}
	kills := 0
	for before := int64(-1); kills < 4; kills++ {
		cmd := exec.CommandContext(t.Context(), filepath.Join(consortium.Programs(), "chartseal"),
			append([]string{"--wallet", consortium.Wallet(), "--user", doctorB}, args...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(time.Millisecond) {
			if info, err := os.Stat(rowFile); err == nil && info.Size() > before {
				before = info.Size()
				break
			}
		}
		cmd.Process.Kill()
		if cmd.Wait() == nil {
			break
		}
	}
	var sum struct{ Found, Before, Exported, Refused int }
	if err := json.Unmarshal([]byte(expect(t, exitDone, doctorB, args...).stdout), &sum); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills, %+v", kills, sum)
	if sum.Found != n || sum.Before+sum.Exported != n || sum.Before == 0 || sum.Refused != 0 {
		t.Errorf("%+v", sum)
	}
	rows := exportedRows(t, rowFile)
	var got []string
	accesses := map[string]bool{}
	for _, r := range rows {
		got = append(got, r.Record)
		accesses[r.Access] = true
		content := decrypted(t, filepath.Join(dir, r.Envelope), patient)
		if !bytes.Contains(content, []byte("AGE-PLUGIN-CHARTSEAL-")) && !bytes.Contains(content, []byte(r.Record)) {
			t.Errorf("the envelope of %s holds %.80q", r.Record, content)
		}
		if info, err := os.Stat(filepath.Join(dir, r.Payload)); err != nil || info.Size() == 0 {
			t.Errorf("the payload of %s: %v", r.Record, err)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(accesses) != n {
		t.Errorf("%d rows with %d access entries, want %d", len(rows), len(accesses), n)
	}
	log := expect(t, exitDone, auditor, "audit", "log", "--json").stdout
	for id := range accesses {
		if !strings.Contains(log, id) {
			t.Errorf("the ledger has no access entry %s", id)
		}
	}
	if page := decrypted(t, filepath.Join(dir, "index.html.age"), patient); bytes.Count(page, []byte(".envelope.age\"")) != n {
		t.Errorf("the page is %s", page)
	}

	// Opened, a person gets what the policies give them.
	for user, open := range map[string]int{doctorA: n, doctorB: n / 2} {
		file := filepath.Join(t.TempDir(), "lines.ndjson")
		r := expect(t, exitDone, user, "export", "--all", "patient:"+name, "--ndjson", file, "--purpose", "TREAT")
		rows := exportedRows(t, file)
		if len(rows) != open || (open < n) != strings.Contains(r.stderr, fmt.Sprintf("%d records were left out", n-open)) {
			t.Errorf("%s: %d records\n%s", user, len(rows), r.stderr)
		}
		for _, row := range rows {
			if !strings.Contains(string(row.Data), " of "+name) {
				t.Errorf("%s: record %s is %q", user, row.Record, row.Data)
			}
		}
	}
}

// decrypted returns the content of an age file.
func decrypted(t *testing.T, file string, id age.Identity) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := age.Decrypt(f, id)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(file), err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
