package outbox

import (
	"context"
	"fmt"
	"time"
)

// A Wait writes entries when their time is up, without anybody's asking. One process does
// so for a box. It ends when nothing waits.
type Wait struct {
	Age   time.Duration               // the Policy's; zero means DefaultAge
	Flush func(context.Context) error // writes what is due
	Tell  func(err error)             // of a Flush that failed; nil tells nobody

	// Look is the longest time between two looks at the box; zero means 5 seconds.
	// Others may write its entries, or remove it.
	Look time.Duration
}

// Pauses after a flush that failed, or that left entries which are due.
const (
	firstPause   = time.Minute
	longestPause = 10 * time.Minute
	patience     = 24 * time.Hour // of failures
)

// Waiting reports whether a status has anything to write.
func (s Status) Waiting() bool { return s.Records > 0 || s.Pending > 0 || s.Sent > 0 }

// Due returns when all that waits is due, under a Policy's age. It is zero if nothing
// waits.
func (s Status) Due(age time.Duration) time.Time {
	if s.Oldest.IsZero() {
		return time.Time{}
	}
	return s.Oldest.Add(Policy{Age: age}.withDefaults().Age)
}

// Attended reports whether a process waits until entries of the box are due.
func (b *Box) Attended() (bool, error) {
	done, err := b.medium.waiting()
	if done != nil {
		done()
	}
	return err == nil && done == nil, err
}

// Attend marks the box as attended until done is called. Done is nil if another process
// attends it.
//
// Errors: those of the file system.
func (b *Box) Attend() (done func(), err error) { return b.medium.waiting() }

// Run waits and flushes until nothing waits. It returns at once if another process does.
//
// Errors:
//   - the last error of Flush, after a day of failures.
//   - the error of ctx, once it has ended.
//   - those of [Box.Prepare], also if the box was removed.
func (w Wait) Run(ctx context.Context, b *Box) error {
	for {
		done, err := b.Attend()
		for tries := 0; err == nil && done == nil && tries < 5; tries++ { // somebody may only look
			if err = sleep(ctx, 100*time.Millisecond); err == nil {
				done, err = b.Attend()
			}
		}
		if err != nil || done == nil {
			return err
		}
		err = w.attend(ctx, b)
		done()
		if err != nil {
			return err
		}
		// Somebody may have put a record in before the box was given up, and have
		// relied on this process.
		if waits, err := b.Status(); err != nil || !waits.Waiting() {
			return err
		}
	}
}

func (w Wait) attend(ctx context.Context, b *Box) error {
	var pause time.Duration
	var last, failing time.Time
	for {
		waits, err := b.Status()
		if err != nil || !waits.Waiting() {
			return err
		}
		next := waits.Due(w.Age)
		if waits.Now > 0 || waits.Sent > 0 || waits.Pending > 0 {
			next = time.Time{}
		}
		if earliest := last.Add(pause); next.Before(earliest) {
			next = earliest
		}
		if wait := time.Until(next); wait > 0 {
			if err := sleep(ctx, min(wait, w.look())); err != nil {
				return err
			}
			continue
		}
		err = w.Flush(ctx)
		last, pause = time.Now(), min(max(firstPause, 2*pause), longestPause)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			failing, pause = time.Time{}, firstPause
			continue
		case failing.IsZero():
			failing = last
		case last.Sub(failing) > patience:
			return fmt.Errorf("given up after %v: %w", patience, err)
		}
		if w.Tell != nil {
			w.Tell(err)
		}
	}
}

func (w Wait) look() time.Duration {
	if w.Look > 0 {
		return w.Look
	}
	return 5 * time.Second
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
