package search

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/index"
)

// The keywords of the measured queries. Ten records have both keywords, and forty more
// have the second one only.
const (
	tenWord   = "ten"
	fiftyWord = "fifty"
	hits      = 10
)

// prepare seals the records that the queries find.
func (r *run) prepare(ctx context.Context) error {
	for i, p := range r.members {
		c, err := p.Client()
		if err != nil {
			return err
		}
		for _, batch := range [][]string{{tenWord, fiftyWord}, {fiftyWord}} {
			n := map[int]int{1: 13, 2: 3}[len(batch)]
			if i == 0 { // 4+3+3 records with both keywords, 14+13+13 with one
				n++
			}
			var sources []client.Source
			for k := range n {
				sources = append(sources, client.ReaderSource(fmt.Sprintf("%d-%d.txt", i, k), strings.NewReader(fmt.Sprintf("record %d of %s", k, p.Ledger.Actor()))))
			}
			sealed, err := c.Seal(ctx, client.SealRequest{Sources: sources, Policy: policy, Scope: scope, Keywords: batch, Index: index.ModeNow})
			if err != nil {
				return err
			}
			for _, s := range sealed {
				r.entries += s.Terms
			}
		}
	}
	return nil
}

// fill writes random entries until the index has n of them. A peer cannot tell them from
// genuine entries, because labels and values are outputs of pseudorandom functions. So
// the state and its cost are the same. Several submitters send large transactions.
func (r *run) fill(ctx context.Context, n int) error {
	missing := n - r.entries
	if missing <= 0 {
		return nil
	}
	const each, submitters = ledger.MaxEntriesPerCall, 6
	calls := (missing + each - 1) / each
	r.report.Say("filling the index to %d entries: %d transactions", n, calls)
	took, _, err := bench.Concurrently(ctx, submitters, calls, func(ctx context.Context, i int) error {
		return r.members[i%3].Ledger.PutEntries(ctx, randomEntries(min(each, missing-i*each)))
	})
	if err != nil {
		return fmt.Errorf("fill the index: %w", err)
	}
	r.entries += missing
	r.report.Say("filled at %.0f entries a second", float64(missing)/took.Seconds())
	return r.settle(ctx)
}

func randomEntries(n int) []index.Entry {
	entries := make([]index.Entry, n)
	for i := range entries {
		rand.Read(entries[i].Label[:])
		rand.Read(entries[i].Value[:])
	}
	return entries
}

// settle waits until every hospital's peer has the last entry and the machine is idle.
func (r *run) settle(ctx context.Context) error {
	last := randomEntries(1)
	writer := r.members[0].Ledger
	if err := writer.PutEntries(ctx, last); err != nil {
		return err
	}
	r.entries++
	ask := []index.Batch{{MSP: writer.MSP(), Labels: []index.Label{last[0].Label}}}
	for _, p := range r.members {
		for {
			got, err := p.Ledger.GetEntries(ctx, ask)
			if err != nil {
				return err
			}
			if got[0][0] != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	time.Sleep(3 * time.Second) // LevelDB compacts
	return nil
}
