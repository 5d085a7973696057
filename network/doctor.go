package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// A Check is one thing that [Network.Doctor] has looked at.
type Check struct {
	Subject string  `json:"subject"` // ORG/KIND, or ORG
	What    string  `json:"what"`    // for people: block files, state, pins
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`           // what was found
	Mend    string  `json:"mend,omitempty"` // the command that mends it
}

// A Verdict says whether something is as it should be.
type Verdict string

// The verdicts.
const (
	Good    Verdict = "good"
	Notice  Verdict = "notice"  // it works, and needs somebody's attention
	Faulty  Verdict = "FAULT"   // it is damaged, or does not work
	Unknown Verdict = "unknown" // another fault keeps the doctor from looking
)

// A Diagnosis is what [Network.Doctor] has found.
type Diagnosis struct {
	Organisation string  `json:"organisation"`
	Checks       []Check `json:"checks"`

	ledgers ledgers // for Rebuild
}

func (d *Diagnosis) add(subject, what string, v Verdict, mend, format string, args ...any) {
	d.Checks = append(d.Checks, Check{subject, what, v, fmt.Sprintf(format, args...), mend})
}

// Faults counts what is faulty.
func (d *Diagnosis) Faults() (count int) {
	for _, c := range d.Checks {
		if c.Verdict == Faulty {
			count++
		}
	}
	return count
}

// Table formats a diagnosis for people.
func (d *Diagnosis) Table() string {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SUBJECT\tCHECK\tVERDICT\tFOUND")
	for _, c := range d.Checks {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Subject, c.What, c.Verdict, c.Text)
		if c.Mend != "" {
			fmt.Fprintf(w, "\t\t\tmend: %s\n", c.Mend)
		}
	}
	w.Flush()
	return text.String()
}

// Doctor looks for what is wrong at an organisation: processes, clocks, disk,
// certificates, the files of its peer and its orderer, which it compares with those of
// the others and with each other, and the pins of its records' payloads. It changes
// nothing, and needs none of the processes to run. Progress gets lines of text about long
// work.
//
// Errors:
//   - ErrNotFound if there is no such organisation.
//   - ErrUnavailable if another doctor is at work at the organisation.
//   - Any error of ctx.
func (n *Network) Doctor(ctx context.Context, org string, progress io.Writer) (*Diagnosis, error) {
	if err := n.checkOrganisation(org); err != nil {
		return nil, err
	}
	scratch := n.path("run", org, "doctor")
	if err := os.MkdirAll(filepath.Dir(scratch), 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFile(scratch+".lock", false)
	if errors.Is(err, errLocked) {
		return nil, mark(ErrUnavailable, fmt.Errorf("another doctor is at work at %s", org))
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	os.RemoveAll(scratch) // of one that was killed
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)

	d := &Diagnosis{Organisation: org}
	n.checkProcesses(ctx, d)
	n.checkVersions(d)
	n.checkClocks(ctx, d)
	n.checkDisk(d)
	n.checkCertificates(d)
	if err := n.checkLedgers(ctx, d, scratch, talk(progress)); err != nil {
		return nil, err
	}
	return d, ctx.Err()
}

// checkProcesses adds what 'status' says.
func (n *Network) checkProcesses(ctx context.Context, d *Diagnosis) {
	all, err := n.StatusOf(ctx, d.Organisation)
	if err != nil {
		d.add(d.Organisation, "processes", Unknown, "", "%v", err)
		return
	}
	well := 0
	var height uint64
	for _, s := range all {
		if s.Healthy {
			well++
			height = max(height, s.Height)
			continue
		}
		name, mend := s.Organisation+"/"+s.Process, ""
		switch s.condition {
		case stopped, dead:
			mend = "chartnet start " + name
		default:
			mend = fmt.Sprintf("chartnet logs %s; chartnet stop %[1]s; chartnet start %[1]s", name)
		}
		d.add(name, "process", Faulty, mend, "%s", s.Problem)
	}
	if well > 0 {
		d.add(d.Organisation, "processes", Good, "", "%d of %d are healthy; %d blocks", well, len(all), height)
	}
}

// checkVersions finds processes that run another program than they would after a restart.
func (n *Network) checkVersions(d *Diagnosis) {
	old := 0
	for _, p := range n.running(n.members(d.Organisation)) {
		if runs, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", n.pid(p))); err == nil && runs != p.path {
			old++
			d.add(p.name(), "version", Notice, fmt.Sprintf("chartnet stop %s; chartnet start %[1]s", p.name()),
				"it runs %s, and would run %s after a restart", runs, p.path)
		}
	}
	if old == 0 {
		s := n.state.Servers
		d.add(d.Organisation, "versions", Good, "", "%s; %s; %s", version(s.Fabric), version(s.FabricCA), version(s.Kubo))
	}
}

// version names the server of a build, see [Build].
func version(build string) string {
	name, _, _ := strings.Cut(filepath.Base(build), "-go")
	return name
}

// toleratedSkew is a small part of what the chaincode accepts, see ledger.MaxClockSkew.
const toleratedSkew = 30 * time.Second

// checkClocks compares the clock of this machine with those of all peers and orderers.
func (n *Network) checkClocks(ctx context.Context, d *Diagnosis) {
	asked, wrong := 0, false
	for _, org := range n.organisations() {
		for kind, offset := range map[string]int{"peer": portPeerOperations, "orderer": portOrdererOperations} {
			ahead, err := n.clockAhead(ctx, org, offset)
			if err != nil {
				continue // checkProcesses names those of the organisation
			}
			if asked++; ahead.Abs() > toleratedSkew {
				wrong = true
				d.add(d.Organisation, "clock", Faulty, "set the clock", "this machine's is %s ahead of that of %s/%s", ahead.Round(time.Second), org, kind)
			}
		}
	}
	if asked > 0 && !wrong {
		d.add(d.Organisation, "clock", Good, "", "within %s of %d peers and orderers", toleratedSkew, asked)
	}
}

// clockAhead tells by how much this machine's clock is ahead of a server's, give or take
// a second.
func (n *Network) clockAhead(ctx context.Context, org string, offset int) (time.Duration, error) {
	config, err := n.adminTLS(org)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.probeTimeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.operationsURL(org, offset)+"/healthz", nil)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	resp, err := (&http.Client{Transport: overTLS(config)}).Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	there, err := http.ParseTime(resp.Header.Get("Date"))
	return start.Sub(there), err
}

const (
	diskFull = 2  // percent that are free
	diskLow  = 10 // the same
)

// checkDisk looks at the file system of the network's directory.
func (n *Network) checkDisk(d *Diagnosis) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(n.dir, &disk); err != nil || disk.Blocks == 0 {
		d.add(d.Organisation, "disk", Unknown, "", "%v", err)
		return
	}
	free := 100 * disk.Bavail / disk.Blocks
	if disk.Files > 0 {
		free = min(free, 100*disk.Ffree/disk.Files)
	}
	text := fmt.Sprintf("%d %% of blocks and files are free, %d MiB", free, disk.Bavail*uint64(disk.Bsize)>>20)
	switch {
	case free < diskFull:
		d.add(d.Organisation, "disk", Faulty, "free some space", "%s: peers and orderers stop when it is full", text)
	case free < diskLow:
		d.add(d.Organisation, "disk", Notice, "free some space", "%s", text)
	default:
		d.add(d.Organisation, "disk", Good, "", "%s", text)
	}
}

// checkCertificates names the certificates that have ended or end soon.
func (n *Network) checkCertificates(d *Diagnosis) {
	now := time.Now()
	due := map[string]bool{}
	for _, c := range n.Due(now) {
		if c.Organisation != d.Organisation {
			continue
		}
		verdict, text, mend := Notice, endText(c, now), "chartnet renew "+c.Organisation
		if !c.NotAfter.After(now) {
			verdict = Faulty
		}
		if c.Use == UseRoot {
			mend = "see \"Roots\" in docs/network.md"
		}
		due[c.Holder+c.Use] = true
		d.add(c.Holder, "certificate", verdict, mend, "%s", text)
	}
	for _, c := range n.Certificates() { // the first to end comes first
		if c.Organisation == d.Organisation && c.Use != UseRoot && !due[c.Holder+c.Use] {
			d.add(d.Organisation, "certificates", Good, "", "the others end from %s on, in %d days", c.NotAfter.UTC().Format(time.DateOnly), int(c.NotAfter.Sub(now).Hours()/24))
			return
		}
	}
}

func endText(c Certificate, now time.Time) string {
	kind := map[string]string{UseIdentity: "identity", UseTLS: "TLS", UseRoot: "root"}[c.Use]
	switch {
	case c.NotAfter.IsZero():
		return kind + ": it cannot be read, or is not of its key"
	case c.NotAfter.After(now):
		return fmt.Sprintf("%s: ends on %s, in %d days", kind, c.NotAfter.UTC().Format(time.DateOnly), int(c.NotAfter.Sub(now).Hours()/24))
	}
	return fmt.Sprintf("%s: ended on %s", kind, c.NotAfter.UTC().Format("2006-01-02 15:04 MST"))
}
