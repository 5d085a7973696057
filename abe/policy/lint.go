package policy

import "math/big"

// A Report is what [Policy.Lint] finds.
type Report struct {
	Policy      string      // canonical form
	Authorities []string    // named in the policy, sorted
	Sets        [][]string  // smallest sets of attributes that satisfy it, the smallest first
	Complete    bool        // whether Sets are all of them
	Ciphertexts int         // span programs that it takes to seal to it; 0 when it cannot be, see Refusal
	Rows        int         // of all span programs together
	Refusal     error       // why it cannot be sealed to: matches ErrReuse
	Alone       []string    // authorities each of which could make itself the keys to open
	Pairs       [][2]string // pairs of authorities that could together, neither of them alone
	Redundant   []Part      // parts that could be left out without changing who can open
	Analysed    bool        // whether Redundant was worked out; a very branched policy is not
	Unpublished []Unknown   // attributes that nobody has published
	Dead        []Part      // parts that nobody can satisfy, because they need unpublished attributes
	Satisfiable bool        // whether published attributes can satisfy the policy
}

// A Part is a part of a policy.
type Part struct {
	Text   string // canonical
	Offset int    // of its first attribute, in bytes of the text that was parsed
}

// An Unknown is an attribute without a published key.
type Unknown struct {
	Attribute   string   // plain name; of a comparison, the name without its range
	Offset      int      // in bytes of the text that was parsed
	Suggestions []string // published names that look like it, the nearest first
}

const (
	lintSets   = 16 // minimal sets that a report lists
	lintLeaves = 48 // leaves up to which redundancy is worked out
)

// lintModulus is any prime that is large enough: only the shape of the span programs
// counts here.
var lintModulus = big.NewInt(65537)

// Lint says what a policy means and what may be wrong with it. Published are the names of
// all published attributes; with nil, everything counts as published.
func (p *Policy) Lint(published []string) *Report {
	r := &Report{Policy: p.String(), Authorities: p.Authorities(), Satisfiable: true}
	r.Sets, r.Complete = p.MinimalSets(lintSets)
	if spans, err := p.Spans(lintModulus); err != nil {
		r.Refusal = err
	} else {
		r.Ciphertexts = len(spans)
		for _, s := range spans {
			r.Rows += len(s.Rows())
		}
	}
	r.coalitions(p)
	r.redundant(p.root)
	if published != nil {
		r.published(p.root, published)
	}
	return r
}

// coalitions finds the authorities that could open alone, and the pairs that could
// together but not alone. An authority can make itself every key under its own name, so
// it satisfies all of its attributes.
func (r *Report) coalitions(p *Policy) {
	can := func(names ...string) bool {
		set := Holding(names...)
		return p.root.holds(func(l *node) bool { return set(l.authority()) })
	}
	alone := map[string]bool{}
	for _, a := range r.Authorities {
		if can(a) {
			alone[a] = true
			r.Alone = append(r.Alone, a)
		}
	}
	for i, a := range r.Authorities {
		for _, b := range r.Authorities[i+1:] {
			if !alone[a] && !alone[b] && can(a, b) {
				r.Pairs = append(r.Pairs, [2]string{a, b})
			}
		}
	}
}

// holds evaluates n with a truth value for each leaf and range.
func (n *node) holds(leaf func(*node) bool) bool {
	if n.op == opLeaf || n.op == opRange {
		return leaf(n)
	}
	count := 0
	for _, kid := range n.kids {
		if kid.holds(leaf) {
			count++
		}
	}
	return count >= n.need()
}

// redundant finds leaves whose value never matters: the policy is the same with "false"
// in their place, or with "true". Where no name is used twice, every leaf matters.
func (r *Report) redundant(root *node) {
	seen, repeated, count := map[string]bool{}, false, 0
	root.leaves(func(l *node) {
		repeated = repeated || seen[l.attr]
		seen[l.attr] = true
		count++
	})
	if !repeated {
		r.Analysed = true
		return
	}
	nobody := func(string) bool { return false }
	const enough = 64
	if count > lintLeaves {
		return
	}
	sets, complete := minimal(root, nobody, enough)
	if !complete {
		return
	}
	r.Analysed = true
	root.leaves(func(l *node) {
		without := l.needless(root, sets)
		if !without {
			rest, complete := minimal(root.assume(l), nobody, enough)
			without = complete && subset(rest, root)
		}
		if without {
			r.Redundant = append(r.Redundant, Part{l.text(), l.offset})
		}
	})
}

// needless tells whether every set satisfies root even when the leaf l is false.
func (l *node) needless(root *node, sets [][]string) bool {
	for _, set := range sets {
		holding := implied(set)
		if !root.holds(func(n *node) bool { return n != l && holding(n) }) {
			return false
		}
	}
	return true
}

// subset tells whether every set satisfies root.
func subset(sets [][]string, root *node) bool {
	for _, set := range sets {
		if !root.holds(implied(set)) {
			return false
		}
	}
	return true
}

// assume is n with the leaf l true. A gate of no operands stands for "true" here; the
// walker satisfies it with the empty set.
func (n *node) assume(l *node) *node {
	if n == l {
		return whole
	}
	if n.op == opLeaf || n.op == opRange {
		return n
	}
	out := *n
	out.kids = make([]*node, len(n.kids))
	for i, kid := range n.kids {
		out.kids[i] = kid.assume(l)
	}
	return &out
}

// implied is the truth of leaves for someone who has exactly a set of
// [Policy.MinimalSets]: a range holds if a narrower one does.
func implied(set []string) func(*node) bool {
	var ranges []*node
	names := map[string]bool{}
	for _, s := range set {
		names[s] = true
		if n, err := parse(s); err == nil && n.op == opRange {
			ranges = append(ranges, n)
		}
	}
	return func(l *node) bool {
		if names[l.text()] {
			return true
		}
		for _, n := range ranges {
			if l.op == opRange && l.attr == n.attr && l.low <= n.low && n.high <= l.high {
				return true
			}
		}
		return false
	}
}

// published finds what cannot be satisfied, or even sealed to, with the published
// attributes.
func (r *Report) published(root *node, published []string) {
	known := Holding(published...)
	r.Satisfiable = root.satisfied(known)
	reported := map[string]bool{}
	root.leaves(func(l *node) {
		missing := l.op == opLeaf && !known(l.attr)
		if l.op == opRange {
			l.expand().leaves(func(i *node) { missing = missing || !known(i.attr) })
		}
		if missing && !reported[l.attr] {
			reported[l.attr] = true
			r.Unpublished = append(r.Unpublished, Unknown{l.attr, l.offset, Suggest(l.attr, published)})
		}
	})
	r.dead(root, known)
}

// dead reports the largest parts that published attributes cannot satisfy.
func (r *Report) dead(n *node, known func(string) bool) {
	if !n.satisfied(known) {
		first := -1
		n.leaves(func(l *node) {
			if first < 0 {
				first = l.offset
			}
		})
		r.Dead = append(r.Dead, Part{n.text(), first})
		return
	}
	for _, kid := range n.kids {
		r.dead(kid, known)
	}
}
