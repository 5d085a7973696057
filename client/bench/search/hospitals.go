package search

import (
	"context"
	"fmt"

	"github.com/chartseal/chartseal/client/bench/stage"
	"github.com/chartseal/chartseal/client/index"
)

// The scope of all measurements, and the policy that allows to search and open.
const (
	scope  = "bench"
	policy = "HospitalA:role=doctor or HospitalB:role=doctor or HospitalC:role=nurse"
)

// hospitals is the network with one person at each hospital, who seals and searches.
type hospitals struct {
	*stage.Stage
	members []*stage.Person
}

func setUp(ctx context.Context, o Options) (*hospitals, error) {
	s, err := stage.Up(ctx, stage.Options{Bin: o.Bin, Dir: o.Dir, Keep: o.Keep, Out: o.Out})
	if err != nil {
		return nil, err
	}
	h := &hospitals{Stage: s}
	if err := h.connect(ctx); err != nil {
		s.Close() // the first error says more
		return nil, err
	}
	return h, nil
}

func (h *hospitals) connect(ctx context.Context) error {
	for _, name := range []string{"doctor@HospitalA", "doctor@HospitalB", "nurse@HospitalC"} {
		p, err := h.Person(name)
		if err != nil {
			return err
		}
		h.members = append(h.members, p)
	}
	custodian, err := h.Person("custodian@HospitalA")
	if err != nil {
		return err
	}
	c, err := custodian.Client()
	if err != nil {
		return err
	}
	if _, err := c.CreateScope(ctx, scope, policy); err != nil {
		return fmt.Errorf("create the scope: %w", err)
	}
	return nil
}

// indexWriter returns a writer with caches of its own.
func indexWriter(p *stage.Person) *index.Writer {
	return &index.Writer{Store: p.Ledger, MSP: p.Ledger.MSP(), Hints: &index.MemoryHints{}}
}
