package benchtable

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/internal/bench"
)

const (
	many        = 50 // concurrent callers
	ledgerSize  = 4  // index entries that take about the bytes that a record's registration writes publicly
	barePutNote = "bare: index:Put of as many random bytes, one transaction each"
)

// put is the bare submit.
func (p *person) put(ctx context.Context, entries int) error {
	packed := make([]byte, entries*ledger.PackedEntrySize)
	rand.Read(packed)
	_, err := p.bare.Submit(ctx, ledger.IndexPut, base64.StdEncoding.EncodeToString(packed))
	return err
}

// putMany is the put for many callers at once. Then BFT orderers answer some submissions with "request already processed", which a plain
// gateway client takes for a failure; so it goes through our adapter, which asks for the transaction's status instead.
func (p *person) putMany(ctx context.Context, entries int) error {
	random := make([]index.Entry, entries)
	for i := range random {
		rand.Read(random[i].Label[:])
		rand.Read(random[i].Value[:])
	}
	return p.ledger.PutEntries(ctx, random)
}

// get is the bare evaluate.
func (p *person) get(ctx context.Context, id string) error {
	ids, err := json.Marshal([]string{id})
	if err != nil {
		return err
	}
	_, err = p.bare.Evaluate(ctx, ledger.RecordGet, string(ids))
	return err
}

func sealOne(ctx context.Context, c *client.Client, n int, mode client.IndexMode, keywords ...string) (client.Sealed, error) {
	sealed, err := c.Seal(ctx, client.SealRequest{Sources: []client.Source{note(n)}, Policy: policyText, Scope: scope, Index: mode, Keywords: keywords})
	if err != nil {
		return client.Sealed{}, err
	}
	return sealed[0], nil
}

// waiting measures what one person waits for.
func (r *run) waiting(ctx context.Context) error {
	c, err := r.a.client()
	if err != nil {
		return err
	}
	n := 0
	seal := func(mode client.IndexMode) func(context.Context) error {
		return func(ctx context.Context) error {
			n++
			_, err := sealOne(ctx, c, n, mode)
			return err
		}
	}
	rounds := of(r, 60, 25)
	submit := func(ctx context.Context) error { return r.a.put(ctx, 1) }
	times, err := bench.Alternate(ctx, rounds, seal(client.IndexBatched), submit, seal(client.IndexNow))
	if err != nil {
		return err
	}
	batched := bench.CompareTimes("one seal, p50", 0.5, times[0], times[1], bench.AtMost(1.6))
	batched.Note = "4 KiB FHIR, entries batched; bare: index:Put of one entry"
	now := bench.CompareTimes("one seal indexed at once, p50", 0.5, times[2], times[1], bench.Target{})
	now.Note = "the same with --index now"
	r.report.Add(batched, now)
	if err := r.opens(ctx, rounds); err != nil {
		return err
	}
	return r.searches(ctx, rounds)
}

func (r *run) opens(ctx context.Context, rounds int) error {
	c, err := r.a.client()
	if err != nil {
		return err
	}
	record, err := sealOne(ctx, c, 1_000_000, client.IndexNow)
	if err != nil {
		return err
	}
	open := func(ctx context.Context, c *client.Client) error {
		var out bytes.Buffer
		_, err := c.Open(ctx, record.ID, &out, client.OpenRequest{})
		return err
	}
	first := func(ctx context.Context) error {
		fresh, err := r.a.client() // it has no access entry yet
		if err != nil {
			return err
		}
		return open(ctx, fresh)
	}
	submit := func(ctx context.Context) error { return r.a.put(ctx, 1) }
	times, err := bench.Alternate(ctx, rounds, first, submit)
	if err != nil {
		return err
	}
	row := bench.CompareTimes("one open with its access entry, p50", 0.5, times[0], times[1], bench.AtMost(1.6))
	row.Note = "bare: index:Put of one entry"
	again := func(ctx context.Context) error { return open(ctx, c) }
	evaluate := func(ctx context.Context) error { return r.a.get(ctx, record.ID) }
	if times, err = bench.Alternate(ctx, 3*rounds, again, evaluate); err != nil {
		return err
	}
	second := bench.CompareTimes("open with an access entry that is there, p50", 0.5, times[0], times[1], bench.AtMost(8))
	second.Note = "bare: record:Get"
	r.report.Add(row, second)
	return nil
}

func (r *run) searches(ctx context.Context, rounds int) error {
	c, err := r.a.client()
	if err != nil {
		return err
	}
	var id string
	for i := range 10 {
		s, err := sealOne(ctx, c, 2_000_000+i, client.IndexNow, "benchword")
		if err != nil {
			return err
		}
		id = s.ID
	}
	search := func(ctx context.Context) error {
		found, err := c.Search(ctx, "benchword", client.SearchOptions{Scope: scope})
		if err == nil && len(found.Hits) != 10 {
			err = fmt.Errorf("%d hits, want 10", len(found.Hits))
		}
		return err
	}
	times, err := bench.Alternate(ctx, 3*rounds, search, func(ctx context.Context) error { return r.a.get(ctx, id) })
	if err != nil {
		return err
	}
	row := bench.CompareTimes("search, one keyword, 10 hits, p50", 0.5, times[0], times[1], bench.AtMost(4))
	row.Note = "bare: record:Get"
	r.report.Add(row)
	return nil
}

