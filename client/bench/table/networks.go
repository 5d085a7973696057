package table

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/stage"
)

// An other is a second network, for the same measurements.
type other struct {
	*stage.Stage
	client *client.Client
	bare   yardstick
}

// elsewhere makes another network and measures on it, while the run's own network is
// stopped.
func (r *run) elsewhere(ctx context.Context, topology string, measure func(*other) error) (err error) {
	if err := r.Chartnet(ctx, "down"); err != nil {
		return err
	}
	s, err := stage.Up(ctx, stage.Options{Bin: r.Bin, Dir: r.Dir + "-other", Topology: topology})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p, err := s.Person("doctor@HospitalA")
	if err != nil {
		return err
	}
	o := &other{Stage: s}
	if o.client, err = p.Client(); err != nil {
		return err
	}
	if o.bare, err = calibrate(ctx, s, p, many, 2*many, sealMany(o.client, many, 2*many)); err != nil {
		return err
	}
	return measure(o)
}

// compare measures seals and bare puts with many concurrent callers.
func (r *run) compare(ctx context.Context, o *other, name string) (bench.Row, error) {
	const n = 3 * many
	took, used, err := bench.AlternateUsing(ctx, 3, o.SettledUsage, sealMany(o.client, many, n), o.bare.puts(many, n))
	if err != nil {
		return bench.Row{}, err
	}
	row := bench.Compare(name+": seal small records, 50 at once", "records/s", rate(n, took[0]), rate(n, took[1]), bench.Target{})
	row.Spread, row.N, row.Note = took[0].Spread(), len(took[0]), o.bare.note
	row.Costs(used[0], n, used[1], n)
	r.report.Add(row)
	return row, nil
}

// hospitals draws throughput against the number of hospitals, all on this one machine.
func (r *run) hospitals(ctx context.Context) error {
	sealing, putting := named("seal"), named("bare put")
	for n := 2; n <= 5; n++ {
		var names strings.Builder
		for i := range n {
			fmt.Fprintf(&names, "  - {name: Hospital%c, users: {doctor: {role: doctor}}}\n", 'A'+i)
		}
		err := r.elsewhere(ctx, "hospitals:\n"+names.String(), func(o *other) error {
			row, err := r.compare(ctx, o, fmt.Sprintf("%d hospitals", n))
			if err != nil {
				return err
			}
			sealing.Add(float64(n), row.Ours)
			putting.Add(float64(n), *row.Bare)
			return nil
		})
		if err != nil {
			return fmt.Errorf("%d hospitals: %w", n, err)
		}
	}
	r.draw("hospitals", "Sealing 4 KiB records, 50 callers, one machine", "hospitals", "a second", linear, sealing, putting)
	return nil
}

// ordering compares BFT with Raft.
func (r *run) ordering(ctx context.Context) error {
	var all []curves
	for _, kind := range []string{"bft", "raft"} {
		err := r.elsewhere(ctx, "ordering: {type: "+kind+"}\n", func(o *other) error {
			if _, err := r.compare(ctx, o, "ordering by "+kind); err != nil {
				return err
			}
			m, err := r.measureCurves(ctx, []int{1, 10, 25, 50}, o.client, o.bare)
			m.sealing.Name, m.putting.Name = "seal, "+kind, "bare put, "+kind
			all = append(all, m)
			return err
		})
		if err != nil {
			return fmt.Errorf("ordering by %s: %w", kind, err)
		}
	}
	r.draw("ordering", "Sealing 4 KiB records, BFT and Raft", "callers at once", "a second", linear,
		all[0].sealing, all[0].putting, all[1].sealing, all[1].putting)
	return nil
}
