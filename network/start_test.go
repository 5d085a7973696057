package network

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestStartEach: servers that do not start keep no other one from it, and services are
// started as well.
func TestStartEach(t *testing.T) {
	n := shellNetwork(t)
	n.state.Services = true
	n.WaitTimeout = 20 * time.Second
	bad := n.shell("peer", "echo no disk >&2; exit 1")
	bad.ready = func(context.Context) error { return errors.New("not yet") }
	good, service := n.shell("orderer", "exec sleep 60"), n.shell("authority", "exec sleep 60")
	err := n.startEach(t.Context(), []*process{bad, good, service})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "HospitalA/peer died while starting: no disk") {
		t.Errorf("error %v", err)
	}
	for _, p := range []*process{good, service} {
		if n.pid(p) == 0 {
			t.Errorf("%s was not started", p.name())
		}
	}
	if !n.wanted(bad) {
		t.Error("the watcher will not try again to start it")
	}
}

// TestAwaitCaughtUp: a wait lasts for as long as there is progress.
func TestAwaitCaughtUp(t *testing.T) {
	n := shellNetwork(t)
	n.WaitTimeout = 2 * time.Second // half a second without progress
	const goal = 50
	for name, c := range map[string]struct {
		pause time.Duration // between two blocks
		most  uint64
		want  error
	}{
		"gets there":         {10 * time.Millisecond, goal, nil},
		"is slow":            {200 * time.Millisecond, goal, ErrCatchingUp},
		"stands still":       {time.Millisecond, 7, ErrUnavailable},
		"never had anything": {time.Millisecond, 0, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var height atomic.Uint64
			p := n.shell("orderer", "")
			p.height = func(context.Context) (uint64, error) { return height.Load(), nil }
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for height.Load() < c.most {
					select {
					case <-time.After(c.pause):
						height.Add(1)
					case <-stop:
						return
					}
				}
			}()
			err := n.awaitCaughtUp(t.Context(), []*process{p}, goal)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), "of 50 blocks") {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// TestNoProgress: errors that differ, and heights that go up and down, are no progress.
func TestNoProgress(t *testing.T) {
	n := shellNetwork(t)
	n.WaitTimeout = 2 * time.Second // half a second without progress
	for name, height := range map[string]func(look int) (uint64, error){
		"errors":   func(look int) (uint64, error) { return 0, fmt.Errorf("read 127.0.0.1:%d: refused", look) },
		"flapping": func(look int) (uint64, error) { return 7 + uint64(look%2), nil },
		"both": func(look int) (uint64, error) {
			if look%3 == 0 {
				return 0, fmt.Errorf("look %d", look)
			}
			return uint64(9 - look%3), nil
		},
	} {
		p, look := n.shell("orderer", ""), 0
		p.height = func(context.Context) (uint64, error) { look++; return height(look) }
		began := time.Now()
		err := n.awaitCaughtUp(t.Context(), []*process{p}, 50)
		if took := time.Since(began); !errors.Is(err, ErrUnavailable) || took > 1500*time.Millisecond {
			t.Errorf("%s: after %v, %v", name, took, err)
		}
	}
}
