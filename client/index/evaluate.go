package index

import (
	"cmp"
	"context"
	"slices"
)

// Evaluate answers the query from src: every record once, newest first.
//
// An "and" is planned by one peek at its terms. Small terms are then already complete.
//
//   - A condition that a posting can decide (home, kind, and a date range that contains
//     all or none of the record's days) is not read beside another term.
//   - A patient and a code must be of one statement, which their composed term tells. It
//     is read instead of terms that are not small. So are a code and its months.
//   - The smallest term is read first. Reading stops when no record is left.
//
// The cost of reading a term grows with its own postings, and never with the index.
//
// Errors:
//   - the error of src.
func (q *Query) Evaluate(ctx context.Context, src Source) ([]Hit, error) {
	e := &evaluator{ctx: ctx, src: src, sets: make(map[*leaf]set), pairs: make(map[*composed]set)}
	found, err := e.eval(q.root)
	if err != nil {
		return nil, err
	}
	hits := make([]Hit, 0, len(found))
	for _, h := range found {
		hits = append(hits, h)
	}
	slices.SortFunc(hits, compareHits)
	return hits, nil
}

// A set holds the hits of a node, by record.
type set map[hitKey]Hit

func (s set) add(h Hit) {
	if old, ok := s[h.key()]; !ok || newer(h, old) {
		s[h.key()] = h
	}
}

type evaluator struct {
	ctx   context.Context // of one Evaluate
	src   Source
	sets  map[*leaf]set
	pairs map[*composed]set
}

