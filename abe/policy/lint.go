package policy

import "math/big"

// A Report is the result of [Policy.Lint].
type Report struct {
	Policy      string      // canonical form
	Authorities []string    // named in the policy, sorted
	Sets        [][]string  // minimal sets of attributes that satisfy it, the smallest first
	Complete    bool        // whether Sets lists all of them
	Ciphertexts int         // span programs needed to seal to it; 0 if that is impossible, see Refusal
	Rows        int         // of all span programs together
	Refusal     error       // reason why it cannot be sealed to: matches ErrReuse
	Alone       []string    // authorities that could each make the keys to open it alone
	Pairs       [][2]string // pairs of authorities that could do so only together
	Redundant   []Part      // parts that do not affect who can open it
	Analysed    bool        // whether Redundant was computed; it is skipped for policies with many branches
	Unpublished []Unknown   // attributes without a published key
	Dead        []Part      // unsatisfiable parts, because they need unpublished attributes
	Satisfiable bool        // whether published attributes can satisfy the policy
}

// A Part is a part of a policy.
type Part struct {
	Text   string // canonical
	Offset int    // of its first attribute, in bytes of the parsed text
}

// An Unknown is an attribute without a published key.
type Unknown struct {
	Attribute   string   // plain name; for a comparison, the name without its range
	Offset      int      // in bytes of the parsed text
	Suggestions []string // similar published names, the nearest first
}

const (
	lintSets   = 16 // minimal sets that a report lists
	lintLeaves = 48 // most leaves for which redundancy is computed
)

// lintModulus is any large enough prime. Only the shape of the span programs matters
// here.
var lintModulus = big.NewInt(65537)

// Lint reports the meaning and possible mistakes of a policy. Published lists the names
// of all published attributes; nil means that every attribute is published.
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

// coalitions finds the authorities that could open alone, and the pairs that could only
// together. An authority can make itself every key under its own name, so it satisfies
// all of its attributes.
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

// holds evaluates n for given truth values of leaves and ranges.
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

// redundant finds leaves whose value never matters: "false" or "true" in their place
// gives the same policy. If no name is used twice, every leaf matters.
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

// needless reports whether every set satisfies root even if the leaf l is false.
func (l *node) needless(root *node, sets [][]string) bool {
	for _, set := range sets {
		holding := implied(set)
		if !root.holds(func(n *node) bool { return n != l && holding(n) }) {
			return false
		}
	}
	return true
}

// subset reports whether every set satisfies root.
func subset(sets [][]string, root *node) bool {
	for _, set := range sets {
		if !root.holds(implied(set)) {
			return false
		}
	}
	return true
}

// assume returns n with the leaf l set to true. A gate without operands stands for "true"
// here; the walker satisfies it with the empty set.
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

// implied returns the truth of each leaf for a holder of exactly one set of
// [Policy.MinimalSets]. A range is true if a narrower one is.
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

// published finds unpublished attributes and unsatisfiable parts.
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
