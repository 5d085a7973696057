package policy

import (
	"sort"
	"strings"
)

// MinimalSets lists smallest sets of attributes that satisfy the policy: no set contains another. It stops after limit
// sets, the ones with fewest attributes first, and then reports complete as false. A comparison stands in a set as its own
// text, such as HospitalA:clearance>=3, which one attribute satisfies.
func (p *Policy) MinimalSets(limit int) (sets [][]string, complete bool) {
	return minimal(p.root, func(string) bool { return false }, limit)
}

// Missing lists smallest sets of attributes that someone who holds the given ones still needs; it is empty when the policy
// is satisfied. It lists at most limit sets, the ones with fewest attributes first.
func (p *Policy) Missing(held func(attribute string) bool, limit int) [][]string {
	if p.Satisfied(held) {
		return nil
	}
	sets, _ := minimal(p.root, held, limit)
	return sets
}

// minimal keeps, at each node, at most a few more sets than asked for, so that its work is bounded for any policy.
func minimal(root *node, held func(string) bool, limit int) ([][]string, bool) {
	w := walker{held: held, keep: max(limit, 1) * 4, complete: true}
	sets := w.node(root)
	if len(sets) > limit {
		sets, w.complete = sets[:limit], false
	}
	out := make([][]string, len(sets))
	for i, s := range sets {
		out[i] = sorted(s)
	}
	return out, w.complete
}

type set = map[string]bool

type walker struct {
	held     func(string) bool
	keep     int
	complete bool
}

func (w *walker) node(n *node) []set {
	switch n.op {
	case opLeaf, opRange:
		if n.satisfied(w.held) {
			return []set{{}}
		}
		return []set{{n.text(): true}}
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
	// A threshold: exactly[j] are the sets that satisfy j of the operands so far.
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
	var out []set
	for _, x := range a {
		for _, y := range b {
			z := make(set, len(x)+len(y))
			for k := range x {
				z[k] = true
			}
			for k := range y {
				z[k] = true
			}
			out = append(out, z)
		}
	}
	return w.prune(out)
}

// prune sorts by size and then by text, drops sets that contain another, and keeps the first few.
func (w *walker) prune(sets []set) []set {
	keys := make(map[*set]string, len(sets))
	refs := make([]*set, len(sets))
	for i := range sets {
		refs[i] = &sets[i]
		keys[refs[i]] = strings.Join(sorted(sets[i]), "\n")
	}
	sort.SliceStable(refs, func(i, j int) bool {
		a, b := refs[i], refs[j]
		if len(*a) != len(*b) {
			return len(*a) < len(*b)
		}
		return keys[a] < keys[b]
	})
	var out []set
	for _, candidate := range refs {
		if len(out) == w.keep {
			w.complete = false
			break
		}
		if !containsOneOf(*candidate, out) {
			out = append(out, *candidate)
		}
	}
	return out
}

func containsOneOf(candidate set, smaller []set) bool {
	for _, s := range smaller {
		inside := true
		for k := range s {
			inside = inside && candidate[k]
		}
		if inside {
			return true
		}
	}
	return false
}
