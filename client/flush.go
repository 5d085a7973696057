package client

import (
	"context"
	"fmt"
	"sync"

	"github.com/chartseal/chartseal/client/outbox"
)

// FlushOptions refine a flush of the outbox.
type FlushOptions struct {
	All  bool // write whatever waits, however little keeps it company; otherwise what is due
	Size int  // entries of a transaction; zero means that of the Client

	// Leave leaves it all to another process that is flushing already, instead of waiting
	// for it.
	Leave bool
}

// FlushIndex writes index entries that wait in the outbox: all that were to be written at
// once or were sent with an unknown outcome, and the others when they are due, see
// [outbox.Policy]. What could not be written stays, and may be flushed again.
func (c *Client) FlushIndex(ctx context.Context, o FlushOptions) (outbox.Report, error) {
	f := c.flush()
	f.All, f.Wait = o.All, !o.Leave
	if o.Size > 0 {
		f.Policy.Size = o.Size
	}
	report, err := c.outbox.Flush(ctx, f)
	if err != nil {
		return report, fmt.Errorf("write waiting index entries: %w", err)
	}
	return report, nil
}

// IndexStatus says what waits in the outbox.
func (c *Client) IndexStatus() (outbox.Status, error) { return c.outbox.Status() }

// CoverIndex writes a transaction of dummies, which nobody can tell from one that
// FlushIndex writes.
func (c *Client) CoverIndex(ctx context.Context) error {
	size := c.batching.Size
	if size <= 0 {
		size = outbox.DefaultSize
	}
	return c.writer.Dummy(ctx, size)
}

func (c *Client) flush() outbox.Flush {
	return outbox.Flush{Writer: c.writer, Records: c.ledger.Records, Policy: c.batching}
}

// commit puts the index entries of parcels in the outbox, registers the parcels, and
// writes the entries at the same time when they are to be found at once. Only the
// registration decides whether it fails.
func (j *job) commit(ctx context.Context, batch []*parcel, register func(context.Context) error) error {
	box := j.c.outbox
	waiting := outbox.Job{Now: j.request.Index == IndexNow}
	for _, p := range batch {
		waiting.Records = append(waiting.Records, outbox.Record{ID: p.id, Version: p.version, CID: p.cid, Commitment: p.commitment})
		waiting.Entries = append(waiting.Entries, p.entries...)
	}
	if len(waiting.Entries) == 0 {
		return register(ctx)
	}
	if err := box.Prepare(&waiting); err != nil {
		return err
	}
	var wg sync.WaitGroup
	var flushErr error
	if waiting.Now && !j.request.KeepEntries {
		f := j.c.flush()
		f.Job, f.Wait = &waiting.ID, true
		wg.Go(func() { _, flushErr = box.Flush(ctx, f) })
	}
	err := register(ctx)
	var noted error
	switch {
	case err == nil:
		noted = box.Registered(waiting.ID)
	case !j.keep: // it is certain that they are not on the ledger
		noted = box.Drop(waiting.ID)
	default:
		box.Unknown(waiting.ID)
	}
	wg.Wait()
	if err != nil {
		// A job of which the outbox could not be told is clarified by a later flush.
		return err
	}
	if flushErr != nil {
		j.warnAll(batch, "it cannot be found by its keywords yet: they are kept in the outbox, and the next command writes them (%v)", flushErr)
	}
	if noted != nil {
		j.warnAll(batch, "the outbox could not be told that it is sealed, and will ask the ledger (%v)", noted)
	}
	return nil
}

func (j *job) warnAll(batch []*parcel, format string, args ...any) {
	for _, p := range batch {
		p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
	}
}
