package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is one server of one organisation: how to start it, and how to tell that it
// serves.
type process struct {
	organisation string
	kind         string // peer, orderer, ca, chaincode, ipfs, ipfs-proxy, authority, keeper
	address      string // for people, where clients reach it; may be empty
	ports        []int  // on which it listens

	path string
	args []string
	env  []string // beside the few variables of n.environment
	dir  string

	prepare func() error                          // before it starts; may be nil
	ready   func(context.Context) error           // nil if it serves; a nil func: it serves as soon as it runs
	height  func(context.Context) (uint64, error) // number of blocks; a nil func: it has no ledger
	askedBy string                                // holder of the TLS certificate that ready shows; may be empty
}

func (p *process) name() string {
	if p.organisation == "" {
		return p.kind
	}
	return p.organisation + "/" + p.kind
}

// pidFile holds the record of a process. While the file exists, the process is to run:
// only an operator's command removes it.
func (n *Network) pidFile(p *process) string {
	return filepath.Join(n.dir, "run", p.organisation, p.kind+".pid")
}

func (n *Network) logFile(p *process) string {
	return filepath.Join(n.dir, "logs", p.organisation, p.kind+".log")
}

// idVariable carries the network's id in the environment of everything that it starts.
const idVariable = "CHARTSEAL_NETWORK_ID"

// environment is the environment of the network's programs: the variables that lead to
// files, and the network's id.
func (n *Network) environment(extra ...string) []string {
	env := []string{idVariable + "=" + n.state.ID}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, extra...)
}

// The shell writes its own kernel record (process id and start time) and then becomes the
// server. So no server runs unrecorded, whenever the launcher is killed. Servers make
// private files only.
const becomeServer = `umask 077
read -r stat </proc/$$/stat && printf '%s\n' "$stat" >"$1.new" && mv "$1.new" "$1" || exit 126
shift
exec "$@"`

// wanted tells whether a process is to run: it was started, and no operator has stopped
// it since.
func (n *Network) wanted(p *process) bool { return isFile(n.pidFile(p)) }

// want makes a process wanted.
func (n *Network) want(p *process) error {
	if n.wanted(p) {
		return nil
	}
	return writeFile(n.pidFile(p), []byte("0 -\n")) // no record: it does not run yet
}

// start starts a process, detached, unless it runs already. The returned channel is
// closed when the process ends; it is nil if the process ran before.
func (n *Network) start(p *process) (exited <-chan struct{}, err error) {
	if n.pid(p) != 0 {
		return nil, nil
	}
	if err := n.checkPorts(p); err != nil {
		return nil, err
	}
	if p.prepare != nil {
		if err := p.prepare(); err != nil {
			return nil, fmt.Errorf("start %s: %w", p.name(), err)
		}
	}
	if err := errors.Join(n.want(p), os.MkdirAll(filepath.Dir(n.logFile(p)), 0o700)); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	log, err := os.OpenFile(n.logFile(p), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", n.shellArgs(p)...)
	cmd.Dir, cmd.Env = p.dir, n.environment(p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() // no zombies, for as long as this program lives
	}()
	return done, nil
}

// shellArgs are the arguments of a shell that becomes a process.
func (n *Network) shellArgs(p *process) []string {
	return append([]string{"-c", becomeServer, "sh", n.pidFile(p), p.path}, p.args...)
}

// awaitReady waits until a process serves. It fails at once, with the last line of the
// log, when the process dies.
func (n *Network) awaitReady(ctx context.Context, p *process, exited <-chan struct{}) error {
	ctx, cancel := n.withinWait(ctx)
	defer cancel()
	for {
		err := errors.New("no process record")
		if n.pid(p) != 0 {
			if p.ready == nil {
				return nil
			}
			if err = p.ready(ctx); err == nil {
				return nil
			}
		}
		select {
		case <-exited:
			why := n.lastWords(p)
			if blame := n.ended(p, false); blame != "" {
				why = blame + "; its last words: " + why
			}
			return mark(ErrUnavailable, fmt.Errorf("%s died while starting: %s (log: %s)", p.name(), why, n.logFile(p)))
		case <-ctx.Done():
			return fmt.Errorf("wait until %s is ready: %w: %w (log: %s)", p.name(), context.Cause(ctx), err, n.logFile(p))
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// A processRecord identifies a process for good: ids are reused, but not together with
// start times.
type processRecord struct {
	pid   int
	start string // clock ticks since the machine started
}

var errMalformedRecord = errors.New("malformed process record")

// parseRecord reads a line of /proc/PID/stat. The second field, the program's name in
// parentheses, may hold anything.
func parseRecord(stat []byte) (r processRecord, state string, err error) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return r, "", errMalformedRecord
	}
	fields := strings.Fields(string(stat[end+1:]))
	const stateField, startField = 0, 19 // fields 3 and 22 of proc(5)
	if len(fields) <= startField {
		return r, "", errMalformedRecord
	}
	r.pid, err = strconv.Atoi(strings.TrimSpace(string(stat[:open])))
	if err != nil || r.pid <= 0 {
		return r, "", errMalformedRecord
	}
	r.start = fields[startField]
	return r, fields[stateField], nil
}

// alive tells whether the recorded process still exists and is no zombie.
func (r processRecord) alive() bool { return r.state() != "" }

// frozen tells whether a signal has stopped the recorded process.
func (r processRecord) frozen() bool { return r.state() == "T" }

// state gives the state that the kernel reports of the recorded process, or "" if it has
// ended.
func (r processRecord) state() string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.pid))
	if err != nil {
		return ""
	}
	now, state, err := parseRecord(stat)
	if err != nil || now != r || state == "Z" && !r.exiting() || state == "X" {
		return ""
	}
	return state
}

