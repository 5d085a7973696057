// Package chart draws the results of benchmarks as curves.
package chart

import (
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// A Curve is a named series of points.
type Curve struct {
	Name   string
	points plotter.XYs
}

// Add appends a point.
func (c *Curve) Add(x, y float64) { c.points = append(c.points, plotter.XY{X: x, Y: y}) }

// A Chart is a set of curves on the same axes.
type Chart struct {
	File, Title, X, Y string // file name without extension
	LogX, LogY        bool   // logarithmic; a linear Y begins at 0
	Curves            []Curve
}

// Draw writes charts as SVG.
func Draw(dir string, charts ...Chart) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range charts {
		if err := c.draw(dir); err != nil {
			return err
		}
	}
	return nil
}

func (c Chart) draw(dir string) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X, c.Y
	p.Legend.Top, p.Legend.Left = true, true
	p.Y.Min = 0
	if c.LogX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	if c.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	var lines []any
	lowest := 0.0
	for _, curve := range c.Curves {
		lines = append(lines, curve.Name, curve.points)
		for _, point := range curve.points {
			if lowest == 0 || point.Y < lowest {
				lowest = point.Y
			}
		}
	}
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return err
	}
	if c.LogY {
		p.Y.Min = lowest // a logarithmic axis has no 0
	}
	return p.Save(14*vg.Centimeter, 9*vg.Centimeter, filepath.Join(dir, c.File+".svg"))
}
