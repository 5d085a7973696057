// Package undo gives time to take back what a call has half done.
package undo

import (
	"context"
	"time"
)

// Context is one in which to undo, though ctx may have ended. It ends after patience, and
// at the latest hurry after ctx has ended: who is told to stop is soon killed.
func Context(ctx context.Context, patience, hurry time.Duration) (context.Context, context.CancelFunc) {
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	unhook := context.AfterFunc(ctx, func() { time.AfterFunc(hurry, cancel) })
	return undo, func() {
		unhook()
		cancel()
	}
}
