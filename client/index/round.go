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
	maxLabels   = ledger.MaxEntriesPerCall // in one call
	roundLabels = 4 * maxLabels            // in one round, so that memory stays bounded
	parallel    = 4                        // calls at once
)

// question is one label of a round and where its answer goes.
type question struct {
	label   Label
	cursor  *cursor
	counter uint64
}

// round asks the store what the cursors want, once. It returns false when none wants
// anything.
//
// Labels are sorted by value before they are sent, so that their order does not tell
// which belong to one chain. All of one chain's go in the same call, which the peer
// answers from one snapshot, unless the chain alone fills it.
func round(ctx context.Context, store Store, cursors []*cursor) (bool, error) {
	var calls [][]question
	var call []question
	total := 0
	for _, c := range cursors {
		if c.done() || total >= roundLabels {
			continue
		}
		want := c.wanted(min(maxLabels, roundLabels-total))
		if len(call)+len(want) > maxLabels {
			calls = append(calls, call)
			call = nil
		}
		for _, p := range want {
			call = append(call, question{c.keys.labelAt(c.chain, p), c, p})
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
			answers[i], err = ask(ctx, store, calls[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	for i, call := range calls {
		for j, q := range call {
			q.cursor.take(q.counter, q.label, answers[i][j])
		}
	}
	for _, c := range cursors {
		c.settle()
	}
	return true, nil
}

// ask sends one call and returns the values, aligned with questions, which it sorts.
func ask(ctx context.Context, store Store, questions []question) ([][]byte, error) {
	slices.SortFunc(questions, func(a, b question) int {
		if a.cursor.msp != b.cursor.msp {
			return bytes.Compare([]byte(a.cursor.msp), []byte(b.cursor.msp))
		}
		return bytes.Compare(a.label[:], b.label[:])
	})
	var batches []Batch
	for _, q := range questions {
		if n := len(batches); n == 0 || batches[n-1].MSP != q.cursor.msp {
			batches = append(batches, Batch{MSP: q.cursor.msp})
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

// aligned checks that an answer has the shape of its question.
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
