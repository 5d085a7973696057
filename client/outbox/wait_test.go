package outbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func opened(t *testing.T, dir string) *Box {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// attend runs a Wait over a box of its own, as another process would.
func attend(t *testing.T, w *world, dir string) <-chan error {
	b, ended := opened(t, dir), make(chan error, 1)
	go func() {
		ended <- Wait{Flush: func(ctx context.Context) error {
			_, err := b.Flush(ctx, w.flush())
			return err
		}}.Run(t.Context(), b)
	}()
	return ended
}

func isOver(ended <-chan error) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// A lone record is written when its time is up, and no earlier. Then the process ends.
func TestWaitWritesALoneRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dir := newWorld(), t.TempDir()
		b := opened(t, dir)
		w.registered(t, b, job(t, 1, 1))
		ended := attend(t, w, dir)
		time.Sleep(DefaultAge - time.Second)
		synctest.Wait()
		if attended, err := b.Attended(); w.puts != 0 || err != nil || !attended {
			t.Errorf("%d transactions, attended %v, %v", w.puts, attended, err)
		}
		second := attend(t, w, dir) // another process leaves it to the first
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if !isOver(second) {
			t.Error("two processes wait")
		}
		w.registered(t, b, job(t, 2, 1))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if attended, err := b.Attended(); w.puts != 1 || !isOver(ended) || err != nil || attended {
			t.Errorf("%d transactions, attended %v, %v", w.puts, attended, err)
		}
		if waits, err := b.Status(); err != nil || waits.Waiting() {
			t.Errorf("%+v, %v", waits, err)
		}
	})
}

// A service that is away is asked again; after a day the process gives up.
func TestWaitTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dir := newWorld(), t.TempDir()
		var tries atomic.Int32
		var answer atomic.Pointer[error]
		w.beforePut = func() error { tries.Add(1); return *answer.Load() }
		away, denied, well := ledger.ErrUnavailable, ledger.ErrDenied, error(nil)
		answer.Store(&away)
		w.registered(t, opened(t, dir), job(t, 1, 1))
		ended := attend(t, w, dir)
		time.Sleep(8 * time.Hour)
		synctest.Wait()
		if n := tries.Load(); n < 40 || n > 60 {
			t.Errorf("%d tries in 8 hours", n)
		}
		answer.Store(&well)
		time.Sleep(longestPause + time.Second)
		if err := <-ended; err != nil || w.puts != 1 {
			t.Errorf("%v, %d transactions", err, w.puts)
		}
		answer.Store(&denied)
		w.registered(t, opened(t, dir), job(t, 2, 1))
		if err := <-attend(t, w, dir); !errors.Is(err, ledger.ErrDenied) {
			t.Errorf("after a day: %v", err)
		}
	})
}

// A record that comes while the process ends is not forgotten, and a wallet that was
// removed ends it.
func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dir := newWorld(), filepath.Join(t.TempDir(), "outbox")
		b := opened(t, dir)
		done, err := b.Attend()
		if err != nil || done == nil {
			t.Fatal(err)
		}
		if again, err := opened(t, dir).Attend(); err != nil || again != nil {
			t.Errorf("%v: two attend it", err)
		}
		done()
		other := opened(t, dir)
		late := &late{medium: other.medium, then: func() { w.registered(t, b, job(t, 1, 1)) }}
		other.medium = late
		if err := (Wait{Flush: func(ctx context.Context) error { _, err := other.Flush(ctx, w.flush()); return err }}).Run(t.Context(), other); err != nil || w.puts != 1 {
			t.Errorf("%v: %d transactions", err, w.puts)
		}
		w.registered(t, b, job(t, 2, 1))
		ended := attend(t, w, dir)
		synctest.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !isOver(ended) {
			t.Error("it waits for a box that was removed")
		}
	})
}

// late puts a record in before the box is given up for the first time.
type late struct {
	medium
	then func()
}

func (l *late) waiting() (func(), error) {
	done, err := l.medium.waiting()
	if done == nil || l.then == nil {
		return done, err
	}
	return func() { then := l.then; l.then = nil; then(); done() }, nil
}
