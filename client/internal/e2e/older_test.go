package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOlderWallet: a doctor's disk is lost and restored from a copy of the day before.
// What the doctor has sealed meanwhile is not sealed again by the same import, and all of
// it is found by its words exactly once.
func TestOlderWallet(t *testing.T) {
	lost := freshWallet(t, doctorA, "HospitalB")
	restored := freshWallet(t, doctorA, "HospitalB")
	run := func(wallet string, args ...string) result {
		t.Helper()
		return expect(t, exitDone, doctorA, append(args, "--wallet", wallet)...)
	}
	once := func(word string, want int) {
		t.Helper()
		level(t)
		ids := found(t, doctorB, word)
		seen := make(map[string]bool)
		for _, id := range ids {
			seen[id] = true
		}
		if len(ids) != want || len(seen) != want {
			t.Errorf("%s finds %d records, %d different ones; want %d", word, len(ids), len(seen), want)
		}
	}
	dir := t.TempDir()
	for i := range 5 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.txt", i)), fmt.Appendf(nil, "imported note %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules := write(t, "rules.yaml", []byte("rules:\n  - policy: "+twoDoctors+"\n    keywords: [olderimport]\n"))
	importing := []string{"import", dir, "--policy-file", rules, "--json"}
	killImport(t, lost, importing)
	run(lost, "seal", write(t, "later.txt", []byte("sealed later")), "--policy", twoDoctors, "--index", "batched", "--keyword", "olderlater")
	once("olderlater", 0)
	if err := os.RemoveAll(lost); err != nil {
		t.Fatal(err)
	}

	r := run(restored, importing...)
	var sum struct{ Sealed, Indexed, Before int }
	if err := json.Unmarshal([]byte(r.stdout), &sum); err != nil || sum.Sealed != 0 || sum.Before != 5 {
		t.Errorf("imported again: %+v, %v\n%s", sum, err, r.stdout)
	}
	t.Logf("%+v", sum)
	once("olderimport", 5)
	once("olderlater", 0)
	t.Log(run(restored, "index", "rebuild").stderr)
	once("olderlater", 1)
	once("olderimport", 5)

	// The restored disk is damaged too.
	run(restored, "seal", write(t, "one.txt", []byte("one")), "--policy", twoDoctors, "--index", "batched", "--keyword", "olderdamaged")
	run(restored, "seal", write(t, "two.txt", []byte("two")), "--policy", twoDoctors, "--index", "batched", "--keyword", "olderdamaged")
	log := filepath.Join(restored, doctorA, "state", "outbox", "log")
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/3] ^= 0x10
	if err := os.WriteFile(log, content, 0o600); err != nil {
		t.Fatal(err)
	}
	r = run(restored, "seal", write(t, "three.txt", []byte("three")), "--policy", twoDoctors, "--index", "batched", "--keyword", "olderdamaged")
	if !strings.Contains(r.stderr, "log.damaged-") || !strings.Contains(r.stderr, "index rebuild") {
		t.Errorf("the damaged outbox is not named: %s", r.stderr)
	}
	run(restored, "index", "rebuild")
	once("olderdamaged", 3)
	if r = run(restored, "index", "status"); strings.Contains(r.stderr, "damaged") {
		t.Errorf("still named: %s", r.stderr)
	}
}

// killImport runs an import and kills it as soon as records are sealed, before their
// index entries are written.
func killImport(t *testing.T, wallet string, args []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(consortium.Programs(), "chartseal"),
		append([]string{"--wallet", wallet, "--user", doctorA}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		journals, err := filepath.Glob(filepath.Join(wallet, doctorA, "state", "import", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range journals {
			if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte("\nrecord ")) {
				return
			}
		}
	}
	t.Error("the import seals nothing")
}
