package policy

// Simplification works on expanded trees, which have only leaves and gates. A nil *node
// stands for "false" and the node whole for "true". Neither is ever part of a tree.
var whole = &node{op: opAnd}

// simplify returns an equivalent tree with fewer repeated attributes. It uses three laws
// of monotone formulas:
//
//	A and F(A) = A and F(true)        A or F(A) = A or F(false)
//	(A and B) or (A and C) = A and (B or C)
//	(A or B) and (A or C) = A or (B and C)
//
// It keeps the order of the remaining parts.
func simplify(n *node) *node {
	for {
		next := factor(absorb(n, nil))
		if next.text() == n.text() {
			return next
		}
		n = next
	}
}

// assumed maps an attribute to the truth value that an enclosing gate has fixed.
type assumed map[string]bool

func (a assumed) with(leaves []*node, value bool) assumed {
	out := make(assumed, len(a)+len(leaves))
	for k, v := range a {
		out[k] = v
	}
	for _, l := range leaves {
		out[l.attr] = value
	}
	return out
}

// absorb applies the first two laws. Within an "and", a leaf that is a direct operand is
// true for all other operands.
func absorb(n *node, known assumed) *node {
	if n.op == opLeaf {
		if value, ok := known[n.attr]; ok {
			if value {
				return whole
			}
			return nil
		}
		return n
	}
	if n.op == opThreshold {
		return absorbThreshold(n, known)
	}
	var direct []*node
	for _, kid := range n.kids {
		if _, fixed := known[kid.attr]; kid.op == opLeaf && !fixed {
			direct = append(direct, kid)
		}
	}
	inner := known.with(direct, n.op == opAnd)
	seen := map[string]bool{}
	var kids []*node
	for _, kid := range n.kids {
		if _, fixed := known[kid.attr]; kid.op == opLeaf && !fixed {
			if !seen[kid.attr] {
				seen[kid.attr] = true
				kids = append(kids, kid)
			}
			continue
		}
		kid = absorb(kid, inner)
		switch {
		case kid == nil && n.op == opAnd:
			return nil
		case kid == whole && n.op == opOr:
			return whole
		case kid != nil && kid != whole && !seen[kid.text()]:
			seen[kid.text()] = true
			kids = append(kids, kid)
		}
	}
	if len(kids) == 0 {
		if n.op == opAnd {
			return whole
		}
		return nil
	}
	return gate(n.op, 0, kids)
}

func absorbThreshold(n *node, known assumed) *node {
	k := n.k
	var kids []*node
	for _, kid := range n.kids {
		switch kid = absorb(kid, known); kid {
		case nil:
		case whole:
			k--
		default:
			kids = append(kids, kid)
		}
	}
	switch {
	case k <= 0:
		return whole
	case k > len(kids):
		return nil
	}
	return gate(opThreshold, k, kids)
}

// factor applies the distributive laws if operands of a gate share an operand.
func factor(n *node) *node {
	if n.op == opLeaf {
		return n
	}
	kids := make([]*node, len(n.kids))
	for i, kid := range n.kids {
		kids[i] = factor(kid)
	}
	n = gate(n.op, n.k, kids)
	if n.op != opAnd && n.op != opOr {
		return n
	}
	inner := opAnd
	if n.op == opAnd {
		inner = opOr
	}
	shared, count := mostShared(n.kids, inner)
	if count < 2 {
		return n
	}
	// Put shared·(rest1 + rest2 + ...) in the place of the first operand with the shared
	// part.
	var out, rests []*node
	at := -1
	for _, kid := range n.kids {
		rest, ok := without(kid, inner, shared)
		if !ok {
			out = append(out, kid)
			continue
		}
		if at < 0 {
			at = len(out)
			out = append(out, nil)
		}
		rests = append(rests, rest)
	}
	var common *node
	for _, kid := range n.kids {
		if common = find(kid, inner, shared); common != nil {
			break
		}
	}
	out[at] = gate(inner, 0, []*node{common, gate(n.op, 0, rests)})
	return gate(n.op, 0, out)
}

// mostShared finds the most frequent operand of the kids that are gates of the given
// kind. It returns the operand's text and its count.
func mostShared(kids []*node, inner op) (string, int) {
	counts := map[string]int{}
	best, most := "", 0
	for _, kid := range kids {
		if kid.op != inner {
			continue
		}
		mine := map[string]bool{}
		for _, part := range kid.kids {
			t := part.text()
			if mine[t] {
				continue
			}
			mine[t] = true
			if counts[t]++; counts[t] > most { // the first to reach the count wins, so the choice is deterministic
				best, most = t, counts[t]
			}
		}
	}
	return best, most
}

func find(n *node, inner op, text string) *node {
	if n.op == inner {
		for _, part := range n.kids {
			if part.text() == text {
				return part
			}
		}
	}
	return nil
}

func without(n *node, inner op, text string) (*node, bool) {
	if find(n, inner, text) == nil {
		return nil, false
	}
	var rest []*node
	for _, part := range n.kids {
		if part.text() != text {
			rest = append(rest, part)
		}
	}
	if len(rest) == 0 { // the same operand twice: absorb leaves only equal gates
		rest = []*node{find(n, inner, text)}
	}
	return gate(inner, 0, rest), true
}
