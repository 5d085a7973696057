package benchtable

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client"
)

// A curve is what was measured at several points.
type curve plotter.XYs

func (c *curve) add(x, y float64) { *c = append(*c, plotter.XY{X: x, Y: y}) }

// A plotted pair of curves.
type plotted struct {
	file, title, x, y  string
	ours, bare         curve
	oursName, bareName string
	log                bool
}

// sizes draws the rates of seal and open against the size of a record.
func (r *run) sizes(ctx context.Context) error {
	c, err := r.a.client()
	if err != nil {
		return err
	}
	var seal, open curve
	top := of(r, 30, 26)
	for _, exponent := range []int{10, 14, 18, 22, 26, 30} {
		if exponent > top {
			break
		}
		n := int64(1) << exponent
		start := time.Now()
		s, err := c.Seal(ctx, client.SealRequest{Sources: []client.Source{source(n, uint64(start.UnixNano()))}, Policy: policyText})
		if err != nil {
			return err
		}
		seal.add(float64(n), time.Since(start).Seconds())
		start = time.Now()
		if _, err := c.Open(ctx, s[0].ID, io.Discard, client.OpenRequest{}); err != nil {
			return err
		}
		open.add(float64(n), time.Since(start).Seconds())
	}
	r.curves = append(r.curves, plotted{file: "size", title: "Records of 1 KiB and more", x: "bytes", y: "seconds", ours: seal, bare: open, oursName: "seal", bareName: "open", log: true})
	return nil
}

// policies draws the time of wrapping and unwrapping a key against the number of attributes that must be held.
func (r *run) policies(context.Context) error {
	master, err := abe.NewMasterKey("HospitalA", rand.Reader)
	if err != nil {
		return err
	}
	var wrap, unwrap curve
	for _, n := range []int{1, 2, 5, 10, 20, 50} {
		var names []string
		public := make(map[string]*abe.PublicKey)
		var held []*abe.UserKey
		for i := range n {
			name := fmt.Sprintf("HospitalA:a%d", i)
			names = append(names, name)
			k, err := master.PublicKey(name, 1)
			if err != nil {
				return err
			}
			u, err := master.Issue("HospitalA/doctor", name, 1)
			if err != nil {
				return err
			}
			public[name], held = k, append(held, u)
		}
		p, err := policy.Parse(strings.Join(names, " and "))
		if err != nil {
			return err
		}
		recipient, err := abe.NewRecipient(p, func(name string) (*abe.PublicKey, error) { return public[name], nil })
		if err != nil {
			return err
		}
		identity, err := abe.NewIdentity(held)
		if err != nil {
			return err
		}
		var file bytes.Buffer
		start := time.Now()
		w, err := age.Encrypt(&file, recipient)
		if err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		wrap.add(float64(n), float64(time.Since(start).Microseconds())/1000)
		start = time.Now()
		if _, err := age.Decrypt(&file, identity); err != nil {
			return err
		}
		unwrap.add(float64(n), float64(time.Since(start).Microseconds())/1000)
	}
	r.curves = append(r.curves, plotted{file: "policy", title: "Wrapping a key under a policy", x: "attributes", y: "ms", ours: wrap, bare: unwrap, oursName: "wrap", bareName: "unwrap"})
	return nil
}

// draw writes the plots.
func (r *run) draw(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range r.curves {
		p := plot.New()
		p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.title, c.x, c.y
		p.Legend.Top, p.Legend.Left = true, true
		if c.log {
			p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
			p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
		} else {
			p.Y.Min = 0
		}
		name := c.oursName
		if name == "" {
			name = "Chartseal"
		}
		if err := plotutil.AddLinePoints(p, name, plotter.XYs(c.ours), c.bareName, plotter.XYs(c.bare)); err != nil {
			return err
		}
		if err := p.Save(14*vg.Centimeter, 9*vg.Centimeter, filepath.Join(dir, c.file+".svg")); err != nil {
			return err
		}
	}
	return nil
}
