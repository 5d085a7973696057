package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/network"
)

// The network's people.
const (
	doctorA = "doctor@HospitalA"
	doctorB = "doctor@HospitalB"
	nurseC  = "nurse@HospitalC"
	auditor = "auditor@Regulator"

	twoDoctors = "HospitalA:role=doctor or HospitalB:role=doctor"
)

// Exit codes of chartseal, see docs/exit-codes.md.
const (
	exitDone        = 0
	exitOther       = 1
	exitNotFound    = 3
	exitDenied      = 4
	exitTampered    = 5
	exitUnavailable = 6
)

// A result is the outcome of one run of chartseal.
type result struct {
	code           int
	stdout, stderr string
	memory         int64 // greatest resident size in bytes
}

// chartseal runs the program as a user of the network.
func chartseal(t *testing.T, user string, args ...string) result {
	t.Helper()
	return start(t, nil, user, args...)
}

func start(t *testing.T, stdin *os.File, user string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(consortium.Programs(), "chartseal"),
		append([]string{"--wallet", consortium.Wallet(), "--user", user}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=")
	if err := cmd.Start(); err != nil {
		t.Fatalf("run chartseal: %v", err)
	}
	memory := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run chartseal: %v", err)
	}
	return result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), memory: <-memory}
}

// watchMemory returns a process's peak resident size after the process has ended. The
// rusage of a child would be wrong: until the child executes chartseal, it shares the
// memory of the test program.
func watchMemory(pid int) <-chan int64 {
	result := make(chan int64, 1)
	go func() {
		var greatest int64
		for {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, line, found := strings.Cut(string(status), "VmHWM:")
			if err != nil || !found { // the process has ended; a zombie has no memory
				result <- greatest
				return
			}
			var kib int64
			if _, err := fmt.Sscanf(line, "%d kB", &kib); err == nil {
				greatest = max(greatest, kib<<10)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return result
}

// expect runs the program and checks its exit code.
func expect(t *testing.T, code int, user string, args ...string) result {
	t.Helper()
	r := chartseal(t, user, args...)
	if r.code != code {
		t.Fatalf("chartseal --user %s %q: exit code %d, want %d\n%s%s", user, args, r.code, code, r.stdout, r.stderr)
	}
	return r
}

// A sealed is one row of seal --json.
type sealed struct {
	File   string `json:"file"`
	Record string `json:"record"`
	CID    string `json:"cid"`
}

// level waits until all running peers have the same blocks. A command ends when one peer
// has committed its transaction; a busy machine may delay the others.
func level(t *testing.T) {
	t.Helper()
	if err := awaitLevel(t.Context(), consortium); err != nil {
		t.Fatal(err)
	}
}

func awaitLevel(ctx context.Context, n *network.Network) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		heights := make(map[string]uint64)
		different := make(map[uint64]bool)
		for _, s := range n.Status(ctx) {
			if s.Process == "peer" && s.PID != 0 {
				heights[s.Organisation] = s.Height
				different[s.Height] = true
			}
		}
		if len(different) == 1 && !different[0] {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the peers do not come to the same height: %v", heights)
		}
	}
}

// seal seals files and waits until every peer has the records. It returns a row for each
// file.
func seal(t *testing.T, user string, args ...string) []sealed {
	t.Helper()
	r := expect(t, exitDone, user, append([]string{"seal", "--json"}, args...)...)
	var rows []sealed
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
		t.Fatalf("seal --json printed %q: %v", r.stdout, err)
	}
	level(t)
	return rows
}

// found returns the record ids of a search.
func found(t *testing.T, user string, query ...string) []string {
	t.Helper()
	r := expect(t, exitDone, user, append([]string{"search", "--json"}, query...)...)
	var rows []struct {
		Record string `json:"record"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
		t.Fatalf("search --json printed %q: %v", r.stdout, err)
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.Record
	}
	return ids
}

// write makes a file in a directory of the test.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// opens checks that a user can open the record and gets exactly want.
func opens(t *testing.T, user, record string, want []byte) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	expect(t, exitDone, user, "open", record, "-o", out)
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s opened %d bytes that differ from the %d bytes sealed", user, len(got), len(want))
	}
}

// absent checks that a refused call left no file at path.
func absent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s was left behind", path)
	}
}
