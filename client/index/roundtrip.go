package index

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"golang.org/x/sync/errgroup"
)

const (
	maxLabels      = ledger.MaxEntriesPerCall // in one call
	maxRoundLabels = 4 * maxLabels            // in one round, so that memory stays bounded
	parallel       = 4                        // calls at once
)

// A probe asks for one label on behalf of a chain reader.
type probe struct {
	label   Label
	reader  *chainReader
	counter uint64
}

// roundTrip asks the store once for the next labels of all readers. It returns false when
// no reader needs any.
//
// The labels of a call are sorted, so that their order does not show which of them belong
// to one chain. The peer answers a call from one snapshot, so the labels of one chain
// share a call, unless they fill more than one.
func roundTrip(ctx context.Context, store Store, readers []*chainReader) (bool, error) {
	var calls [][]probe
	var call []probe
	total := 0
	for _, c := range readers {
		if c.done() || total >= maxRoundLabels {
			continue
		}
		want := c.nextCounters(min(maxLabels, maxRoundLabels-total))
		if len(call)+len(want) > maxLabels {
			calls = append(calls, call)
			call = nil
		}
		for _, p := range want {
			call = append(call, probe{c.keys.labelAt(c.chain, p), c, p})
		}
		total += len(want)
	}
	if len(call) > 0 {
		calls = append(calls, call)
	}
	if len(calls) == 0 {
		return false, nil
	}

	answers := make([][][]byte, len(calls))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range calls {
		group.Go(func() error {
			var err error
			answers[i], err = getValues(ctx, store, calls[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	for i, call := range calls {
		for j, q := range call {
			q.reader.answer(q.counter, q.label, answers[i][j])
		}
	}
	for _, c := range readers {
		c.conclude()
	}
	return true, nil
}

// getValues sorts the probes, sends one call, and returns the values, aligned with
// probes.
func getValues(ctx context.Context, store Store, probes []probe) ([][]byte, error) {
	slices.SortFunc(probes, func(a, b probe) int {
		if a.reader.msp != b.reader.msp {
			return bytes.Compare([]byte(a.reader.msp), []byte(b.reader.msp))
		}
		return bytes.Compare(a.label[:], b.label[:])
	})
	var batches []Batch
	for _, q := range probes {
		if n := len(batches); n == 0 || batches[n-1].MSP != q.reader.msp {
			batches = append(batches, Batch{MSP: q.reader.msp})
		}
		last := &batches[len(batches)-1]
		last.Labels = append(last.Labels, q.label)
	}
	got, err := store.GetEntries(ctx, batches)
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	if err := aligned(batches, got); err != nil {
		return nil, err
	}
	return slices.Concat(got...), nil
}

// aligned checks that an answer has the shape of its request.
func aligned(batches []Batch, got [][][]byte) error {
	if len(got) != len(batches) {
		return fmt.Errorf("read the index: %d batches in the answer, want %d: %w", len(got), len(batches), ErrTampered)
	}
	for i, batch := range batches {
		if len(got[i]) != len(batch.Labels) {
			return fmt.Errorf("read the index: %d values in the answer, want %d: %w", len(got[i]), len(batch.Labels), ErrTampered)
		}
	}
	return nil
}
