package table

import (
	"context"
	"errors"
	"os"
	"runtime/pprof"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/chart"
	"github.com/chartseal/chartseal/client/importer"
	"github.com/chartseal/chartseal/client/index"
)

const many = 50 // concurrent callers

// sealMany returns a run of n seals by a number of concurrent callers. The run ends when
// all waiting index entries are written.
func sealMany(c *client.Client, callers, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		_, _, err := bench.Concurrently(ctx, callers, n, func(ctx context.Context, i int) error {
			_, err := sealOne(ctx, c, i, index.ModeBatched)
			return err
		})
		if err == nil {
			_, err = c.FlushIndex(ctx, client.FlushOptions{All: true})
		}
		return err
	}
}

// puts returns a run of n bare puts by a number of concurrent callers.
func (y yardstick) puts(callers, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		_, _, err := bench.Concurrently(ctx, callers, n, func(ctx context.Context, _ int) error { return y.put(ctx) })
		return err
	}
}

// programs returns a run of n seals by a number of concurrent programs. Each program has
// a Client of its own, so they share no transactions, and each outbox keeps its own index
// entries.
func (r *run) programs(programs, n int) (func(context.Context) error, error) {
	clients := make([]*client.Client, programs)
	for i := range clients {
		var err error
		if clients[i], err = r.a.Client(); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		_, _, err := bench.Concurrently(ctx, programs, programs, func(ctx context.Context, i int) error {
			for k := range n / programs {
				_, err := clients[i].Seal(ctx, client.SealRequest{
					Sources: []client.Source{note(k)}, Policy: policyText, Scope: scope, Index: index.ModeBatched, KeepEntries: true,
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		return err
	}, nil
}

// importing returns a run that seals n records as an import does. Each batch is one
// transaction, and several batches are in flight at once. Index entries are written
// meanwhile, and the last ones at the end.
func importing(c *client.Client, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		_, _, err := bench.Concurrently(ctx, importer.InFlight, n/ledger.MaxNewRecords, func(ctx context.Context, batch int) error {
			sources := make([]client.Source, ledger.MaxNewRecords)
			for i := range sources {
				sources[i] = note(batch*len(sources) + i)
			}
			_, err := c.Seal(ctx, client.SealRequest{Sources: sources, Policy: policyText, Scope: scope, Index: index.ModeBatched, KeepEntries: true})
			return err
		})
		if err == nil {
			_, err = c.FlushIndex(ctx, client.FlushOptions{All: true})
		}
		return err
	}
}

// throughput measures many concurrent submitters.
func (r *run) throughput(ctx context.Context) error {
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	n, imported := of(r, 1000, 300), of(r, 6, 2)*ledger.MaxNewRecords // large enough that the last writes, which run alone, are a small part
	seals, imports := sealMany(c, many, n), importing(c, imported)
	bare, err := calibrate(ctx, r.Stage, r.a, many, n, seals)
	if err != nil {
		return err
	}
	took, used, err := bench.AlternateUsing(ctx, of(r, 4, 2), r.SettledUsage, seals, bare.puts(many, n), imports)
	if err != nil {
		return err
	}
	if err := r.profile(ctx, imports); err != nil {
		return err
	}
	one := bench.Compare("seal small records, 50 at once", "records/s", rate(n, took[0]), rate(n, took[1]), bench.AtLeast(0.7))
	one.Spread, one.N, one.Note = took[0].Spread(), len(took[0]), "one program, whose calls share transactions; all index entries included; "+bare.note
	one.Costs(used[0], n, used[1], n)
	batch := bench.Compare("import in batches", "records/s", rate(imported, took[2]), rate(n, took[1]), bench.AtLeast(5))
	batch.Spread, batch.N, batch.Note = took[2].Spread(), len(took[2]), "250 records a transaction; all index entries included; bare: as above, one transaction a record"
	batch.Costs(used[2], imported, used[1], n)
	r.report.Add(one, batch)
	return nil
}

// apart measures many concurrent programs, which share no transactions.
func (r *run) apart(ctx context.Context) error {
	n := of(r, 400, 150)
	programs, err := r.programs(many, n)
	if err != nil {
		return err
	}
	bare, err := calibrate(ctx, r.Stage, r.a, many, n, programs)
	if err != nil {
		return err
	}
	took, used, err := bench.AlternateUsing(ctx, of(r, 4, 2), r.SettledUsage, programs, bare.puts(many, n))
	if err != nil {
		return err
	}
	row := bench.Compare("seal small records, 50 programs at once", "records/s", rate(n, took[0]), rate(n, took[1]), bench.Target{})
	row.Spread, row.N, row.Note = took[0].Spread(), len(took[0]), "a transaction a record; index entries wait in the outboxes; "+bare.note
	row.Costs(used[0], n, used[1], n)
	r.report.Add(row)
	return nil
}

// rate returns operations a second, for n operations in each turn.
func rate(n int, t bench.Times) float64 { return float64(n) / t.Median().Seconds() }

// profile repeats the work with a CPU profile, if the options ask for one.
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
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	bare, err := calibrate(ctx, r.Stage, r.a, many, many, sealMany(c, many, many))
	if err != nil {
		return err
	}
	m, err := r.measureCurves(ctx, []int{1, 5, 10, 25, 50}, c, bare)
	if err != nil {
		return err
	}
	r.draw("throughput", "Sealing 4 KiB records", "callers at once", "a second", linear, m.sealing, m.putting)
	r.draw("latency", "Sealing 4 KiB records", "callers at once", "p50, ms", linear, m.sealLatency, m.putLatency)
	return nil
}

// curves are throughput and latency against the number of callers.
type curves struct{ sealing, putting, sealLatency, putLatency *chart.Curve }

func (r *run) measureCurves(ctx context.Context, callers []int, c *client.Client, bare yardstick) (curves, error) {
	m := curves{named("seal"), named("bare put"), named("seal"), named("bare put")}
	for _, callers := range callers {
		n := of(r, 8, 3) * callers
		for _, side := range []struct {
			do            func(ctx context.Context, i int) error
			rate, latency *chart.Curve
		}{
			{func(ctx context.Context, i int) error { _, err := sealOne(ctx, c, i, index.ModeBatched); return err }, m.sealing, m.sealLatency},
			{func(ctx context.Context, _ int) error { return bare.put(ctx) }, m.putting, m.putLatency},
		} {
			took, each, err := bench.Concurrently(ctx, callers, n, side.do)
			if err != nil {
				return m, err
			}
			side.rate.Add(float64(callers), float64(n)/took.Seconds())
			side.latency.Add(float64(callers), float64(each.Median().Milliseconds()))
		}
	}
	return m, nil
}
