package network

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestConfirmed(t *testing.T) {
	for _, c := range []struct {
		heights []uint64
		liars   int
		want    uint64
	}{
		{nil, 0, 0}, {nil, 1, 0}, {[]uint64{7}, 0, 7},
		{[]uint64{7}, 1, 0}, // it may lie
		{[]uint64{116, 1060, 1061, 1060}, 1, 1060},
		{[]uint64{9, 10, 10, 1 << 60}, 1, 10},
		{[]uint64{9, 1 << 60}, 1, 9},
	} {
		if got := confirmed(c.heights, c.liars); got != c.want {
			t.Errorf("%v with %d liars: %d, want %d", c.heights, c.liars, got, c.want)
		}
	}
}

// TestExamine plays looks at a process, a second apart, and says after how many of them
// it is restarted.
func TestExamine(t *testing.T) {
	sick := func(k condition) func(int) Status {
		return func(int) Status { return Status{PID: 1, condition: k} }
	}
	served := watched{pid: 1, served: true}
	for name, c := range map[string]struct {
		before watched
		look   func(second int) Status
		want   int // the second of the restart, -1 for never
	}{
		"well":                  {served, sick(well), -1},
		"stopped":               {served, func(int) Status { return Status{condition: stopped} }, -1},
		"dead":                  {served, func(int) Status { return Status{condition: dead} }, 0},
		"frozen":                {served, sick(frozen), 5},
		"silent":                {served, sick(silent), 30},
		"silent from its start": {watched{}, sick(silent), 120},
		"behind and stuck":      {served, func(int) Status { return Status{PID: 1, Height: 116, condition: behind} }, 30},
		"behind, gets blocks":   {served, func(i int) Status { return Status{PID: 1, Height: uint64(i), condition: behind} }, -1},
		"gets blocks for a minute": {served, func(i int) Status {
			return Status{PID: 1, Height: uint64(min(i, 60)), condition: behind}
		}, 90},
		"silent, then behind": {served, func(i int) Status {
			return Status{PID: 1, condition: map[bool]condition{true: silent, false: behind}[i < 15]}
		}, 30},
		"silent now and then": {served, func(i int) Status {
			return Status{PID: 1, condition: map[bool]condition{true: well, false: silent}[i%20 == 0]}
		}, -1},
		"restarted by others":       {served, func(i int) Status { return Status{PID: 1 + i/25, condition: frozen} }, 5},
		"behind after two restarts": {watched{pid: 1, served: true, vain: 2}, sick(behind), 120},
		"its certificate has ended": {served, sick(ended), -1},
		"silent, and needed":        {served, func(int) Status { return Status{PID: 1, condition: silent, needed: true} }, 120},
	} {
		p, got := c.before, -1
		start := time.Now()
		for i := 0; i < 300 && got < 0; i++ {
			if p.examine(start.Add(time.Duration(i)*time.Second), c.look(i)) {
				got = i
			}
		}
		if got != c.want {
			t.Errorf("%s: restarted after %d s, want %d", name, got, c.want)
		}
	}
}

// TestBackoff: a process that dies at once gets longer and longer pauses, and after two
// good minutes none.
func TestBackoff(t *testing.T) {
	var c watched
	now := time.Now()
	start := now
	var pauses []time.Duration
	for last := now; len(pauses) < 10; now = now.Add(100 * time.Millisecond) {
		if c.examine(now, Status{condition: dead}) {
			c.noteRestart(now, dead)
			pauses = append(pauses, now.Sub(last))
			last = now
		}
	}
	for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60, 60} {
		if pauses[i] != want*time.Second {
			t.Errorf("restart %d after %v, want %v s", i, pauses[i], int(want))
		}
	}
	for end := now.Add(forgiveness + time.Second); now.Before(end); now = now.Add(time.Second) {
		c.examine(now, Status{PID: 1})
	}
	if !c.examine(now, Status{condition: dead}) {
		t.Errorf("no restart %v later, after two good minutes", now.Sub(start))
	}
	c.noteRestart(now, dead)
	if pause := c.resting.Sub(now); pause != time.Second {
		t.Errorf("the next pause is %v", pause)
	}
}

