package policy

import (
	"fmt"
	"strings"
)

// split returns alternatives whose "or" is n. Each alternative uses every attribute at
// most once.
//
// Errors:
//   - ErrReuse if that takes more than MaxSpans alternatives.
func split(n *node) ([]*node, error) {
	var out []*node
	queue := []*node{n}
	for len(queue) > 0 {
		first := simplify(queue[0])
		queue = queue[1:]
		twice := reused(first)
		if len(twice) == 0 {
			out = append(out, first)
		} else {
			queue = append(alternatives(first, twice), queue...)
		}
		if len(out)+len(queue) > MaxSpans {
			return nil, reuseError(n)
		}
	}
	return out, nil
}

// reused returns the attributes that occur in more than one leaf.
func reused(n *node) map[string]bool {
	seen, twice := map[string]bool{}, map[string]bool{}
	n.leaves(func(l *node) {
		if seen[l.attr] {
			twice[l.attr] = true
		}
		seen[l.attr] = true
	})
	return twice
}

func reuseError(n *node) error {
	twice := sorted(reused(simplify(n)))
	const shown = 3
	more := ""
	if len(twice) > shown {
		more = fmt.Sprintf(" and %d more", len(twice)-shown)
		twice = twice[:shown]
	}
	return fmt.Errorf("policy: %w: it would take more than %d ciphertexts to use each once; used more than once: %s%s",
		ErrReuse, MaxSpans, strings.Join(twice, ", "), more)
}

// alternatives splits n at the first gate from the top that is not an "and" and holds a
// reused attribute. Such a gate exists, because operands of nested "and" gates have been
// merged and equal ones dropped.
func alternatives(n *node, twice map[string]bool) []*node {
	if n.op != opAnd {
		return open(n, twice)
	}
	for i, kid := range n.kids {
		if kid.op == opLeaf || !touches(kid, twice) {
			continue
		}
		var out []*node
		for _, choice := range alternatives(kid, twice) {
			kids := append([]*node(nil), n.kids...)
			kids[i] = choice
			out = append(out, gate(opAnd, 0, kids))
		}
		return out
	}
	panic("policy: a reused attribute outside every gate") // simplify leaves none
}

func touches(n *node, set map[string]bool) bool {
	found := false
	n.leaves(func(l *node) { found = found || set[l.attr] })
	return found
}

// open splits an "or" into groups of operands that do not share attributes. It splits a
// threshold into two cases: one of the operands with a reused attribute holds, or it does
// not.
func open(n *node, twice map[string]bool) []*node {
	if n.op == opThreshold {
		for i, kid := range n.kids {
			if !touches(kid, twice) {
				continue
			}
			rest := append(append([]*node(nil), n.kids[:i]...), n.kids[i+1:]...)
			with := gate(opAnd, 0, []*node{kid, gate(opThreshold, n.k-1, rest)})
			return []*node{with, gate(opThreshold, n.k, rest)}
		}
	}
	type group struct {
		kids []*node
		used map[string]bool
	}
	var groups []*group
	for _, kid := range n.kids {
		var into *group
		for _, g := range groups {
			if !touches(kid, g.used) {
				into = g
				break
			}
		}
		if into == nil {
			into = &group{used: map[string]bool{}}
			groups = append(groups, into)
		}
		into.kids = append(into.kids, kid)
		kid.leaves(func(l *node) { into.used[l.attr] = true })
	}
	var out []*node
	if len(groups) > 1 {
		for _, g := range groups {
			out = append(out, gate(opOr, 0, g.kids))
		}
		return out
	}
	// The conflict is with a part outside this "or". Separate the operands with a reused
	// attribute from the others.
	var others []*node
	for _, kid := range n.kids {
		if touches(kid, twice) {
			out = append(out, kid)
		} else {
			others = append(others, kid)
		}
	}
	if len(others) > 0 {
		out = append(out, gate(opOr, 0, others))
	}
	return out
}