// read reads leaves that were not read before, all in the same round trips.
func (e *evaluator) read(leaves ...*leaf) error {
	var fresh []*leaf
	var terms []Term
	for _, l := range leaves {
		if _, ok := e.sets[l]; !ok && !slices.Contains(fresh, l) {
			fresh = append(fresh, l)
			terms = append(terms, l.terms...)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	hits, err := e.src.All(e.ctx, terms)
	if err != nil {
		return err
	}
	for _, l := range fresh {
		s := make(set)
		for range l.terms {
			for _, h := range hits[0] {
				if l.field != "date" || l.check(h) != no { // a month of a period may be of others
					s.add(h)
				}
			}
			hits = hits[1:]
		}
		e.sets[l] = s
	}
	return nil
}

// eval returns the records that match a bounded node. The caller must not change the set.
func (e *evaluator) eval(n node) (set, error) {
	switch n := n.(type) {
	case *leaf:
		err := e.read(n)
		return e.sets[n], err
	case *composed:
		return e.composedSet(n)
	case *orNode:
		return e.evalOr(n)
	case *andNode:
		return e.evalAnd(n)
	}
	panic("index: evaluate an unbounded node") // ParseQuery refuses these
}

func (e *evaluator) evalOr(n *orNode) (set, error) {
	var direct []*leaf
	for _, c := range n.children {
		if l, ok := c.(*leaf); ok {
			direct = append(direct, l)
		}
	}
	if err := e.read(direct...); err != nil {
		return nil, err
	}
	out := make(set)
	for _, c := range n.children {
		s, err := e.eval(c)
		if err != nil {
			return nil, err
		}
		for _, h := range s {
			out.add(h)
		}
	}
	return out, nil
}

func (e *evaluator) evalAnd(n *andNode) (set, error) {
	drivers, conditions, err := e.plan(n)
	if err != nil {
		return nil, err
	}
	var found set
	for i, d := range drivers {
		s, err := e.eval(d)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			found = s
		} else {
			found = intersect(found, s)
		}
		if len(found) == 0 {
			return nil, nil
		}
	}
	return e.filter(found, conditions)
}

func intersect(a, b set) set {
	out := make(set)
	for k, h := range a {
		if other, ok := b[k]; ok {
			out.add(h)
			out.add(other)
		}
	}
	return out
}

// filter keeps the hits that meet all conditions.
func (e *evaluator) filter(found set, conditions []node) (set, error) {
	if len(conditions) == 0 {
		return found, nil
	}
	var needed []*leaf // those that no posting can decide
	for _, c := range conditions {
		for _, l := range c.leaves(nil) {
			if l.check == nil {
				needed = append(needed, l)
			}
		}
	}
	if err := e.read(needed...); err != nil {
		return nil, err
	}
	out := make(set)
	for k, h := range found {
		all := true
		for _, c := range conditions {
			ok, err := e.match(c, h)
			if err != nil {
				return nil, err
			}
			if all = ok; !all {
				break
			}
		}
		if all {
			out[k] = h
		}
	}
	return out, nil
}

// match reports whether the record of a hit meets a condition, bounded or not.
func (e *evaluator) match(n node, h Hit) (bool, error) {
	switch n := n.(type) {
	case *composed:
		found, err := e.composedSet(n)
		_, ok := found[h.key()]
		return ok, err
	case *monthCheck:
		return e.matchMonth(n, h)
	case *homeNode:
		return normalise(h.Home) == n.name, nil
	case *notNode:
		ok, err := e.match(n.child, h)
		return !ok, err
	case *andNode:
		for _, c := range n.children {
			if ok, err := e.match(c, h); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case *orNode:
		for _, c := range n.children {
			if ok, err := e.match(c, h); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case *leaf:
		if n.check != nil {
			if v := n.check(h); v != unsure {
				return v == yes, nil
			}
		}
		if err := e.read(n); err != nil {
			return false, err
		}
		_, ok := e.sets[n][h.key()]
		return ok, nil
	}
	panic("index: match an unknown node")
}

// A sized node is a child of an "and" with its size, as far as known.
type sized struct {
	node
	Size
}

// plan divides the children of an "and". Drivers are read and intersected in order.
// Conditions are checked on the records that the drivers leave.
func (e *evaluator) plan(n *andNode) (drivers, conditions []node, err error) {
	var read, checked []node
	bound := bindings{}.of(n.children)
	for _, c := range n.children {
		l, ok := c.(*leaf)
		if !ok {
			c = bound.bind(c)
		}
		switch {
		case !c.bounded():
			conditions = append(conditions, c)
		case ok && l.check != nil:
			checked = append(checked, c)
		default:
			read = append(read, c)
		}
	}
	if len(read) == 0 { // only checks: the smallest becomes the driver
		sizes, err := e.measure(checked)
		if err != nil {
			return nil, nil, err
		}
		read, checked = []node{sizes[0].node}, nil
		for _, s := range sizes[1:] {
			checked = append(checked, s.node)
		}
	}
	sizes, err := e.measure(read)
	if err != nil {
		return nil, nil, err
	}
	sizes, checked = bound.compose(sizes, checked)
	for _, s := range sizes {
		drivers = append(drivers, s.node)
	}
	return drivers, append(checked, conditions...), nil
}

// measure peeks at all leaves under the nodes in one round trip, and sorts the nodes by
// size.
func (e *evaluator) measure(nodes []node) ([]sized, error) {
	var terms []Term
	for _, n := range nodes {
		for _, l := range n.leaves(nil) {
			terms = append(terms, l.terms...)
		}
	}
	terms = unique(terms)
	sizes, err := e.src.Peek(e.ctx, terms)
	if err != nil {
		return nil, err
	}
	byTerm := make(map[Term]Size, len(terms))
	for i, t := range terms {
		byTerm[t] = sizes[i]
	}
	out := make([]sized, len(nodes))
	for i, n := range nodes {
		size := Size{Complete: true}
		for _, l := range n.leaves(nil) {
			for _, t := range l.terms {
				size.AtLeast += byTerm[t].AtLeast
				size.Complete = size.Complete && byTerm[t].Complete
			}
		}
		out[i] = sized{n, size}
	}
	slices.SortStableFunc(out, compareSizes)
	return out, nil
}

// compareSizes puts complete nodes first, then orders by size.
func compareSizes(a, b sized) int {
	if a.Complete != b.Complete {
		if a.Complete {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.AtLeast, b.AtLeast)
}
