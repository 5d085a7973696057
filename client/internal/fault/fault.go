// Package fault plays faults on a real network while people work on it, and then looks
// for damage. It starts the programs chartnet and chartseal, as users do.
//
// A fault has a kind, a place, a moment and a length. All are chosen by a seed. Up to two
// faults hit one organisation at a time. Then the network has to heal by itself before
// the next ones. Meanwhile programs seal, one imports, and others search and open.
//
// In the end every record whose sealing was confirmed must open byte for byte at another
// hospital, and be found by its word exactly once, if that was confirmed too. All peers
// and orderers have the same number of blocks, all processes are healthy, and each
// hospital's node keeps the payloads of the ledger and no other ones, but for those that
// failed seals have left there for a day. All of it must be so before anybody repeats
// what has failed, and again after the rest of the import.
package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options say where, for how long and with which faults to run.
type Options struct {
	Bin      string        // directory of the programs
	Dir      string        // for the network and the files of the run
	Time     time.Duration // for which faults are played
	Seed     uint64        // of the choice of faults
	Programs int           // that seal
	Out      io.Writer     // receives the report
}

// healing is the time within which the network has to be healthy after faults.
const healing = 5 * time.Minute

// A run is one call of Run.
type run struct {
	Options
	started time.Time
	load    *load
	kinds   []kind // that are played

	mu     sync.Mutex
	damage []error
}

// Run makes a network, plays faults and looks for damage. It removes the network if there
// is none.
func Run(ctx context.Context, o Options) error {
	r := &run{Options: o, started: time.Now()}
	kinds, impossible := possible()
	if r.kinds = kinds; impossible != nil {
		r.say("%v", impossible)
	}
	if err := r.up(ctx); err != nil {
		return err
	}
	r.say("seed %d, %s, %d programs", o.Seed, o.Time, o.Programs)
	working, stop := context.WithCancel(ctx)
	defer stop()
	r.load = newLoad(r)
	done := make(chan struct{})
	go func() { defer close(done); r.load.work(working) }()

	err := r.episodes(ctx)
	stop()
	<-done // also after an error: programs of the load would work on beside whoever looks at it
	if err == nil {
		err = r.check(ctx)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(r.damage...); err != nil {
		return err
	}
	r.say("no damage")
	return r.clean(ctx)
}

// episodes plays faults, some after others.
func (r *run) episodes(ctx context.Context) error {
	choice := rand.New(rand.NewPCG(r.Seed, 0))
	for end := time.Now().Add(r.Time); time.Now().Before(end) && ctx.Err() == nil; {
		if err := r.episode(ctx, choice); err != nil {
			return err
		}
		pause(ctx, time.Duration(choice.Int64N(int64(20*time.Second))))
	}
	return nil
}

func (r *run) up(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(r.Dir, 0o700), os.WriteFile(r.topology(), []byte("ports: free\n"), 0o600)); err != nil {
		return err
	}
	up := []string{"--topology", r.topology(), "up"}
	if err := r.chartnet(ctx, nil, up...); err != nil || !slices.Contains(r.kinds, full) {
		return err
	}
	if err := errors.Join(r.chartnet(ctx, nil, "down"), r.giveDisks(ctx)); err != nil {
		return err
	}
	return r.chartnet(ctx, nil, up...)
}

// clean removes the network, if there is one, and all files of the run.
func (r *run) clean(ctx context.Context) error {
	for _, step := range []func() error{
		func() error { return r.chartnet(ctx, nil, "down") }, r.takeDisks,
		func() error { return r.chartnet(ctx, nil, "clean") }, func() error { return os.RemoveAll(r.Dir) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) topology() string { return filepath.Join(r.Dir, "topology.yaml") }
func (r *run) network() string  { return filepath.Join(r.Dir, "network") }

func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.Out, "%5.0f s  "+format+"\n", append([]any{time.Since(r.started).Seconds()}, args...)...)
}

// pause waits, less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// A fault is one injury of one process, or of a whole organisation.
type fault struct {
	kind         kind
	organisation string
	process      string // empty for all of the organisation
	after        time.Duration
	length       time.Duration
	offset       time.Duration // of a clock
}

func (f fault) String() string {
	place := f.organisation
	if f.process != "" {
		place += "/" + f.process
	}
	text := fmt.Sprintf("%s is %s, after %s for %s", place, f.kind, f.after.Round(time.Second), f.length.Round(time.Second))
	if f.kind == mistimed {
		text += fmt.Sprintf(", %s off", f.offset.Round(time.Second))
	}
	return text
}

func organisations(all []process) (names []string) {
	for _, p := range all {
		if p.Organisation != "" && !slices.Contains(names, p.Organisation) {
			names = append(names, p.Organisation)
		}
	}
	return names
}

// maxOffset is how far a clock is off at most.
const maxOffset = 10 * 24 * time.Hour

// choose gives one or two faults of one organisation.
func choose(choice *rand.Rand, kinds []kind, all []process) (faults []fault) {
	names := organisations(all)
	organisation := names[choice.IntN(len(names))]
	var processes []string
	for _, p := range all {
		if p.Organisation == organisation {
			processes = append(processes, p.Process)
		}
	}
	for range 1 + choice.IntN(2) {
		f := fault{
			kind: kinds[choice.IntN(len(kinds))], organisation: organisation,
			after:  time.Duration(choice.Int64N(int64(10 * time.Second))),
			length: time.Second + time.Duration(choice.Int64N(int64(time.Minute))),
			// Minutes are as likely as days.
			offset: time.Duration(math.Pow(float64(maxOffset/time.Minute), choice.Float64()) * float64(time.Minute)),
		}
		if choice.IntN(2) == 0 {
			f.offset = -f.offset
		}
		if choice.IntN(4) > 0 {
			f.process = processes[choice.IntN(len(processes))]
		}
		if f.kind == full {
			f.process = "" // they have a disk together
		}
		if f.kind == flipped {
			f.organisation, f.process, f.length = spoiled, "ipfs", 0
			if organisation != spoiled {
				f.organisation, f.process, f.kind = organisation, "ipfs", killed
			}
		}
		faults = append(faults, f)
	}
	return faults
}

// episode plays faults and waits until the network is healthy.
func (r *run) episode(ctx context.Context, choice *rand.Rand) error {
	all, err := r.status(ctx)
	if err != nil {
		return err
	}
	faults := choose(choice, r.kinds, all)
	r.load.newEpisode()
	failed := make(chan error, len(faults))
	for _, f := range faults {
		r.say("%v", f)
		go func() { failed <- r.play(ctx, f) }()
	}
	for range faults {
		err = errors.Join(err, <-failed)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	sick, err := r.heal(ctx)
	if err != nil {
		return err
	}
	if len(sick) > 0 {
		r.harm("not healed %s after %v: %v", healing, faults, sick)
	} else {
		r.say("healed %.0f s after the last of them; %v", time.Since(began).Seconds(), r.load)
	}
	return nil
}

// heal waits until all processes are healthy, and gives those that are not in time.
func (r *run) heal(ctx context.Context) (sick []process, err error) {
	for end := time.Now().Add(healing); ; pause(ctx, time.Second) {
		all, err := r.status(ctx)
		if err != nil {
			return nil, err
		}
		sick = nil
		for _, p := range all {
			if !p.Healthy {
				sick = append(sick, p)
			}
		}
		if len(sick) == 0 || time.Now().After(end) || ctx.Err() != nil {
			return sick, ctx.Err()
		}
	}
}

// harm notes damage.
func (r *run) harm(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	r.say("DAMAGE: %v", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.damage = append(r.damage, err)
}
