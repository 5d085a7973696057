package table

import (
	"context"
	"io"
	"time"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/chart"
)

func named(name string) *chart.Curve { return &chart.Curve{Name: name} }

// Axes of a chart.
const (
	linear      = false
	logarithmic = true // both axes
)

// draw adds a chart to those drawn at the end of the run.
func (r *run) draw(file, title, x, y string, log bool, curves ...*chart.Curve) {
	c := chart.Chart{File: file, Title: title, X: x, Y: y, LogX: log, LogY: log}
	for _, curve := range curves {
		c.Curves = append(c.Curves, *curve)
	}
	r.charts = append(r.charts, c)
}

// sizes draws the time of seal and open, and of kubo's add and cat, against the size of a
// record.
func (r *run) sizes(ctx context.Context) error {
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	seal, open, add, cat := named("seal"), named("open"), named("kubo add"), named("kubo cat")
	top := of(r, 30, 26)
	for exponent := 10; exponent <= top; exponent += 4 {
		n, seed := int64(1)<<exponent, uint64(time.Now().UnixNano())
		var id, cid string
		took, err := bench.Alternate(ctx, 3, func(ctx context.Context) error {
			seed++
			s, err := c.Seal(ctx, client.SealRequest{Sources: []client.Source{source(n, seed)}, Policy: policyText})
			if err == nil {
				id = s[0].ID
			}
			return err
		}, func(ctx context.Context) (err error) {
			seed++
			cid, err = r.a.Kubo.Add(ctx, noise(n, seed))
			return err
		}, func(ctx context.Context) error {
			fresh, err := r.a.Client() // without an access entry yet
			if err == nil && id != "" {
				_, err = fresh.Open(ctx, id, io.Discard, client.OpenRequest{})
			}
			return err
		}, func(ctx context.Context) error {
			if cid == "" {
				return nil
			}
			return r.a.Kubo.Cat(ctx, cid, io.Discard)
		})
		if err != nil {
			return err
		}
		for i, curve := range []*chart.Curve{seal, add, open, cat} {
			curve.Add(float64(n), took[i].Median().Seconds())
		}
	}
	r.draw("size", "Records of 1 KiB to 1 GiB", "bytes", "seconds", logarithmic, seal, add, open, cat)
	return nil
}
