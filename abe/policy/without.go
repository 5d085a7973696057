package policy

// Without returns the policy with every use of an attribute, or of every attribute that
// gone tells, taken out: what was satisfied with one of them needs the rest. It returns
// the policy itself if it has none of them, and nil if nothing satisfies the rest.
//
// A comparison is taken out if gone tells one of its attributes in the compiled form.
func (p *Policy) Without(gone func(attribute string) bool) *Policy {
	root := p.root.without(gone)
	switch root {
	case nil:
		return nil
	case p.root:
		return p
	}
	return &Policy{root: root}
}

// without returns nil if the node cannot be satisfied any more.
func (n *node) without(gone func(string) bool) *node {
	switch n.op {
	case opLeaf:
		if gone(n.attr) {
			return nil
		}
		return n
	case opRange:
		taken := false
		n.expand().leaves(func(l *node) { taken = taken || gone(l.attr) })
		if taken {
			return nil
		}
		return n
	}
	same := true
	var kids []*node
	for _, kid := range n.kids {
		rest := kid.without(gone)
		same = same && rest == kid
		if rest != nil {
			kids = append(kids, rest)
		}
	}
	switch {
	case same:
		return n
	case len(kids) < n.need():
		return nil
	}
	return gate(n.op, n.k, kids)
}
