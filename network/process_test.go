package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shellNetwork is a network without servers, for processes made of /bin/sh.
func shellNetwork(t *testing.T) *Network {
	t.Helper()
	n := &Network{dir: t.TempDir(), topology: Default(), state: &state{ID: secret()}}
	t.Cleanup(func() {
		if err := stopProcesses(context.Background(), n.strays()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *Network) shell(kind, script string) *process {
	return &process{organisation: "HospitalA", kind: kind, path: "/bin/sh", args: []string{"-c", script}, dir: n.dir}
}

// awaitWords waits until the last line of a process's log is the given one.
func awaitWords(t *testing.T, n *Network, p *process, want string) {
	t.Helper()
	for n.lastWords(p) != want {
		if n.pid(p) == 0 {
			t.Fatalf("it ended with %q, want %q", n.lastWords(p), want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestParseRecord(t *testing.T) {
	tail := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for _, name := range []string{"sh", "a b", ") S 1 (", "((", "1 2 3"} {
		r, state, err := parseRecord([]byte("42 (" + name + ")" + tail))
		if err != nil || r != (processRecord{42, "4711"}) || state != "S" {
			t.Errorf("%q: %v %q %v", name, r, state, err)
		}
	}
	for _, bad := range []string{"", "42", "42 (sh", "42 (sh) S 1", "x (sh)" + tail, "-1 (sh)" + tail, ")("} {
		if _, _, err := parseRecord([]byte(bad)); !errors.Is(err, errMalformedRecord) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestStartAndStop(t *testing.T) {
	n := shellNetwork(t)
	ctx := t.Context()
	p := n.shell("peer", "echo begun; exec sleep 60")
	if err := n.startAll(ctx, []*process{p}); err != nil {
		t.Fatal(err)
	}
	pid := n.pid(p)
	if pid == 0 {
		t.Fatal("it is not recorded")
	}
	if err := n.startAll(ctx, []*process{p}); err != nil || n.pid(p) != pid {
		t.Errorf("started again: pid %d then %d, %v", pid, n.pid(p), err)
	}
	awaitWords(t, n, p, "begun")
	if err := n.stop(ctx, []*process{p}); err != nil {
		t.Fatal(err)
	}
	if n.pid(p) != 0 || (processRecord{pid: pid}).alive() {
		t.Errorf("process %d is still there", pid)
	}
	if got := n.lastWords(p); got != "begun" {
		t.Errorf("last words %q", got)
	}
	info, err := os.Stat(n.logFile(p))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log has mode %v, %v", info.Mode(), err)
	}
}

func TestDiesWhileStarting(t *testing.T) {
	n := shellNetwork(t)
	p := n.shell("peer", "echo no ledger today >&2; exit 3")
	p.ready = func(context.Context) error { return errors.New("not yet") }
	n.WaitTimeout = time.Hour // what a process that lives would get
	started := time.Now()
	err := n.startAll(t.Context(), []*process{p})
	if err == nil || !strings.Contains(err.Error(), "HospitalA/peer died while starting: no ledger today") {
		t.Errorf("error %v", err)
	}
	if time.Since(started) > time.Minute {
		t.Errorf("noticed after %v", time.Since(started))
	}
}

func TestStopKillsTheDeaf(t *testing.T) {
	n := shellNetwork(t)
	p := n.shell("peer", "trap '' TERM; echo deaf; while :; do sleep 0.1; done")
	if err := n.startAll(t.Context(), []*process{p}); err != nil {
		t.Fatal(err)
	}
	awaitWords(t, n, p, "deaf")
	ctx, cancel := context.WithCancel(t.Context()) // a caller in a hurry: no grace
	cancel()
	if err := n.stop(ctx, []*process{p}); err != nil {
		t.Fatal(err)
	}
	if n.pid(p) != 0 {
		t.Error("it still runs")
	}
}

// A record whose process id now belongs to somebody else is not touched, whatever else is
// the same.
func TestForeignProcessSurvives(t *testing.T) {
	n := shellNetwork(t)
	p := n.shell("peer", "unused")
	for _, c := range []struct {
		name string
		env  []string
		edit func(stat string) string
	}{
		{"another start time", n.environment(), func(stat string) string {
			fields := strings.Fields(stat)
			fields[21] = "1"
			return strings.Join(fields, " ")
		}},
		{"another network", []string{idVariable + "=" + secret()}, func(stat string) string { return stat }},
		{"no network", nil, func(stat string) string { return stat }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command("sleep", "60")
			cmd.Env = append(c.env, "PATH="+os.Getenv("PATH"))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			defer cmd.Process.Kill()
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			if err := writeFile(n.pidFile(p), []byte(c.edit(string(stat)))); err != nil {
				t.Fatal(err)
			}
			if pid := n.pid(p); pid != 0 {
				t.Errorf("took process %d for its own", pid)
			}
			if err := n.stop(t.Context(), []*process{p}); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				t.Errorf("it was stopped: %v", err)
			case <-time.After(50 * time.Millisecond):
			}
		})
	}
}

// A process that lost its record is still the network's, and is found.
func TestStrays(t *testing.T) {
	n := shellNetwork(t)
	p := n.shell("peer", "exec sleep 60")
	if err := n.startAll(t.Context(), []*process{p}); err != nil {
		t.Fatal(err)
	}
	pid := n.pid(p)
	if err := os.Remove(n.pidFile(p)); err != nil {
		t.Fatal(err)
	}
	if err := n.down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.owns(pid) {
		t.Errorf("process %d runs on", pid)
	}
}

func TestClaimDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := claimDirectory(filepath.Join(dir, "new", "deeper")); err != nil {
		t.Errorf("new directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := claimDirectory(dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("somebody's directory: %v", err)
	}
	half := t.TempDir() // what an Up leaves that was killed at its first words
	for _, name := range []string{newPrefix + "12", lockName} {
		err := os.WriteFile(filepath.Join(half, name), nil, 0o600)
		if claimErr := claimDirectory(half); err != nil || (claimErr == nil) != (name == lockName) {
			t.Errorf("with %s: %v, %v", name, err, claimErr)
		}
	}
	if _, err := Open(dir); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("open somebody's directory: %v", err)
	}
}

func TestLockNetwork(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockNetwork(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockNetwork(dir, 0); err == nil || !strings.Contains(err.Error(), "another command") {
		t.Errorf("second lock: %v", err)
	}
	unlock()
	unlock, err = lockNetwork(dir, 0)
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	unlock()
}
