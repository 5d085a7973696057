package fault

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A kind is what happens to a process.
type kind string

const (
	killed  kind = "killed"                   // once
	frozen  kind = "frozen"                   // until the end of the fault, or its restart
	kept    kind = "killed at each try"       // to start it, until the end of the fault
	full    kind = "out of disk space"        // until the end, whoever restarts it
	starved kind = "out of open files"        // the same: it opens no file and no connection
	flipped kind = "spoiled by a flipped bit" // once, in a block of its store
)

var kinds = []kind{killed, frozen, kept, full, starved, flipped}

// spoiled is the hospital whose node's blocks get flipped bits. It is always the same
// one, because a block that is spoiled everywhere is lost.
const spoiled = "HospitalB"

// limits are the resources that a process of a kind runs short of.
var limits = map[kind]int{full: unix.RLIMIT_FSIZE, starved: unix.RLIMIT_NOFILE}

// play injures the processes of a fault.
func (r *run) play(ctx context.Context, f fault) error {
	pause(ctx, f.after)
	if f.kind == flipped {
		return r.flip(f.organisation)
	}
	end := time.Now().Add(f.length)
	injured := map[int]unix.Rlimit{} // with the limits that they had
	lasting := f.kind == kept || f.kind == full || f.kind == starved
	for first := true; first || lasting && time.Now().Before(end) && ctx.Err() == nil; first = false {
		all, err := r.status(ctx)
		if err != nil {
			return err
		}
		for _, p := range all {
			if p.Organisation != f.organisation || f.process != "" && p.Process != f.process || p.PID == 0 {
				continue
			}
			switch f.kind {
			case frozen:
				injured[p.PID] = unix.Rlimit{}
				syscall.Kill(p.PID, syscall.SIGSTOP)
			case full, starved:
				if _, found := injured[p.PID]; !found {
					if before, err := tighten(p.PID, limits[f.kind]); err == nil { // else it has just ended
						injured[p.PID] = before
					}
				}
			default:
				syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
		pause(ctx, 300*time.Millisecond)
	}
	if len(injured) == 0 {
		return nil
	}
	pause(ctx, time.Until(end))
	all, err := r.status(context.WithoutCancel(ctx))
	for _, p := range all { // those that the watcher has not replaced
		if before, found := injured[p.PID]; found && f.kind == frozen {
			syscall.Kill(p.PID, syscall.SIGCONT)
		} else if found {
			unix.Prlimit(p.PID, limits[f.kind], &before, nil)
		}
	}
	return err
}

// tighten takes from a process what is left of a resource, and returns the limit that it
// had.
func tighten(pid, resource int) (before unix.Rlimit, err error) {
	if err := unix.Prlimit(pid, resource, nil, &before); err != nil {
		return before, err
	}
	return before, unix.Prlimit(pid, resource, &unix.Rlimit{Cur: 0, Max: before.Max}, nil)
}

// flip flips a bit of a block in the store of a hospital's node.
func (r *run) flip(hospital string) error {
	blocks, err := filepath.Glob(filepath.Join(r.network(), "orgs", hospital, "ipfs", "blocks", "*", "*.data"))
	if err != nil || len(blocks) == 0 {
		return err
	}
	name := blocks[rand.IntN(len(blocks))]
	block, err := os.ReadFile(name)
	if err != nil || len(block) == 0 {
		return nil // the node has just collected it
	}
	r.say("%s", name)
	block[rand.IntN(len(block))] ^= 1 << rand.IntN(8)
	return os.WriteFile(name, block, 0o600)
}