// watchOver looks at a process as the watcher does, until done.
func watchOver(t *testing.T, w *watcher, p *process, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing happens")
		}
		w.examine(t.Context(), p, w.look(t.Context(), p))
	}
}

func TestWatcher(t *testing.T) {
	n := shellNetwork(t)
	var log strings.Builder
	w := &watcher{Network: n, known: map[string]*watched{}, say: talk(&log)}
	p := n.shell("peer", "exec sleep 60")
	ctx := t.Context()
	if err := n.startAll(ctx, []*process{p}); err != nil {
		t.Fatal(err)
	}
	kill := func(signal syscall.Signal) (pid int) {
		t.Helper()
		pid = n.pid(p)
		if err := syscall.Kill(pid, signal); err != nil {
			t.Fatal(err)
		}
		for signal == syscall.SIGKILL && n.pid(p) == pid {
			time.Sleep(time.Millisecond)
		}
		return pid
	}

	old := kill(syscall.SIGKILL)
	watchOver(t, w, p, func() bool { return n.pid(p) != 0 && n.pid(p) != old })
	if r := n.restarts()[p.name()]; r == nil || r.Count != 1 || r.Reason != "it died" || !strings.Contains(log.String(), "HospitalA/peer: not running") {
		t.Errorf("restarts %v, log %s", r, &log)
	}

	old = kill(syscall.SIGSTOP)
	frozenSince := time.Now()
	watchOver(t, w, p, func() bool { return n.pid(p) != 0 && n.pid(p) != old })
	if took := time.Since(frozenSince); took < frozenPatience {
		t.Errorf("a process that was frozen for %v is killed", took)
	}
	if r := n.restarts()[p.name()]; r.Count != 2 || r.Reason != "frozen by a signal" {
		t.Errorf("restarts %v", r)
	}

	t.Run("a command is at work", func(t *testing.T) {
		unlock, err := lockNetwork(n.dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		kill(syscall.SIGKILL)
		w.known = map[string]*watched{}
		for range 10 {
			w.examine(ctx, p, w.look(ctx, p))
		}
		if n.pid(p) != 0 {
			t.Error("restarted all the same")
		}
		unlock()
		watchOver(t, w, p, func() bool { return n.pid(p) != 0 })
	})
	t.Run("an operator stops it", func(t *testing.T) {
		before := w.look(ctx, p) // and stops it before the watcher has thought about it
		if err := n.exclusively(func() error { return n.stop(ctx, []*process{p}) }); err != nil {
			t.Fatal(err)
		}
		before.condition = dead
		w.known = map[string]*watched{}
		for range 10 {
			w.examine(ctx, p, before)
			w.examine(ctx, p, w.look(ctx, p))
		}
		if s := w.look(ctx, p); s.PID != 0 || s.condition != stopped || !strings.Contains(s.Problem, "chartnet start HospitalA/peer") {
			t.Errorf("%+v", s)
		}
	})
	t.Run("it cannot start", func(t *testing.T) {
		if err := n.startAll(ctx, []*process{p}); err != nil {
			t.Fatal(err)
		}
		kill(syscall.SIGKILL)
		squatter, err := net.Listen("tcp", loopback+":0")
		if err != nil {
			t.Fatal(err)
		}
		p.ports = []int{squatter.Addr().(*net.TCPAddr).Port}
		before := n.restarts()[p.name()].Count
		watchOver(t, w, p, func() bool { return strings.Contains(log.String(), "its restart failed: port") })
		if now := n.restarts()[p.name()].Count; now != before {
			t.Errorf("a restart that failed is one of the %d", now)
		}
		squatter.Close()
		watchOver(t, w, p, func() bool { return n.pid(p) != 0 })
	})
}

// TestSecondWatcher: one watcher is at work at a time.
func TestSecondWatcher(t *testing.T) {
	n := shellNetwork(t)
	if err := os.MkdirAll(n.path("run"), 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := lockFile(n.watchFile(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := n.Watch(t.Context(), testWriter{t}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("beside another: %v", err)
	}
}
