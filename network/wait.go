package network

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// defaultWaitTimeout is ample on a machine that does nothing else.
const defaultWaitTimeout = 2 * time.Minute

func (n *Network) waitTimeout() time.Duration { return cmp.Or(n.WaitTimeout, defaultWaitTimeout) }

// probeTimeout bounds one question to a server on this machine: 3 s unless WaitTimeout is
// set.
func (n *Network) probeTimeout() time.Duration { return probeTimeout(n.WaitTimeout) }

func probeTimeout(wait time.Duration) time.Duration {
	return cmp.Or(wait, defaultWaitTimeout) / 40
}

// withinWait derives the context of one wait.
func (n *Network) withinWait(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := n.waitTimeout()
	return context.WithTimeoutCause(ctx, limit, waitError{limit})
}

// A waitError says that a wait took too long.
type waitError struct{ limit time.Duration }

func (e waitError) Error() string { return fmt.Sprintf("not so after %v", e.limit) }

// Unwrap makes it ErrUnavailable.
func (e waitError) Unwrap() error { return ErrUnavailable }

// retry calls f until it succeeds or the wait has taken too long.
func (n *Network) retry(ctx context.Context, what string, f func(context.Context) error) error {
	ctx, cancel := n.withinWait(ctx)
	defer cancel()
	var last error
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // the end of the wait is no reason
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
