package network

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A condition is the result of one look at a process.
type condition string

const (
	well    condition = ""
	stopped condition = "stopped" // by an operator
	dead    condition = "dead"
	frozen  condition = "frozen" // by a signal
	silent  condition = "silent" // it runs and does not answer
	behind  condition = "behind" // it has fewer blocks than the others
	ended   condition = "ended"  // unwell, and its certificate or that of who asks is of no use
)

// check looks at processes. Peers and orderers are compared with the orderers, chosen or
// not. A process that is behind gets patience to reach the blocks of the others.
func (n *Network) check(ctx context.Context, chosen []*process, patience time.Duration) []Status {
	looked := slices.Clone(chosen)
	for _, org := range n.organisations() {
		p := n.ordererProcess(org)
		if !slices.ContainsFunc(chosen, func(c *process) bool { return c.name() == p.name() }) {
			looked = append(looked, p)
		}
	}
	all := make([]Status, len(looked))
	each := func(do func(ctx context.Context, p *process, s *Status)) {
		forEach(ctx, indexes(looked), func(ctx context.Context, i int) error {
			do(ctx, looked[i], &all[i])
			return nil
		})
	}
	each(func(ctx context.Context, p *process, s *Status) { *s = n.look(ctx, p) })
	var heights []uint64
	for _, s := range all {
		if s.Process == "orderer" && s.Healthy {
			heights = append(heights, s.Height)
		}
	}
	goal := confirmed(heights, n.liars())
	each(func(ctx context.Context, p *process, s *Status) {
		if p.height != nil && s.Healthy && s.Height < goal {
			awaitBlocks(ctx, p, s, goal, patience)
		}
		n.blameCertificates(p, s)
	})
	return all[:len(chosen)]
}

func indexes[T any](items []T) []int {
	all := make([]int, len(items))
	for i := range items {
		all[i] = i
	}
	return all
}

// glance looks at a process without asking it anything.
func (n *Network) glance(p *process) Status {
	s := Status{Process: p.kind, Organisation: p.organisation, Address: p.address}
	r, running := n.record(p)
	switch {
	case !running && !n.wanted(p):
		s.Problem, s.condition = "stopped; 'chartnet start "+p.name()+"' starts it", stopped
	case !running:
		s.Problem, s.condition = "not running; its last words: "+n.lastWords(p), dead
	case r.frozen():
		s.PID, s.Problem, s.condition = r.pid, "frozen by a signal", frozen
	default:
		s.PID, s.Healthy = r.pid, true
	}
	return s
}

// look looks at a process and asks it whether it serves.
func (n *Network) look(ctx context.Context, p *process) Status {
	s := n.glance(p)
	if !s.Healthy {
		return s
	}
	var err error
	if p.ready != nil {
		err = p.ready(ctx)
	}
	if err == nil && p.height != nil {
		s.Height, err = p.height(ctx)
	}
	if err != nil {
		s.Healthy, s.Problem, s.condition = false, err.Error(), silent
	}
	return s
}

// blameCertificates marks an unwell process if a certificate with which it serves has
// ended, or does not belong to its key. A server may go on after that, but it cannot
// start. A process that is only silent may just refuse the certificate of who asks.
func (n *Network) blameCertificates(p *process, s *Status) {
	if s.condition == well || s.condition == stopped {
		return
	}
	if blame := n.ended(p, s.condition == silent); blame != "" {
		s.condition = ended
		s.Problem += "; " + blame
	}
}

// ended says which certificate of a process is of no use, its own or, if that matters,
// that of who asks it, and what helps. It is empty if there is none.
func (n *Network) ended(p *process, asking bool) string {
	now := time.Now()
	for _, o := range n.topology.Organisations() {
		if o.Name != p.organisation {
			continue
		}
		for _, c := range n.certificatesOf(o) {
			own := c.Use != UseRoot && slices.Contains(p.holders(), c.Holder)
			if (own || asking && c.Use == UseTLS && c.Holder == p.askedBy) && c.ended(now) {
				return fmt.Sprintf("a certificate of %s has ended or lacks its key: 'chartnet renew %s' replaces it", c.Holder, o.Name)
			}
		}
	}
	return ""
}

// awaitBlocks gives a process some time to reach the blocks of the others, and else marks
// its status.
func awaitBlocks(ctx context.Context, p *process, s *Status, goal uint64, patience time.Duration) {
	first := s.Height
	for end := time.Now().Add(patience); s.Height < goal && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(50 * time.Millisecond)
		if h, err := p.height(ctx); err == nil {
			s.Height = h
		}
	}
	switch {
	case s.Height >= goal:
		return
	case s.Height > first:
		s.Problem = fmt.Sprintf("catches up: %d of %d blocks", s.Height, goal)
	default:
		s.Problem = fmt.Sprintf("behind: %d of %d blocks", s.Height, goal)
	}
	s.Healthy, s.condition = false, behind
}

// confirmed gives the number of blocks that an honest orderer has, by the heights of all
// that answer. Liars may give any height. It is 0 if too few answer.
func confirmed(heights []uint64, liars int) uint64 {
	if len(heights) <= liars {
		return 0
	}
	slices.Sort(heights)
	return heights[len(heights)-1-liars]
}

// quorum is the number of orderers without which nothing is ordered.
func (n *Network) quorum() int { return (len(n.organisations())+n.liars())/2 + 1 }

// liars is the number of orderers that may do anything.
func (n *Network) liars() int {
	if n.topology.Ordering.Type == Raft {
		return 0
	}
	return (len(n.organisations()) - 1) / 3
}