// exiting tells whether a process whose first thread has ended has other threads, which
// still hold its files and their locks.
func (r processRecord) exiting() bool {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", r.pid))
	return err == nil && len(threads) > 1
}

// owns tells whether a process carries this network's id.
func (n *Network) owns(pid int) bool {
	return hasVariable(pid, idVariable+"="+n.state.ID)
}

// record gives the record of a running process of this network.
func (n *Network) record(p *process) (processRecord, bool) {
	stat, err := os.ReadFile(n.pidFile(p))
	if err != nil {
		return processRecord{}, false
	}
	r, _, err := parseRecord(stat)
	return r, err == nil && r.alive() && n.owns(r.pid)
}

// pid gives the id of a running process, or 0.
func (n *Network) pid(p *process) int {
	if r, ok := n.record(p); ok {
		return r.pid
	}
	return 0
}

// strays finds all processes that carry this network's id: the recorded ones, and
// commands that a killed launcher left.
func (n *Network) strays() (found []processRecord) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !n.owns(pid) {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		if r, state, err := parseRecord(stat); err == nil && state != "Z" {
			found = append(found, r)
		}
	}
	return found
}

const stopGrace = 10 * time.Second

// stopProcesses asks all processes to end, and after a grace time kills the rest.
func stopProcesses(ctx context.Context, records []processRecord) error {
	return forEach(ctx, records, func(ctx context.Context, r processRecord) error {
		// The kernel ties the handle to this process, so the id cannot be reused between
		// the check and the signal.
		handle, err := os.FindProcess(r.pid)
		if err != nil || !r.alive() {
			return nil
		}
		defer handle.Release()
		if err := handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop process %d: %w", r.pid, err)
		}
		for end := time.Now().Add(stopGrace); r.alive(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) || ctx.Err() != nil {
				handle.Signal(syscall.SIGKILL)
				end = time.Now().Add(stopGrace)
			}
		}
		return nil
	})
}

// lastWords gives the last line of a process's log.
func (n *Network) lastWords(p *process) string {
	f, err := os.Open(n.logFile(p))
	if err != nil {
		return "no log"
	}
	defer f.Close()
	const tail = 4096
	if info, err := f.Stat(); err == nil && info.Size() > tail {
		f.Seek(-tail, 2)
	}
	buf := make([]byte, tail)
	k, _ := f.Read(buf)
	lines := strings.Split(strings.TrimSpace(string(buf[:k])), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return "its log is empty"
}
