package demo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// seal seals every chosen record in one call.
func (d *demo) seal() error {
	args := []string{"seal", "--json", "--policy", policy, "--keyword", keyword}
	for _, f := range d.files {
		args = append(args, f.path)
	}
	if err := d.succeed(&d.sealed, doctorA, args...); err != nil {
		return err
	}
	if len(d.sealed) != len(d.files) {
		return fmt.Errorf("%d records came back for %d files", len(d.sealed), len(d.files))
	}
	for i, s := range d.sealed {
		if i == 8 {
			d.say("     ... and %d more\n", len(d.sealed)-i)
			break
		}
		d.say("     %s  %-18s %s\n", s.Record, d.files[i].kind, filepath.Base(s.File))
	}
	return nil
}

// search finds the records at the other hospital.
func (d *demo) search() error {
	var rows []row
	if err := d.succeed(&rows, doctorB, "search", "--json", keyword); err != nil {
		return err
	}
	for _, s := range d.sealed {
		i := slices.IndexFunc(rows, func(r row) bool { return r.Record == s.Record })
		if i < 0 {
			return fmt.Errorf("record %s was not found", s.Record)
		}
		if rows[i].Home != "HospitalA" {
			return fmt.Errorf("record %s is said to be from %q", s.Record, rows[i].Home)
		}
	}
	d.say("     %d hits, each of the %d records among them\n", len(rows), len(d.sealed))
	term, want := d.sharedCode()
	if term == "" {
		return nil
	}
	if err := d.succeed(&rows, doctorB, "search", "--json", keyword+" and "+term); err != nil {
		return err
	}
	if len(rows) == 0 {
		return fmt.Errorf("no record was found for %s, which %s holds", term, want)
	}
	d.say("     %d of them hold the code %s, taken from the record itself\n", len(rows), term)
	return nil
}

// sharedCode is a code that one of the records holds.
func (d *demo) sharedCode() (term, file string) {
	for _, f := range d.files {
		if f.code != "" {
			return f.code, filepath.Base(f.path)
		}
	}
	return "", ""
}

// open opens every record at the other hospital and compares.
func (d *demo) open() error {
	for i, s := range d.sealed {
		if err := d.openAs(doctorB, s.Record, d.files[i].path); err != nil {
			return err
		}
	}
	d.say("     %d files are byte for byte equal\n", len(d.sealed))
	return nil
}

// openAs opens a record as user and compares it with the file it came from.
func (d *demo) openAs(user, record, original string) error {
	out := filepath.Join(d.Work, "opened-"+record)
	defer os.Remove(out)
	if err := d.succeed(nil, user, "open", record, "--force", "-o", out, "--purpose", "TREAT"); err != nil {
		return err
	}
	same, err := equalFiles(out, original)
	if err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("what was opened from %s differs from %s", record, original)
	}
	return nil
}

// refuse lets the nurse search and open, with and without the policy check of her client.
func (d *demo) refuse() error {
	record, out := d.sealed[0].Record, filepath.Join(d.Work, "stolen")
	if err := d.fail(exitDenied, nurseC, "search", keyword); err != nil {
		return err
	}
	if err := d.fail(exitDenied, nurseC, "open", record, "-o", out); err != nil {
		return err
	}
	d.say("     once more, with the client's own policy check switched off: the mathematics has to refuse\n")
	if err := d.fail(exitDenied, nurseC, "open", record, "--skip-policy-check", "-o", out); err != nil {
		return err
	}
	return absent(out)
}

// corrupt flips one bit of a payload's block in the blockstore of HospitalB's IPFS node,
// which gets the block again from another hospital's node, and then in all of them.
func (d *demo) corrupt() error {
	record, original := d.sealed[0].Record, d.files[0].path
	good := make(map[string][]byte) // by file
	var own string
	for _, hospital := range []string{"HospitalA", "HospitalB", "HospitalC"} {
		path, err := d.awaitBlock(hospital, d.sealed[0].CID)
		if err != nil {
			return err
		}
		if good[path], err = os.ReadFile(path); err != nil {
			return err
		}
		if hospital == "HospitalB" {
			own = path
		}
	}
	flip := func(path string) error {
		bad := bytes.Clone(good[path])
		bad[len(bad)/2] ^= 1
		return overwrite(path, bad)
	}
	if err := flip(own); err != nil {
		return err
	}
	d.say("     flipped one bit in %s at HospitalB\n", filepath.Base(own))
	if err := d.openAs(doctorB, record, original); err != nil {
		return err
	}
	if now, err := os.ReadFile(own); err != nil || !bytes.Equal(now, good[own]) {
		return errors.Join(err, errors.New("HospitalB's node did not get a good block again"))
	}
	d.say("     the node has replaced the block by another hospital's copy; now the same bit is flipped at all hospitals\n")
	var failed error
	for path := range good {
		failed = errors.Join(failed, flip(path))
	}
	out := filepath.Join(d.Work, "tampered")
	if failed == nil {
		failed = d.fail(exitTampered, doctorB, "open", record, "-o", out)
	}
	for path, block := range good {
		failed = errors.Join(failed, overwrite(path, block))
	}
	if failed != nil {
		return failed
	}
	if err := absent(out); err != nil {
		return err
	}
	d.say("     bits restored:\n")
	return d.openAs(doctorB, record, original)
}

