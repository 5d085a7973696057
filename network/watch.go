package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The watcher looks at every process each second, and asks each of them every five
// seconds whether it serves and how many blocks it has.
const (
	watchInterval = time.Second
	watchAsks     = 5
)

// watchSilence is the time without a round after which the watcher counts as unhealthy.
const watchSilence = 30 * time.Second

// killGrace is the time that a process gets to end by itself. Operators wait meanwhile.
const killGrace = time.Second

func (n *Network) watchFile() string { return n.path("run", "watch.lock") }

// watchProcess is the watcher. It belongs to no organisation.
func (n *Network) watchProcess() *process {
	args := []string{"--dir", n.dir, "watch"}
	if n.WaitTimeout != 0 {
		args = append(args, "--wait-timeout", n.WaitTimeout.String())
	}
	return &process{
		kind: "watch", path: filepath.Join(n.state.Programs, "chartnet"), args: args, dir: n.dir,
		ready: func(context.Context) error {
			info, err := os.Stat(n.watchFile())
			if err != nil {
				return err
			}
			if idle := time.Since(info.ModTime()); idle > watchSilence {
				return fmt.Errorf("it last looked %s ago", idle.Round(time.Second))
			}
			return nil
		},
	}
}

// watch starts the watcher, or stops it if the topology wants none.
func (u *bringUp) watch(ctx context.Context) error {
	if u.topology.Watch {
		return u.startWatcher(ctx)
	}
	return u.stop(ctx, []*process{u.watchProcess()})
}

// startWatcher starts the watcher unless it is at work. Nobody watches it, so it replaces
// one that hangs.
func (n *Network) startWatcher(ctx context.Context) error {
	p := n.watchProcess()
	if s := n.look(ctx, p); s.PID != 0 && !s.Healthy {
		if err := n.stop(ctx, []*process{p}); err != nil {
			return err
		}
	}
	return n.startAll(ctx, []*process{p})
}

// Watch starts again whatever of the network is dead, frozen, silent or behind, until ctx
// ends or the network is gone. It does not return on a fault of the network. It leaves
// alone what an operator has stopped, and waits while a command works on the network.
// This program becomes the network's watcher: [Network.Down] stops it, and it runs with
// the environment of the network's programs.
//
// Log gets a line for each restart.
//
// Errors:
//   - ErrUnavailable if another watcher is at work.
func (n *Network) Watch(ctx context.Context, log io.Writer) error {
	if err := os.MkdirAll(filepath.Dir(n.watchFile()), 0o700); err != nil {
		return err
	}
	lock, err := lockFile(n.watchFile(), false)
	if errors.Is(err, errLocked) {
		return mark(ErrUnavailable, fmt.Errorf("another watcher is at work in %s (process %d)", n.dir, n.pid(n.watchProcess())))
	}
	if err != nil {
		return err
	}
	if !n.owns(os.Getpid()) {
		p := n.watchProcess()
		return syscall.Exec("/bin/sh", append([]string{"sh"}, n.shellArgs(p)...), n.environment(p.env...)) // releases the lock
	}
	defer lock.Close()
	w := &watcher{Network: n, known: map[string]*watched{}, say: func(format string, args ...any) {
		fmt.Fprintf(log, time.Now().UTC().Format(time.RFC3339)+" "+format+"\n", args...)
	}}
	w.say("watching the network in %s", n.dir)
	for round := 0; ; round++ {
		now := time.Now()
		if err := os.Chtimes(n.watchFile(), now, now); err != nil {
			w.say("the network's directory is gone: %v", err)
			return nil
		}
		// Other commands change the state: users, programs, whether it is watched.
		if again, err := Open(n.dir); err != nil {
			w.say("%v", err)
		} else if again.WaitTimeout, w.Network = w.WaitTimeout, again; again.state.Created {
			w.round(ctx, round%watchAsks == 0)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchInterval):
		}
	}
}

// A watcher is one call of Watch at work.
type watcher struct {
	*Network
	say     func(string, ...any)
	known   map[string]*watched
	suspect *watched  // the last one that was restarted while it seemed to work
	since   time.Time // its restart
	busy    bool      // the machine, at the last look
}

