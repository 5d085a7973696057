package ipfs

import (
	"context"
	"sync"
	"time"
)

// A watchdog cancels a context when a node makes no progress for a time. It begins
// paused.
type watchdog struct {
	cancel context.CancelFunc
	idle   time.Duration

	mu    sync.Mutex
	timer *time.Timer
	fired bool
}

// newWatchdog also returns a context that ends with parent, with stop, or when the
// watchdog expires.
func newWatchdog(parent context.Context, idle time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancel(parent)
	w := &watchdog{cancel: cancel, idle: idle}
	w.timer = time.AfterFunc(time.Hour, w.fire)
	w.timer.Stop()
	return ctx, w
}

func (w *watchdog) fire() {
	w.mu.Lock()
	w.fired = true
	w.mu.Unlock()
	w.cancel()
}

// restart notes progress: the next progress is due within the idle time.
func (w *watchdog) restart() { w.timer.Reset(w.idle) }

// pause suspends the watchdog while nothing is due from the node.
func (w *watchdog) pause() { w.timer.Stop() }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel()
}

func (w *watchdog) expired() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fired
}
