package policy

import (
	"cmp"
	"math/bits"
	"slices"
)

// MinimalSets lists minimal sets of attributes that satisfy the policy: no set contains
// another. Sets with the fewest attributes come first. It stops after limit sets and then
// reports complete as false. A set lists a comparison in its own text, such as
// HospitalA:clearance>=3. One attribute satisfies it.
func (p *Policy) MinimalSets(limit int) (sets [][]string, complete bool) {
	return minimal(p.root, func(string) bool { return false }, limit)
}

// Missing lists minimal sets of attributes that a holder of the given attributes still
// needs. It is empty if the policy is satisfied. It lists at most limit sets, those with
// the fewest attributes first.
func (p *Policy) Missing(held func(attribute string) bool, limit int) [][]string {
	if p.Satisfied(held) {
		return nil
	}
	sets, _ := minimal(p.root, held, limit)
	return sets
}

// minimal keeps only a few more sets than asked for at each node. That bounds its work
// for any policy.
func minimal(root *node, held func(string) bool, limit int) ([][]string, bool) {
	w := newWalker(root, held, limit)
	sets := w.node(root)
	if len(sets) > limit {
		sets, w.complete = sets[:limit], false
	}
	out := make([][]string, len(sets))
	for i, s := range sets {
		out[i] = w.names(s)
	}
	return out, w.complete
}

// A set is a set of leaf indices, each below MaxAttributes.
type set [MaxAttributes / 64]uint64

func (s set) size() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func (s set) union(t set) set {
	for i := range s {
		s[i] |= t[i]
	}
	return s
}

func (s set) contains(t set) bool {
	for i := range s {
		if s[i]&t[i] != t[i] {
			return false
		}
	}
	return true
}

// compare orders sets by size, then by the first leaf in which they differ.
func compare(s, t set) int {
	if c := cmp.Compare(s.size(), t.size()); c != 0 {
		return c
	}
	for i := range s {
		if differ := s[i] ^ t[i]; differ != 0 {
			if s[i]&(differ&-differ) != 0 {
				return -1
			}
			return 1
		}
	}
	return 0
}

type walker struct {
	held     func(string) bool
	atoms    []string // texts of leaves and ranges, sorted
	index    map[string]int
	keep     int
	complete bool
}

func newWalker(root *node, held func(string) bool, limit int) *walker {
	texts := map[string]bool{}
	root.leaves(func(l *node) { texts[l.text()] = true })
	w := &walker{held: held, atoms: sorted(texts), index: map[string]int{}, keep: max(limit, 8), complete: true}
	for i, text := range w.atoms {
		w.index[text] = i
	}
	return w
}

func (w *walker) names(s set) []string {
	names := []string{}
	for i, text := range w.atoms {
		if s[i/64]>>(i%64)&1 == 1 {
			names = append(names, text)
		}
	}
	return names
}

func (w *walker) node(n *node) []set {
	switch n.op {
	case opLeaf, opRange:
		if n.satisfied(w.held) {
			return []set{{}}
		}
		var s set
		i := w.index[n.text()]
		s[i/64] = 1 << (i % 64)
		return []set{s}
	case opOr:
		var all []set
		for _, kid := range n.kids {
			all = append(all, w.node(kid)...)
		}
		return w.prune(all)
	case opAnd:
		out := []set{{}}
		for _, kid := range n.kids {
			out = w.product(out, w.node(kid))
		}
		return out
	}
	// A threshold: exactly[j] holds the sets that satisfy j of the operands so far.
	exactly := make([][]set, n.k+1)
	exactly[0] = []set{{}}
	for _, kid := range n.kids {
		own := w.node(kid)
		for j := n.k; j > 0; j-- {
			exactly[j] = w.prune(append(exactly[j], w.product(exactly[j-1], own)...))
		}
	}
	return exactly[n.k]
}

func (w *walker) product(a, b []set) []set {
	out := make([]set, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x.union(y))
		}
	}
	return w.prune(out)
}

// prune sorts the sets, drops those that contain another, and keeps the first few.
func (w *walker) prune(sets []set) []set {
	slices.SortFunc(sets, compare)
	var out []set
	for _, candidate := range sets {
		if slices.ContainsFunc(out, candidate.contains) {
			continue
		}
		if len(out) == w.keep {
			w.complete = false
			break
		}
		out = append(out, candidate)
	}
	return out
}
