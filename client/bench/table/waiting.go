package table

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/index"
)

// note returns a FHIR resource of about 4 KiB.
func note(n int) client.Source {
	text := fmt.Sprintf(`{"resourceType":"Observation","id":"%d","subject":{"reference":"Patient/%d"},"code":{"coding":[{"system":"http://loinc.org","code":"%d-4"}]},"issued":"2025-%02d-%02dT10:00:00Z","note":[{"text":"%s"}]}`,
		n, n%50, 1000+n%97, n%12+1, n%28+1, strings.Repeat("finding ", 475))
	return client.ReaderSource(fmt.Sprintf("observation-%d.json", n), strings.NewReader(text))
}

func sealOne(ctx context.Context, c *client.Client, n int, mode index.Mode, keywords ...string) (client.Sealed, error) {
	sealed, err := c.Seal(ctx, client.SealRequest{Sources: []client.Source{note(n)}, Policy: policyText, Scope: scope, Index: mode, Keywords: keywords})
	if err != nil {
		return client.Sealed{}, err
	}
	return sealed[0], nil
}

// waiting measures the latency that one person sees.
func (r *run) waiting(ctx context.Context) error {
	rounds := of(r, 60, 25)
	for _, part := range []func(context.Context, int) error{r.seals, r.opens, r.openAgain, r.searches} {
		if err := part(ctx, rounds); err != nil {
			return err
		}
	}
	return nil
}

// few is the number of registrations that calibrate a yardstick. It is too small to make
// the outbox write index entries, because the median registration writes none either.
const few = 6

func (r *run) seals(ctx context.Context, rounds int) error {
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	n := 0
	seal := func(mode index.Mode) func(context.Context) error {
		return func(ctx context.Context) error {
			n++
			_, err := sealOne(ctx, c, n, mode)
			return err
		}
	}
	bare, err := calibrate(ctx, r.Stage, r.a, 1, few, times(few, seal(index.ModeBatched)))
	if err != nil {
		return err
	}
	took, used, err := bench.AlternateUsing(ctx, rounds, r.Usage, seal(index.ModeBatched), bare.put, seal(index.ModeNow))
	if err != nil {
		return err
	}
	batched := bench.CompareTimes("one seal, p50", 0.5, took[0], took[1], bench.AtMost(1.6))
	batched.Note = "4 KiB FHIR, entries batched; " + bare.note
	batched.Costs(used[0], 1, used[1], 1)
	now := bench.CompareTimes("one seal indexed at once, p50", 0.5, took[2], took[1], bench.Target{})
	now.Note = "the same with --index now"
	now.Costs(used[2], 1, used[1], 1)
	r.report.Add(batched, now)
	return nil
}

// times repeats the work n times in sequence.
func times(n int, work func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for range n {
			if err := work(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func open(ctx context.Context, c *client.Client, id string) error {
	var out bytes.Buffer
	_, err := c.Open(ctx, id, &out, client.OpenRequest{})
	return err
}

func (r *run) opens(ctx context.Context, rounds int) error {
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	record, err := sealOne(ctx, c, 1_000_000, index.ModeNow)
	if err != nil {
		return err
	}
	first := func(ctx context.Context) error {
		fresh, err := r.a.Client() // without an access entry yet
		if err != nil {
			return err
		}
		return open(ctx, fresh, record.ID)
	}
	bare, err := calibrate(ctx, r.Stage, r.a, 1, few, times(few, first))
	if err != nil {
		return err
	}
	took, used, err := bench.AlternateUsing(ctx, rounds, r.Usage, first, bare.put)
	if err != nil {
		return err
	}
	row := bench.CompareTimes("one open with its access entry, p50", 0.5, took[0], took[1], bench.AtMost(1.6))
	row.Note = bare.note
	row.Costs(used[0], 1, used[1], 1)
	r.report.Add(row)
	return nil
}

func (r *run) openAgain(ctx context.Context, rounds int) error {
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	record, err := sealOne(ctx, c, 1_500_000, index.ModeNow)
	if err != nil {
		return err
	}
	get, err := r.bareGet(ctx)
	if err != nil {
		return err
	}
	took, used, err := bench.AlternateUsing(ctx, 3*rounds, r.Usage, func(ctx context.Context) error { return open(ctx, c, record.ID) }, get)
	if err != nil {
		return err
	}
	row := bench.CompareTimes("open with an access entry that is there, p50", 0.5, took[0], took[1], bench.AtMost(8))
	row.Note = getNote
	row.Costs(used[0], 1, used[1], 1)
	r.report.Add(row)
	return nil
}

const getNote = "bare: asset:Get of one key"

// bareGet returns the bare evaluate.
func (r *run) bareGet(ctx context.Context) (func(context.Context) error, error) {
	const key = "an asset"
	if err := r.a.Bare.Put(ctx, key, "its value"); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := r.a.Bare.Get(ctx, key)
		return err
	}, nil
}

func (r *run) searches(ctx context.Context, rounds int) error {
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	for i := range 10 {
		if _, err := sealOne(ctx, c, 2_000_000+i, index.ModeNow, "benchword"); err != nil {
			return err
		}
	}
	search := func(ctx context.Context) error {
		found, err := c.Search(ctx, index.MustParseQuery("benchword"), client.SearchOptions{Scope: scope})
		if err == nil && len(found.Hits) != 10 {
			err = fmt.Errorf("%d hits, want 10", len(found.Hits))
		}
		return err
	}
	get, err := r.bareGet(ctx)
	if err != nil {
		return err
	}
	took, used, err := bench.AlternateUsing(ctx, 3*rounds, r.Usage, search, get)
	if err != nil {
		return err
	}
	row := bench.CompareTimes("search, one keyword, 10 hits, p50", 0.5, took[0], took[1], bench.AtMost(4))
	row.Note = getNote
	row.Costs(used[0], 1, used[1], 1)
	r.report.Add(row)
	return nil
}
