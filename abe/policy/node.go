package policy

import (
	"fmt"
	"strings"
)

type op int

const (
	opLeaf op = iota
	opRange
	opOr
	opAnd
	opThreshold
)

// A node is a part of a policy. The parser's nodes are immutable.
type node struct {
	op        op
	kids      []*node // operands of a gate, at least two
	k         int     // for thresholds: 1 < k < len(kids)
	attr      string  // for leaves and ranges: the plain name
	low, high uint32  // for ranges
	offset    int     // for leaves and ranges: position in the text
}

// gate joins kids under one operator. It flattens "and" in "and" and "or" in "or", and
// turns trivial thresholds into "and" or "or".
func gate(op op, k int, kids []*node) *node {
	if len(kids) == 1 {
		return kids[0]
	}
	if op == opThreshold && k == 1 {
		op = opOr
	}
	if op == opThreshold && k == len(kids) {
		op = opAnd
	}
	if op == opThreshold {
		return &node{op: op, k: k, kids: kids}
	}
	flat := make([]*node, 0, len(kids))
	for _, kid := range kids {
		if kid.op == op {
			flat = append(flat, kid.kids...)
		} else {
			flat = append(flat, kid)
		}
	}
	return &node{op: op, kids: flat}
}

// need returns the number of kids that must hold.
func (n *node) need() int {
	switch n.op {
	case opOr:
		return 1
	case opThreshold:
		return n.k
	}
	return len(n.kids)
}

func (n *node) text() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	switch n.op {
	case opLeaf:
		a, err := ParseAttribute(n.attr)
		if err != nil {
			panic("policy: leaf with an invalid name") // the parser checked it
		}
		b.WriteString(a.Text())
	case opRange:
		b.WriteString(n.attr)
		if n.low > 0 || n.high == MaxNumber {
			fmt.Fprintf(b, ">=%d", n.low)
		}
		if n.high < MaxNumber {
			fmt.Fprintf(b, "<=%d", n.high)
		}
	case opThreshold:
		fmt.Fprintf(b, "%d of (", n.k)
		for i, kid := range n.kids {
			if i > 0 {
				b.WriteString(", ")
			}
			kid.write(b)
		}
		b.WriteByte(')')
	default:
		word := " or "
		if n.op == opAnd {
			word = " and "
		}
		for i, kid := range n.kids {
			if i > 0 {
				b.WriteString(word)
			}
			if n.op == opAnd && kid.op == opOr {
				b.WriteByte('(')
				kid.write(b)
				b.WriteByte(')')
			} else {
				kid.write(b)
			}
		}
	}
}

// leaves calls f for each leaf and range, left to right.
func (n *node) leaves(f func(*node)) {
	if n.op == opLeaf || n.op == opRange {
		f(n)
		return
	}
	for _, kid := range n.kids {
		kid.leaves(f)
	}
}

func (n *node) authority() string {
	authority, _, _ := strings.Cut(n.attr, ":")
	return authority
}

// expand replaces each range by the "or" of its intervals' attributes. Only leaves and
// gates remain.
func (n *node) expand() *node {
	switch n.op {
	case opLeaf:
		return n
	case opRange:
		a, err := ParseAttribute(n.attr)
		if err != nil {
			panic("policy: range with an invalid name") // the parser checked it
		}
		var kids []*node
		for _, i := range cover(n.low, n.high) {
			a.Value = i.String()
			kids = append(kids, &node{op: opLeaf, attr: a.String(), offset: n.offset})
		}
		return gate(opOr, 0, kids)
	}
	kids := make([]*node, len(n.kids))
	for i, kid := range n.kids {
		kids[i] = kid.expand()
	}
	return gate(n.op, n.k, kids)
}

func (n *node) satisfied(held func(string) bool) bool {
	switch n.op {
	case opLeaf:
		return held(n.attr)
	case opRange:
		return n.expand().satisfied(held)
	}
	count := 0
	for _, kid := range n.kids {
		if kid.satisfied(held) {
			count++
		}
	}
	return count >= n.need()
}
