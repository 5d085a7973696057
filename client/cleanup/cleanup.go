// Package cleanup gives a call time to take back what it has half done.
package cleanup

import (
	"context"
	"time"
)

// Context returns a context for cleaning up after ctx, which may have ended already. It
// ends after patience, and at the latest hurry after ctx has ended: a program that is
// told to stop is soon killed. Call cancel to release its resources.
func Context(ctx context.Context, patience, hurry time.Duration) (context.Context, context.CancelFunc) {
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	unhook := context.AfterFunc(ctx, func() { time.AfterFunc(hurry, cancel) })
	return clean, func() {
		unhook()
		cancel()
	}
}
