package table

import (
	"context"
	"slices"
	"time"

	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/stage"
)

// processes reports the peak memory of each kind of server.
func (r *run) processes(context.Context) error {
	all, err := r.Servers()
	if err != nil {
		return err
	}
	most := map[string]int64{}
	for _, s := range all {
		most[s.Kind] = max(most[s.Kind], stage.Memory(s.PID, "VmHWM"))
	}
	var kinds []string
	for kind := range most {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		row := bench.Just("memory at most, "+kind, "MiB", float64(most[kind])/(1<<20))
		row.Note = "peak of the largest, after all of the above"
		r.report.Add(row)
	}
	return nil
}

// warmStart measures a restart of the network.
func (r *run) warmStart(ctx context.Context) error {
	if err := r.Chartnet(ctx, "down"); err != nil {
		return err
	}
	start := time.Now()
	if err := r.Chartnet(ctx, "up"); err != nil {
		return err
	}
	row := bench.Just("network up again, with its ledger", "s", time.Since(start).Seconds())
	row.Require(row.Ours <= 6, "at most 6 s")
	r.report.Add(row)
	return nil
}