// throughput lets many submit at once.
func (r *run) throughput(ctx context.Context) error {
	c, err := r.a.client()
	if err != nil {
		return err
	}
	n := of(r, 400, 150)
	ours := func(ctx context.Context) error {
		_, _, err := bench.Concurrently(ctx, many, n, func(ctx context.Context, i int) error {
			_, err := sealOne(ctx, c, i, client.IndexBatched)
			return err
		})
		return err
	}
	raw := func(ctx context.Context) error {
		_, _, err := bench.Concurrently(ctx, many, n, func(ctx context.Context, _ int) error { return r.a.putMany(ctx, ledgerSize) })
		return err
	}
	batches := func(ctx context.Context) error {
		sources := make([]client.Source, 2*ledger.MaxRecordsPerCall)
		for i := range sources {
			sources[i] = note(i)
		}
		_, err := c.Seal(ctx, client.SealRequest{Sources: sources, Policy: policyText, Scope: scope, Index: client.IndexBatched})
		return err
	}
	used, sides := r.accounted(ctx, ours, raw, batches)
	times, err := bench.Alternate(ctx, of(r, 4, 2), sides...)
	if err != nil {
		return err
	}
	for i, side := range []string{"seal, 50 at once", "bare put, 50 at once", "seal in batches"} {
		r.report.Say("processor time a record, %s: %s", side, used[i].per([]int{n, n, 2 * ledger.MaxRecordsPerCall}[i]*(len(times[i])+1)))
	}
	if err := r.profile(ctx, batches); err != nil {
		return err
	}
	rate := func(n int, t bench.Times) float64 { return float64(n) / t.Median().Seconds() }
	one := bench.Compare("seal small records, 50 at once", "records/s", rate(n, times[0]), rate(n, times[1]), bench.AtLeast(0.7))
	one.Spread, one.N, one.Note = times[0].Spread(), len(times[0]), barePutNote
	batch := bench.Compare("seal small records in batches", "records/s", rate(2*ledger.MaxRecordsPerCall, times[2]), rate(n, times[1]), bench.AtLeast(5))
	batch.Spread, batch.N, batch.Note = times[2].Spread(), len(times[2]), "100 a transaction; "+barePutNote
	r.report.Add(one, batch)
	return nil
}

// profile does the work once more with a profile, if one is asked for.
func (r *run) profile(ctx context.Context, work func(context.Context) error) error {
	if r.Profile == "" {
		return nil
	}
	f, err := os.Create(r.Profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = work(ctx)
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

// concurrency draws latency and throughput against the number of callers.
func (r *run) concurrency(ctx context.Context) error {
	c, err := r.a.client()
	if err != nil {
		return err
	}
	var ours, raw, oursLatency, rawLatency curve
	for _, callers := range []int{1, 5, 10, 25, 50} {
		n := of(r, 8, 3) * callers
		took, each, err := bench.Concurrently(ctx, callers, n, func(ctx context.Context, i int) error {
			_, err := sealOne(ctx, c, i, client.IndexBatched)
			return err
		})
		if err != nil {
			return err
		}
		x := float64(callers)
		ours.add(x, float64(n)/took.Seconds())
		oursLatency.add(x, float64(each.Median().Milliseconds()))
		took, each, err = bench.Concurrently(ctx, callers, n, func(ctx context.Context, _ int) error { return r.a.putMany(ctx, ledgerSize) })
		if err != nil {
			return err
		}
		raw.add(x, float64(n)/took.Seconds())
		rawLatency.add(x, float64(each.Median().Milliseconds()))
	}
	r.curves = append(r.curves,
		plotted{file: "throughput", title: "Sealing 4 KiB records", x: "callers at once", y: "a second", ours: ours, bare: raw, bareName: "bare put"},
		plotted{file: "latency", title: "Sealing 4 KiB records", x: "callers at once", y: "p50, ms", ours: oursLatency, bare: rawLatency, bareName: "bare put"})
	return nil
}

// ledgerBytes measures what a record with 20 keywords adds to a peer's disk.
func (r *run) ledgerBytes(ctx context.Context) error {
	c, err := r.a.client()
	if err != nil {
		return err
	}
	const n = ledger.MaxRecordsPerCall
	words := make([]string, 20)
	for i := range words {
		words[i] = fmt.Sprintf("keyword%d", i)
	}
	sources := make([]client.Source, n)
	for i := range sources {
		sources[i] = client.ReaderSource("note", bytes.NewReader(fmt.Appendf(nil, "note %d", i)))
	}
	before := r.chainBytes()
	start := time.Now()
	if _, err := c.Seal(ctx, client.SealRequest{Sources: sources, Policy: policyText, Scope: scope, Index: client.IndexNow, Keywords: words}); err != nil {
		return err
	}
	row := bench.Just("block bytes a record with 20 keywords", "KiB", float64(r.chainBytes()-before)/n/1024)
	row.Note = fmt.Sprintf("block files of one peer, 100 records in a batch, in %v", time.Since(start).Round(time.Millisecond))
	r.report.Add(row)
	return nil
}
