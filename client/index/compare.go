package index

import (
	"bytes"
	"context"
	"fmt"
	"sync"
)

// A Comparison is a [Store] that reads from the peers of two organisations. So it finds
// entries that one of them withholds, even at the end of a chain. It answers with the
// entries of both, and records their differences. It costs privacy: the second peer sees
// the labels of the query too.
type Comparison struct {
	First, Second Store // writes go to First

	mu    sync.Mutex
	diffs map[Label]error
}

// GetEntries implements [Store].
func (c *Comparison) GetEntries(ctx context.Context, batches []Batch) ([][][]byte, error) {
	var values [2][][][]byte
	for i, store := range []Store{c.First, c.Second} {
		got, err := store.GetEntries(ctx, batches)
		if err != nil {
			return nil, err
		}
		if err := aligned(batches, got); err != nil {
			return nil, err
		}
		values[i] = got
	}
	// A peer may just be catching up: ask again for the labels where they differ.
	var again []Batch
	for i, b := range batches {
		differ := Batch{MSP: b.MSP}
		for j, l := range b.Labels {
			if !bytes.Equal(values[0][i][j], values[1][i][j]) {
				differ.Labels = append(differ.Labels, l)
			}
		}
		if len(differ.Labels) > 0 {
			again = append(again, differ)
		}
	}
	if len(again) == 0 {
		return values[0], nil
	}
	return c.settle(ctx, batches, values, again)
}

// settle asks both peers again for the labels where they differ, and merges the answers.
func (c *Comparison) settle(ctx context.Context, batches []Batch, values [2][][][]byte, again []Batch) ([][][]byte, error) {
	first, err := c.First.GetEntries(ctx, again)
	if err != nil {
		return nil, err
	}
	second, err := c.Second.GetEntries(ctx, again)
	if err != nil {
		return nil, err
	}
	for _, got := range [][][][]byte{first, second} {
		if err := aligned(again, got); err != nil {
			return nil, err
		}
	}
	type place struct {
		msp   string
		label Label
	}
	merged := make(map[place][]byte)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, b := range again {
		for j, l := range b.Labels {
			a, z := first[i][j], second[i][j]
			merged[place{b.MSP, l}] = a
			if a == nil {
				merged[place{b.MSP, l}] = z
			}
			if !bytes.Equal(a, z) {
				c.note(b.MSP, l, a, z)
			}
		}
	}
	for i, b := range batches {
		for j, l := range b.Labels {
			if v, ok := merged[place{b.MSP, l}]; ok {
				values[0][i][j] = v
			}
		}
	}
	return values[0], nil
}

func (c *Comparison) note(msp string, l Label, a, z []byte) {
	what := "the peers have different values"
	switch {
	case a == nil:
		what = "the first peer does not have it"
	case z == nil:
		what = "the second peer does not have it"
	}
	if c.diffs == nil {
		c.diffs = make(map[Label]error)
	}
	c.diffs[l] = fmt.Errorf("index entry %x of %s: %s: %w", l, msp, what, ErrTampered)
}

// Differences returns the entries on which the two peers differ, each an [ErrTampered].
func (c *Comparison) Differences() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []error
	for _, err := range c.diffs {
		out = append(out, err)
	}
	return out
}

// PutEntries implements [Store].
func (c *Comparison) PutEntries(ctx context.Context, entries []Entry) error {
	return c.First.PutEntries(ctx, entries)
}