// round looks at all processes once, and restarts those for which it is time.
func (w *watcher) round(ctx context.Context, ask bool) {
	processes := w.members(w.organisations()...)
	all := make([]Status, len(processes))
	if ask {
		limited, cancel := context.WithTimeout(ctx, min(2*w.probeTimeout(), watchSilence/2))
		all = w.check(limited, processes, 0)
		cancel()
		if busy := mostSilent(all); busy != w.busy {
			w.busy = busy
			if busy {
				w.say("most servers do not answer: the machine is busy, and restarts would not help")
			}
		}
		w.noteMetrics(all)
	} else {
		for i, p := range processes {
			all[i] = w.glance(p)
			w.blameCertificates(p, &all[i])
		}
	}
	w.markNeeded(all)
	for i, p := range processes {
		if all[i].condition == well && !ask || all[i].condition == silent && w.busy || ctx.Err() != nil {
			continue // it shows nothing
		}
		w.examine(ctx, p, all[i])
	}
}

// mostSilent tells whether more than half of the running processes do not answer.
func mostSilent(all []Status) bool {
	var running, mute int
	for _, s := range all {
		if s.PID != 0 {
			running++
		}
		if s.condition == silent {
			mute++
		}
	}
	return 2*mute > running
}

// markNeeded marks orderers that do not answer, but may still order, if those that answer
// are no quorum. Each gets more patience. To wait for ever would leave a network down in
// which too many hang. A frozen orderer orders nothing, and neither does one that stays
// behind.
func (w *watcher) markNeeded(all []Status) {
	answer := 0
	for _, s := range all {
		if s.Process == "orderer" && s.condition == well {
			answer++
		}
	}
	for i, s := range all {
		all[i].needed = s.Process == "orderer" && s.condition == silent && answer < w.quorum()
	}
}

// mustWait tells whether a process that seems to work must not be restarted yet, because
// another such one is not well again after its restart: what they have in common may be a
// busy machine, or a quorum.
func (w *watcher) mustWait(c *watched, now time.Time) bool {
	return w.suspect != nil && w.suspect != c && w.suspect.restarted && now.Sub(w.since) < startPatience
}

// examine looks at one process with what the watcher remembers of it.
func (w *watcher) examine(ctx context.Context, p *process, s Status) {
	c := w.known[p.name()]
	if c == nil {
		c = &watched{}
		w.known[p.name()] = c
	}
	now := time.Now()
	if s.condition == dead && c.starts() {
		return
	}
	if s.condition == ended && !c.ended {
		w.say("%s: %s; it is not restarted", p.name(), s.Problem)
	}
	due := c.examine(now, s)
	if s.condition == well && c.restarted {
		c.restarted = false
		w.say("%s is well again", p.name())
	}
	works := s.condition == silent || s.condition == behind
	if !due || works && w.mustWait(c, now) {
		return
	}
	reason := s.Problem
	if s.condition == dead {
		reason = "it died"
	}
	done, err := w.restart(ctx, p, s, c)
	if !done && err == nil {
		return
	}
	c.noteRestart(now, s.condition)
	if works {
		w.suspect, w.since = c, now
	}
	if err != nil {
		w.say("%s: %s; its restart failed: %v", p.name(), s.Problem, err)
		return
	}
	w.say("%s: %s; restarted", p.name(), s.Problem)
	if err := w.countRestart(p.name(), reason, now); err != nil {
		w.say("count a restart: %v", err)
	}
}

// starts tells whether the watcher has started the process a moment ago, and the shell
// has not become the server yet.
func (c *watched) starts() bool {
	if c.exited == nil {
		return false
	}
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// restart starts a process again, unless an operator or a command has changed it since
// the look at it, or works on the network now.
func (w *watcher) restart(ctx context.Context, p *process, s Status, c *watched) (done bool, err error) {
	unlock, err := lockNetwork(w.dir, 0)
	if errors.Is(err, ErrUnavailable) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unlock()
	r, running := w.record(p)
	if !w.wanted(p) || r.pid != s.PID && running {
		return false, nil
	}
	if running {
		short, cancel := context.WithTimeout(ctx, killGrace)
		defer cancel()
		if err := stopProcesses(short, []processRecord{r}); err != nil {
			return false, err
		}
	}
	c.exited, err = w.start(p)
	return err == nil, err
}