// awaitBlock waits until a hospital's node holds a payload, and returns the file.
func (d *demo) awaitBlock(hospital, cid string) (path string, err error) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if path, err = d.blockFile(hospital, cid); err == nil || time.Now().After(deadline) || d.ctx.Err() != nil {
			return path, err
		}
	}
}

// outage stops a hospital with all its servers, works without it, and brings it back.
func (d *demo) outage() (err error) {
	if err := d.chartnet("stop", "HospitalA"); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, d.chartnet("start", "HospitalA"))
	}()
	file := filepath.Join(d.Work, "note-without-a.txt")
	note := fmt.Sprintf("Written at HospitalB while HospitalA was down, %s.\n", time.Now().UTC().Format(time.RFC3339))
	if err := os.WriteFile(file, []byte(note), 0o600); err != nil {
		return err
	}
	word := fmt.Sprintf("outage-%d", time.Now().Unix())
	var s []sealed
	if err := d.succeed(&s, doctorB, "seal", "--json", "--policy", policy, "--keyword", word, file); err != nil {
		return err
	}
	var rows []row
	if err := d.succeed(&rows, doctorB, "search", "--json", word); err != nil {
		return err
	}
	if len(rows) != 1 || rows[0].Record != s[0].Record {
		return fmt.Errorf("the new record was not found: %v", rows)
	}
	if err := d.openAs(doctorB, s[0].Record, file); err != nil {
		return err
	}
	d.say("     and what HospitalA had sealed is still there:\n")
	return d.openAs(doctorB, d.sealed[0].Record, d.files[0].path)
}

// audit shows the ledger to the regulator, who can open nothing.
func (d *demo) audit() error {
	record := d.sealed[0].Record
	var log []struct {
		Target, Actor, Purpose string
	}
	if err := d.succeed(&log, auditor, "audit", "log", "--record", record, "--json"); err != nil {
		return err
	}
	for _, actor := range []string{"HospitalB/doctor", "HospitalC/nurse"} {
		if !slices.ContainsFunc(log, func(e struct{ Target, Actor, Purpose string }) bool { return e.Actor == actor }) {
			return fmt.Errorf("the access log of %s does not show %s", record, actor)
		}
	}
	d.say("     the log shows the doctor who opened it and the nurse who tried\n")
	r, err := d.chartseal(auditor, "audit", "history", "--record", record)
	if err != nil || r.code != 0 {
		return errors.Join(err, fmt.Errorf("chartseal exited with %d: %s", r.code, r.stderr))
	}
	for line := range strings.Lines(string(r.stdout)) {
		d.say("     %s", line)
	}
	out := filepath.Join(d.Work, "read-by-auditor")
	if err := d.fail(exitDenied, auditor, "open", record, "-o", out); err != nil {
		return err
	}
	return absent(out)
}

// chartnet runs a command on the network.
func (d *demo) chartnet(args ...string) error {
	begin := time.Now()
	cmd := exec.CommandContext(d.ctx, d.program("chartnet"), append([]string{"--dir", d.Dir, "--bin", d.Bin}, args...)...)
	out, err := cmd.CombinedOutput()
	d.say("   $ chartnet %s   [%s]\n", strings.Join(args, " "), round(time.Since(begin)))
	if err != nil {
		return fmt.Errorf("chartnet %s: %w: %s", args[0], err, out)
	}
	return nil
}

// overwrite changes a file in place. Files of a blockstore are read-only.
func overwrite(path string, content []byte) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func absent(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("a refused call left %s behind", path)
	}
	return nil
}

func equalFiles(a, b string) (bool, error) {
	x, err := digest(a)
	if err != nil {
		return false, err
	}
	y, err := digest(b)
	return x == y, err
}

func digest(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
