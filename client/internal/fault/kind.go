package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A kind is what happens to a process, or to all of an organisation.
type kind string

// All but the first two and the last one also hit whatever is started again meanwhile.
const (
	killed   kind = "killed"                   // once
	frozen   kind = "frozen"                   // until the end of the fault, or its restart
	kept     kind = "killed at each try"       // to start it, until the end of the fault
	full     kind = "out of disk space"        // of its organisation
	starved  kind = "out of open files"        // it opens no file and no connection
	mistimed kind = "at another time"          // by its clock
	cutOff   kind = "cut off"                  // its TCP connections, and those to it, are silent
	flipped  kind = "spoiled by a flipped bit" // once, in a block of its store
)

// spoiled is the hospital whose node's blocks get flipped bits. It is always the same
// one, because a block that is spoiled everywhere is lost.
const spoiled = "HospitalB"

// possible gives the kinds that this machine can play, and why it cannot play the others.
func possible() (kinds []kind, impossible error) {
	kinds = []kind{killed, frozen, kept, starved, flipped}
	needs := func(k kind, programs ...string) {
		var errs []error
		if os.Geteuid() != 0 {
			errs = append(errs, errors.New("this is not root"))
		}
		for _, p := range programs {
			if _, err := exec.LookPath(p); err != nil {
				errs = append(errs, err)
			}
		}
		if err := errors.Join(errs...); err != nil {
			impossible = errors.Join(impossible, fmt.Errorf("nothing will be %s: %w", k, err))
			return
		}
		kinds = append(kinds, k)
	}
	needs(full, "mkfs.ext4", "mount")
	needs(cutOff, "nft")
	if err := shiftClock(os.Getpid(), 0); err != nil {
		return kinds, errors.Join(impossible, fmt.Errorf("nothing will be %s: %w", mistimed, err))
	}
	return append(kinds, mistimed), impossible
}

// play injures the processes of a fault until its end.
func (r *run) play(ctx context.Context, f fault) error {
	pause(ctx, f.after)
	switch f.kind {
	case flipped:
		return r.flip(f.organisation)
	case full:
		return r.fillUntil(ctx, f)
	case cutOff:
		return r.cutUntil(ctx, f)
	}
	end := time.Now().Add(f.length)
	relieve := map[int]func(){}
	for first := true; first || f.kind.lasts() && time.Now().Before(end) && ctx.Err() == nil; first = false {
		all, err := r.victims(ctx, f)
		if err != nil {
			return err
		}
		for _, p := range all {
			if _, found := relieve[p.PID]; found {
				continue
			}
			if after, err := f.injure(p.PID); err != nil && processLives(p.PID) {
				r.say("%v: %v", f, err)
			} else if err == nil && after != nil {
				relieve[p.PID] = after
			}
		}
		pause(ctx, 300*time.Millisecond)
	}
	if len(relieve) == 0 {
		return nil
	}
	pause(ctx, time.Until(end))
	all, err := r.victims(context.WithoutCancel(ctx), f)
	for _, p := range all { // those that the watcher has not replaced
		if after, found := relieve[p.PID]; found {
			after()
		}
	}
	return err
}

// lasts tells whether a kind hits whatever is started again.
func (k kind) lasts() bool { return slices.Contains([]kind{kept, starved, mistimed}, k) }

// injure injures a process. Relieve ends that, unless it is nil.
func (f fault) injure(pid int) (relieve func(), err error) {
	switch f.kind {
	case frozen:
		return func() { syscall.Kill(pid, syscall.SIGCONT) }, syscall.Kill(pid, syscall.SIGSTOP)
	case starved:
		before, err := tighten(pid, unix.RLIMIT_NOFILE)
		return func() { unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil) }, err
	case mistimed:
		return func() { shiftClock(pid, 0) }, shiftClock(pid, f.offset)
	}
	return nil, syscall.Kill(pid, syscall.SIGKILL)
}

// victims gives the running processes that a fault hits.
func (r *run) victims(ctx context.Context, f fault) ([]process, error) {
	all, err := r.status(ctx)
	return slices.DeleteFunc(all, func(p process) bool {
		return p.Organisation != f.organisation || f.process != "" && p.Process != f.process || p.PID == 0
	}), err
}

func processLives(pid int) bool { return syscall.Kill(pid, 0) == nil }

// tighten takes from a process what is left of a resource, and returns the limit that it
// had.
func tighten(pid, resource int) (before unix.Rlimit, err error) {
	if err := unix.Prlimit(pid, resource, nil, &before); err != nil {
		return before, err
	}
	return before, unix.Prlimit(pid, resource, &unix.Rlimit{Cur: 0, Max: before.Max}, nil)
}

func (r *run) fillUntil(ctx context.Context, f fault) error {
	for end := time.Now().Add(f.length); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 100*time.Millisecond) {
		if err := r.fill(f.organisation); err != nil {
			return err
		}
	}
	return os.RemoveAll(r.filler(f.organisation)) // another fault may have removed it
}

func (r *run) cutUntil(ctx context.Context, f fault) error {
	c, err := newCut(ctx, fmt.Sprintf("chartseal-faults-%d-%d", os.Getpid(), rand.Uint32()))
	if err != nil {
		return err
	}
	for end := time.Now().Add(f.length); err == nil && time.Now().Before(end) && ctx.Err() == nil; {
		var all []process
		all, err = r.victims(ctx, f)
		for next := time.Now().Add(3 * time.Second); err == nil && time.Now().Before(next) && time.Now().Before(end); pause(ctx, 100*time.Millisecond) {
			var ports []uint16
			for _, p := range all {
				of, _ := portsOf(p.PID) // none if it has ended
				ports = append(ports, of...)
			}
			err = c.set(ctx, ports)
		}
	}
	return errors.Join(err, c.mend(context.WithoutCancel(ctx)))
}

// flip flips a bit of a block in the store of a hospital's node.
func (r *run) flip(hospital string) error {
	blocks, err := filepath.Glob(filepath.Join(r.network(), "orgs", hospital, "ipfs", "blocks", "*", "*.data"))
	if err != nil || len(blocks) == 0 {
		return err
	}
	name := blocks[rand.IntN(len(blocks))]
	block, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil // the node has just collected it
	}
	defer block.Close()
	info, err := block.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	r.say("%s", name)
	at, b := rand.Int64N(info.Size()), make([]byte, 1)
	if _, err := block.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 1 << rand.IntN(8)
	_, err = block.WriteAt(b, at)
	return err
}
