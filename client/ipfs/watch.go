package ipfs

import (
	"context"
	"io"
	"sync"
	"time"
)

// A watch cancels a context when nothing has moved for a time. It begins stopped.
type watch struct {
	cancel context.CancelFunc
	idle   time.Duration

	mu    sync.Mutex
	timer *time.Timer
	fired bool
}

func newWatch(parent context.Context, idle time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancel(parent)
	w := &watch{cancel: cancel, idle: idle}
	w.timer = time.AfterFunc(time.Hour, w.fire)
	w.timer.Stop()
	return ctx, w
}

func (w *watch) fire() {
	w.mu.Lock()
	w.fired = true
	w.mu.Unlock()
	w.cancel()
}

// start says that something moved, and that the next thing is due within the idle time.
func (w *watch) start() { w.timer.Reset(w.idle) }

// pause says that nothing is due.
func (w *watch) pause() { w.timer.Stop() }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel()
}

func (w *watch) expired() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fired
}

// watchedReader blames the node for time between reads, and the source for time and
// errors within them.
type watchedReader struct {
	r     io.Reader
	watch *watch
	err   error // of the source
	ended bool  // the source was read to its end, so that the node may have got all of it
}

func (w *watchedReader) Read(p []byte) (int, error) {
	w.watch.pause()
	n, err := w.r.Read(p)
	w.watch.start()
	if err == io.EOF {
		w.ended = true
	} else if err != nil {
		w.err = err
	}
	return n, err
}
