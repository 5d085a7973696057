package client

import (
	"cmp"
	"context"
	"fmt"

	"github.com/chartseal/chartseal/client/outbox"
)

// FlushOptions refine a flush of the outbox.
type FlushOptions struct {
	All  bool // write everything that waits, also if few records hide each other; otherwise what is due
	Size int  // entries of a transaction; zero means that of the Client

	// Leave returns at once if another process is flushing, instead of waiting for it.
	Leave bool
}

// FlushIndex writes index entries that wait in the outbox: all that were to be written at
// once or were sent with an unknown outcome, and the others when they are due, see
// [outbox.Policy]. Entries that could not be written stay, and may be flushed again.
func (c *Client) FlushIndex(ctx context.Context, o FlushOptions) (outbox.Report, error) {
	f := c.flusher.Options()
	f.All, f.Wait = o.All, !o.Leave
	if o.Size > 0 {
		f.Policy.Size = o.Size
	}
	report, err := c.flusher.Box.Flush(ctx, f)
	if err != nil {
		return report, fmt.Errorf("write waiting index entries: %w", err)
	}
	return report, nil
}

// IndexStatus reports what waits in the outbox.
func (c *Client) IndexStatus() (outbox.Status, error) { return c.flusher.Box.Status() }

// CoverIndex writes a transaction of dummies, which nobody can tell from one that
// FlushIndex writes.
func (c *Client) CoverIndex(ctx context.Context) error {
	return c.flusher.Writer.Dummy(ctx, cmp.Or(max(c.flusher.Policy.Size, 0), outbox.DefaultSize))
}
