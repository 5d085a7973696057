package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/wallet"
	"github.com/chartseal/chartseal/client/wallet/wallettest"
)

// A command that leaves an entry behind leaves one process that waits to write it. The
// process has none of the command's secrets, and ends with the wallet.
func TestACommandLeavesAProcessThatWaits(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CHARTSEAL_SECRET", "secret")
	dir := filepath.Join(t.TempDir(), "wallet")
	if err := errors.Join(os.Mkdir(dir, 0o700), wallettest.Enrol(dir, "doctor@HospitalA", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir)) // the wallet may be named by a relative path
	w, err := wallet.Open("wallet")
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.User("doctor@HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	box, err := u.Outbox()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	a := &app{exe: program, stderr: &stderr}
	if a.attend(box, u) {
		t.Error("a process waits for nothing")
	}
	entries, err := index.ScopeKey{1}.Pend([]index.Item{{Term: index.WordTerm("a"), Posting: index.Posting{Record: [16]byte{1}, Version: 1, Op: index.Add, Kind: "text", First: index.NoDay, Last: index.NoDay}}})
	j := &outbox.Job{Records: []outbox.Record{{ID: "01", Version: 1}}, Entries: entries}
	if err := errors.Join(err, box.Prepare(j), box.Registered(j.ID)); err != nil {
		t.Fatal(err)
	}
	a.settings.Foreground = true
	if a.attend(box, u) {
		t.Error("a process waits that nobody wants")
	}
	a.settings.Foreground = false
	for range 3 { // the others find the first one
		if !a.attend(box, u) {
			t.Fatalf("no process waits: %s", &stderr)
		}
	}
	waiting := processesOf(t, dir)
	if len(waiting) != 1 {
		t.Fatalf("%d processes wait: %q", len(waiting), waiting)
	}
	for pid, environment := range waiting {
		if strings.Contains(environment, "secret") {
			t.Errorf("process %s has the secret of the command", pid)
		}
	}
	if err := box.Drop(j.ID); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(time.Minute); len(processesOf(t, dir)) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the process outlives the wallet")
		}
	}

	// A process that cannot begin is no promise.
	a = &app{exe: filepath.Join(t.TempDir(), "chartseal"), stderr: &stderr}
	box, err = outbox.Open(t.TempDir())
	if err := errors.Join(err, box.Prepare(j), box.Registered(j.ID)); err != nil {
		t.Fatal(err)
	}
	if a.attend(box, u) || !strings.Contains(stderr.String(), "no process could be started") {
		t.Errorf("a process that does not exist waits: %s", &stderr)
	}
}

// processesOf returns the environments of the processes that wait for a wallet, by their
// ids.
func processesOf(t *testing.T, wallet string) map[string]string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(line), "--wait\x00") || !strings.Contains(string(line), wallet) {
			continue
		}
		environment, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		out[filepath.Base(filepath.Dir(path))] = string(environment)
	}
	return out
}
