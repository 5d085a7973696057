package index

import (
	"slices"
	"strings"
)

// maxMonths bounds the months of a range that composed terms answer.
const maxMonths = 24

// A composed node answers a patient and a code, or a code and a range of dates, from
// composed terms: they must be of one statement. A record that has an overflow term has
// too many of them, and matches if it has both facts anywhere.
type composed struct {
	direct   []Term // of records that have both
	overflow []Term // of records that have the first, and may have the other
	other    *leaf  // checked for the records of overflow
	code     *leaf  // checked for all records, if its terms have no composed ones; see [inPairs]
}

func (*composed) bounded() bool              { return true }
func (*composed) leaves(out []*leaf) []*leaf { return out }
func (c *composed) offset() int              { return c.other.at }
func (c *composed) write(b *strings.Builder) { c.other.write(b) }

// newPair returns the node for a code of a patient.
func newPair(patient, code *leaf) *composed {
	c := &composed{other: code}
	terms := c.inPairs(code)
	for _, p := range patient.terms {
		c.overflow = append(c.overflow, pairTerm(p, overflow))
		for _, t := range terms {
			c.direct = append(c.direct, pairTerm(p, t))
		}
	}
	return c
}

// newDated returns the node for a code in the months of a range. It returns nil for a
// range of more than maxMonths, which is compared with all dates of a record.
func newDated(code, date *leaf) *composed {
	touched := monthsTouched(date.first, date.last, maxMonths)
	if len(touched) == 0 {
		return nil
	}
	c := &composed{other: date}
	for _, t := range c.inPairs(code) {
		c.overflow = append(c.overflow, monthTerm(t, overflow))
		for _, m := range touched {
			c.direct = append(c.direct, monthTerm(t, m.String()))
		}
	}
	return c
}

// inPairs returns the terms of a code that composed terms have. A code with its system,
// of a system without a prefix, is in them without the system.
func (c *composed) inPairs(code *leaf) []Term {
	var out []Term
	for _, t := range code.terms {
		out = append(out, withoutSystem(t))
		if withoutSystem(t) != t {
			c.code = code
		}
	}
	return unique(out)
}

// withoutSystem returns code:CODE for code:SYSTEM|CODE.
func withoutSystem(t Term) Term {
	context, rest, ok := strings.Cut(string(t), OtherCode+":")
	if i := strings.LastIndexByte(rest, '|'); ok && i >= 0 && (context == "" || slices.Contains(Contexts, Context(strings.TrimSuffix(context, ":")))) {
		return Term(context + OtherCode + ":" + rest[i+1:])
	}
	return t
}

// wholeMonths reports whether a range begins and ends with a month.
func wholeMonths(date *leaf) bool {
	return date.first.Time().Day() == 1 && (date.last+1).Time().Day() == 1
}

// A monthCheck is the condition that a code is of one of the months. A posting decides it
// if it shows that all dates of the record are in the range.
type monthCheck struct {
	*composed
	date *leaf
}

// A bindings is what an "and" asks of the codes beside it and below it.
type bindings struct{ patients, dates []*leaf }

// of returns the bindings of the direct children of an "and".
func (b bindings) of(children []node) bindings {
	out := bindings{slices.Clone(b.patients), slices.Clone(b.dates)}
	for _, c := range children {
		switch n := c.(type) {
		case *leaf:
			switch n.field {
			case "patient":
				out.patients = append(out.patients, n)
			case "date":
				out.dates = append(out.dates, n)
			}
		case *orNode: // one of several patients
			any := &leaf{at: n.offset(), field: "patient"}
			for _, c := range n.children {
				l, ok := c.(*leaf)
				if !ok || l.field != "patient" {
					any = nil
					break
				}
				any.terms = append(any.terms, l.terms...)
			}
			if any != nil {
				out.patients = append(out.patients, any)
			}
		}
	}
	return out
}

// bind replaces the codes under a node by composed nodes.
func (b bindings) bind(n node) node {
	if len(b.patients)+len(b.dates) == 0 {
		return n
	}
	switch n := n.(type) {
	case *leaf:
		if !n.code {
			return n
		}
		var parts []node
		for _, p := range b.patients {
			parts = append(parts, newPair(p, n))
		}
		for _, d := range b.dates {
			if c := newDated(n, d); c != nil {
				parts = append(parts, c)
			}
		}
		switch len(parts) {
		case 0:
			return n
		case 1:
			return parts[0]
		}
		return &andNode{parts}
	case *orNode:
		return &orNode{b.bindAll(n.children)}
	case *andNode:
		return &andNode{b.of(n.children).bindAll(n.children)}
	case *notNode: // that it lacks the code, at whatever time
		return &notNode{n.at, bindings{patients: b.patients}.bind(n.child)}
	}
	return n
}

func (b bindings) bindAll(nodes []node) []node {
	out := make([]node, len(nodes))
	for i, n := range nodes {
		out[i] = b.bind(n)
	}
	return out
}

// compose replaces the codes among the drivers of an "and", and the patients and dates
// beside them, by composed nodes. These are read after the terms that are already
// complete and before all others. Codes and patients that are both complete stay, and
// their pairs are read last, if any record is left.
func (b bindings) compose(read []sized, checked []node) ([]sized, []node) {
	var out, late []sized
	used := make(map[node]bool)
	complete := make(map[node]bool)
	for _, s := range read {
		complete[s.node] = s.Complete
	}
	var months []node
	for _, s := range read {
		code, ok := s.node.(*leaf)
		if !ok || !code.code {
			continue
		}
		for _, p := range b.patients {
			pair := sized{node: newPair(p, code)}
			if s.Complete && complete[p] {
				late = append(late, pair)
				continue
			}
			used[code], used[p] = true, true
			out = append(out, pair)
		}
		for _, d := range b.dates {
			c := newDated(code, d)
			switch {
			case c == nil:
			case !s.Complete && wholeMonths(d):
				used[code], used[d] = true, true
				out = append(out, sized{node: c})
			default:
				months = append(months, &monthCheck{c, d})
			}
		}
	}
	for _, s := range read {
		if !used[s.node] {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, compareSizes)
	checked = slices.DeleteFunc(checked, func(n node) bool { return used[n] })
	return append(out, late...), append(checked, months...)
}

// composedSet returns the records of a composed node.
func (e *evaluator) composedSet(c *composed) (set, error) {
	if s, ok := e.pairs[c]; ok {
		return s, nil
	}
	hits, err := e.src.All(e.ctx, slices.Concat(c.direct, c.overflow))
	if err != nil {
		return nil, err
	}
	out := make(set)
	for i, some := range hits {
		for _, h := range some {
			if _, ok := out[h.key()]; ok && i >= len(c.direct) {
				continue
			}
			ok := true
			for _, l := range []*leaf{c.code, c.other} {
				if l == nil || l == c.other && i < len(c.direct) && c.other != c.code {
					continue
				}
				if ok, err = e.match(l, h); err != nil {
					return nil, err
				}
				if !ok {
					break
				}
			}
			if ok {
				out.add(h)
			}
		}
	}
	e.pairs[c] = out
	return out, nil
}

func (e *evaluator) matchMonth(m *monthCheck, h Hit) (bool, error) {
	if v := m.date.check(h); v != unsure {
		return v == yes, nil
	}
	found, err := e.composedSet(m.composed)
	_, ok := found[h.key()]
	return ok, err
}
