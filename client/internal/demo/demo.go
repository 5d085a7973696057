// Package demo runs Chartseal's main job on a real network, as its users would. It starts
// the programs chartnet and chartseal, and judges them only by their output, their files
// and their exit codes. Each step prints its result and its duration. The first wrong
// result ends the demonstration with an error.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Options name the directories and the output of a run.
type Options struct {
	Bin  string    // directory of the programs
	Dir  string    // the network's directory
	Data string    // directory of records; if empty, the demonstration writes its own below Work
	Work string    // directory for what the demonstration writes
	Out  io.Writer // receives the report
}

// Exit codes of chartseal that the demonstration expects; see docs/exit-codes.md.
const (
	exitDenied   = 4
	exitTampered = 5
)

const (
	doctorA = "doctor@HospitalA"
	doctorB = "doctor@HospitalB"
	nurseC  = "nurse@HospitalC"
	auditor = "auditor@Regulator"

	policy  = "HospitalA:role=doctor or HospitalB:role=doctor"
	keyword = "chartseal-demonstration"
)

// demo is one run.
type demo struct {
	Options
	ctx    context.Context
	files  []sample
	sealed []sealed
	step   int
}

// A sealed is one file in the output of `chartseal seal --json`.
type sealed struct {
	File   string `json:"file"`
	Record string `json:"record"`
	CID    string `json:"cid"`
}

// A row is one hit in the output of `chartseal search --json`.
type row struct {
	Record string `json:"record"`
	Kind   string `json:"kind"`
	Date   string `json:"date"`
	Home   string `json:"home"`
}

// Run runs all steps. It leaves the network running.
func Run(ctx context.Context, o Options) error {
	d := &demo{Options: o, ctx: ctx}
	if err := os.MkdirAll(o.Work, 0o700); err != nil {
		return err
	}
	start := time.Now()
	for _, s := range []struct {
		title string
		run   func() error
	}{
		{"choose the records", d.choose}, // first, because it needs no network
		{"bring up the consortium", d.up},
		{"seal them at HospitalA for the doctors of two hospitals", d.seal},
		{"search at HospitalB, through the chaincode", d.search},
		{"open at HospitalB, byte for byte", d.open},
		{"refuse the nurse at HospitalC", d.refuse},
		{"replace a corrupted block of an IPFS node, and refuse corrupted ones of all", d.corrupt},
		{"stop the whole of HospitalA; the others go on", d.outage},
		{"let the auditor see who did what, and read nothing", d.audit},
	} {
		d.step++
		d.say("\n%d. %s\n", d.step, s.title)
		begin := time.Now()
		if err := s.run(); err != nil {
			return fmt.Errorf("step %d (%s): %w", d.step, s.title, err)
		}
		d.say("   done in %s\n", round(time.Since(begin)))
	}
	d.say("\nAll %d steps went as they should, in %s. The network is still running.\n%s", d.step, round(time.Since(start)), d.goOn())
	return nil
}

// goOn returns commands to try on the network that keeps running.
func (d *demo) goOn() string {
	chartseal, which := filepath.Join(d.Bin, "chartseal"), ""
	if d.Dir != filepath.Join(d.Bin, "network") { // the programs look there by default
		chartseal += " --wallet " + shellWord(filepath.Join(d.Dir, "wallet"))
		which = " DIR=" + shellWord(d.Dir)
	}
	record := d.sealed[0].Record
	return fmt.Sprintf(`
go on:
  %[1]s --user %[2]s search %[3]s
  %[1]s --user %[2]s open %[4]s -o record.out
  %[1]s --user %[5]s audit log --record %[4]s
  make status%[6]s
stop:
  make down%[6]s     (keeps the ledger and the records)
  make clean%[6]s    (throws the network away)
`, chartseal, doctorB, keyword, record, auditor, which)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.Out, format, args...) }

// up starts the network, or finds it running.
func (d *demo) up() error {
	cmd := exec.CommandContext(d.ctx, d.program("chartnet"), "--dir", d.Dir, "--bin", d.Bin, "up")
	cmd.Stdout, cmd.Stderr = d.Out, d.Out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("chartnet up: %w", err)
	}
	return nil
}

func (d *demo) program(name string) string { return filepath.Join(d.Bin, name) }

// A result is the outcome of one call of a program.
type result struct {
	stdout []byte
	stderr string
	code   int
	took   time.Duration
}

// chartseal runs the client as user, and prints the call and its duration.
func (d *demo) chartseal(user string, args ...string) (result, error) {
	full := append([]string{"--wallet", filepath.Join(d.Dir, "wallet"), "--user", user}, args...)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(d.ctx, d.program("chartseal"), full...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run()
	r := result{stdout: stdout.Bytes(), stderr: strings.TrimSpace(stderr.String()), took: time.Since(begin)}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		r.code, err = exit.ExitCode(), nil
	}
	d.say("   $ chartseal --user %s %s   [%s]\n", user, shown(args), round(r.took))
	return r, err
}

// succeed runs the client and demands exit code 0. It decodes the JSON output into v,
// unless v is nil.
func (d *demo) succeed(v any, user string, args ...string) error {
	r, err := d.chartseal(user, args...)
	if err != nil {
		return err
	}
	if r.code != 0 {
		return fmt.Errorf("chartseal exited with %d: %s", r.code, r.stderr)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(r.stdout, v); err != nil {
		return fmt.Errorf("read the answer of chartseal %s: %w", args[0], err)
	}
	return nil
}

// fail runs the client and demands the given exit code, words on stderr and nothing on
// stdout.
func (d *demo) fail(code int, user string, args ...string) error {
	r, err := d.chartseal(user, args...)
	if err != nil {
		return err
	}
	if r.code != code {
		return fmt.Errorf("chartseal exited with %d, expected %d: %s", r.code, code, r.stderr)
	}
	if len(r.stdout) != 0 {
		return fmt.Errorf("a refused call printed %d bytes", len(r.stdout))
	}
	first, _, _ := strings.Cut(r.stderr, "\n")
	d.say("     exit %d: %s\n", r.code, first)
	return nil
}

// shown shortens a command line for display.
func shown(args []string) string {
	var out []string
	files := 0
	for _, a := range args {
		if strings.ContainsRune(a, filepath.Separator) && filepath.IsAbs(a) {
			if files++; files > 2 {
				continue
			}
			a = filepath.Base(a)
		}
		out = append(out, shellWord(a))
	}
	if files > 2 {
		out = append(out, fmt.Sprintf("(and %d more files)", files-2))
	}
	return strings.Join(out, " ")
}

// shellWord quotes a word that a shell would split.
func shellWord(s string) string {
	if strings.ContainsAny(s, " ()") {
		return "'" + s + "'"
	}
	return s
}

func round(d time.Duration) time.Duration {
	if d > 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
