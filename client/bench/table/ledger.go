package table

import (
	"bytes"
	"context"
	"fmt"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/stage"
	"github.com/chartseal/chartseal/client/index"
)

// The cost at commit 258c7d5, before any optimisation, measured as here: KiB a record.
const (
	firstBlocks = 10.58
	firstState  = 11.04 // state 7.02, private data 3.15, history 0.87
)

// ledgerBytes measures the bytes that a record with 20 keywords adds to a peer's disk,
// after the databases have moved their journals to the final files.
func (r *run) ledgerBytes(ctx context.Context) error {
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	const n = 100
	words := make([]string, 20)
	for i := range words {
		words[i] = fmt.Sprintf("keyword%d", i)
	}
	sources := make([]client.Source, n)
	for i := range sources {
		sources[i] = client.ReaderSource("note", bytes.NewReader(fmt.Appendf(nil, "note %d", i)))
	}
	settled := func() (stage.Disk, error) {
		err := r.Settle(ctx, "HospitalA")
		return r.Disk("HospitalA"), err
	}
	before, err := settled()
	if err != nil {
		return err
	}
	if _, err := c.Seal(ctx, client.SealRequest{Sources: sources, Policy: policyText, Scope: scope, Index: index.ModeNow, Keywords: words}); err != nil {
		return err
	}
	after, err := settled()
	if err != nil {
		return err
	}
	grown := after.Minus(before)
	kib := func(bytes int64) float64 { return float64(bytes) / n / 1024 }
	blocks := bench.Compare("block bytes a record with 20 keywords", "KiB", kib(grown.Blocks), firstBlocks, bench.AtMost(0.5))
	blocks.Note = "block files of one peer, 100 records in a batch; bare: where it started, commit 258c7d5"
	state := bench.Compare("state bytes a record with 20 keywords", "KiB", kib(grown.State+grown.Private+grown.History), firstState, bench.AtMost(0.5))
	state.Note = fmt.Sprintf("state %.1f, private data %.1f, history %.1f, after a restart; all of the peer's ledger grew by %.1f; bare: where it started, commit 258c7d5",
		kib(grown.State), kib(grown.Private), kib(grown.History), kib(grown.All))
	r.report.Add(blocks, state)
	return nil
}
