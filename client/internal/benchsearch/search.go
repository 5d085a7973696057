package benchsearch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/bench"
)

// searches measures queries at each size of the index. What is measured is all of [client.Client.Search], with the record of each hit
// checked on the ledger; the yardstick is an evaluate of one key, in turns with it.
func (r *run) searches(ctx context.Context) error {
	first := make(map[string]bench.Times)
	for k, size := range r.sizes {
		if err := r.fill(ctx, size); err != nil {
			return err
		}
		queries := []struct{ name, text string }{{"one keyword", tenWord}, {"two terms with and", tenWord + " and " + fiftyWord}}
		searcher, err := r.members()[1].client()
		if err != nil {
			return err
		}
		raw, err := r.rawRead()
		if err != nil {
			return err
		}
		sides := []func(context.Context) error{raw}
		for _, q := range queries {
			sides = append(sides, func(ctx context.Context) error { return tenHits(ctx, searcher, q.text) })
		}
		times, err := bench.Alternate(ctx, r.queries, sides...)
		if err != nil {
			return err
		}
		for i, q := range queries {
			ours := times[i+1]
			name := fmt.Sprintf("search, %s, 10 hits, %s entries", q.name, count(size))
			target := bench.Target{}
			if i == 0 {
				target = bench.AtMost(4)
			}
			p50 := bench.CompareTimes(name+", p50", 0.5, ours, times[0], target)
			p50.Note = "bare: evaluate of one key"
			p95 := bench.CompareTimes(name+", p95", 0.95, ours, times[0], bench.Target{})
			p95.Note = p50.Note + ", p95"
			r.report.Add(p50, p95)
			if k == 0 {
				first[q.name] = ours
			} else if last := k == len(r.sizes)-1; last {
				growth := bench.CompareTimes(fmt.Sprintf("search, %s, p50 at %s against %s entries", q.name, count(size), count(r.sizes[0])), 0.5, ours, first[q.name], bench.AtMost(1.25))
				growth.Note = "bare: ours at the smaller size"
				r.report.Add(growth)
			}
		}
	}
	return nil
}

func tenHits(ctx context.Context, c *client.Client, query string) error {
	found, err := c.Search(ctx, query, client.SearchOptions{Scope: scope})
	if err != nil {
		return err
	}
	if len(found.Hits) != hits || len(found.Problems) > 0 {
		return fmt.Errorf("%q finds %d records, want %d: the measurement means nothing", query, len(found.Hits), hits)
	}
	return nil
}

// rawRead asks the peer of the searcher for one entry that exists, as a bare client does.
func (r *run) rawRead() (func(context.Context) error, error) {
	searcher := r.members()[1]
	entry := randomEntries(1)
	if err := searcher.ledger.PutEntries(context.Background(), entry); err != nil {
		return nil, err
	}
	r.entries++
	ask, err := json.Marshal([]ledger.LabelBatch{{MSP: searcher.ledger.MSP(), Labels: base64.StdEncoding.EncodeToString(entry[0].Label[:])}})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := searcher.bare.Evaluate(ctx, ledger.IndexGet, string(ask))
		return err
	}, nil
}

func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%d million", n/1_000_000)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%d thousand", n/1000)
	}
	return fmt.Sprint(n)
}
