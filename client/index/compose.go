package index

import (
	"slices"
	"strings"
)

// maxMonths bounds the months of a range that composed terms answer.
const maxMonths = 24

// A composed node answers a patient and a code, or a code and a range of whole months,
// from composed terms.
type composed struct {
	direct   []Term // of records that have both
	overflow Term   // of records that have the first, and may have the other
	other    *leaf  // checked for the records of overflow
}

func (*composed) bounded() bool                { return true }
func (c *composed) leaves(out []*leaf) []*leaf { return append(out, c.other) }
func (c *composed) offset() int                { return c.other.at }
func (c *composed) write(b *strings.Builder)   { c.other.write(b) }

// compose replaces pairs of large terms by their composed terms. These are read after the
// terms that are already complete and before all others.
func compose(read []sized, checked []node) ([]sized, []node) {
	var out []sized
	used := make(map[node]bool)
	for _, a := range read {
		patient, ok := a.node.(*leaf)
		if !ok || patient.field != "patient" || used[a.node] {
			continue
		}
		for _, b := range read {
			code, ok := b.node.(*leaf)
			if ok && !used[a.node] && !used[b.node] && isCode(code) && !(a.Complete && b.Complete) {
				used[a.node], used[b.node] = true, true
				p, c := patient.terms[0], code.terms[0]
				out = append(out, sized{node: &composed{[]Term{pairTerm(p, c)}, pairTerm(p, overflow), code}})
			}
		}
	}
	for _, b := range read {
		code, ok := b.node.(*leaf)
		if !ok || used[b.node] || b.Complete || !isCode(code) {
			continue
		}
		for _, n := range checked {
			date, ok := n.(*leaf)
			if !ok || used[n] || used[b.node] || date.field != "date" {
				continue
			}
			if whole := months(date.first, date.last, maxMonths); whole != nil {
				used[n], used[b.node] = true, true
				c := &composed{overflow: monthTerm(code.terms[0], overflow), other: date}
				for _, m := range whole {
					c.direct = append(c.direct, monthTerm(code.terms[0], m))
				}
				out = append(out, sized{node: c})
			}
		}
	}
	for _, s := range read {
		if !used[s.node] {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, compareSizes)
	return out, slices.DeleteFunc(checked, func(n node) bool { return used[n] })
}

func isCode(l *leaf) bool {
	switch l.field {
	case ICD10, SNOMED, LOINC, RxNorm, CVX, OtherCode:
		return true
	}
	return false
}

func (e *evaluator) evalComposed(c *composed) (set, error) {
	hits, err := e.src.All(e.ctx, append(slices.Clone(c.direct), c.overflow))
	if err != nil {
		return nil, err
	}
	overflowed := make(set)
	for _, h := range hits[len(hits)-1] {
		overflowed.add(h)
	}
	out, err := e.filterOverflow(overflowed, c.other)
	if err != nil {
		return nil, err
	}
	for _, direct := range hits[:len(hits)-1] {
		for _, h := range direct {
			out.add(h)
		}
	}
	return out, nil
}

// filterOverflow checks the other leaf, which is read only if some record makes it
// needed.
func (e *evaluator) filterOverflow(overflowed set, other *leaf) (set, error) {
	out := make(set)
	for k, h := range overflowed {
		ok, err := e.match(other, h)
		if err != nil {
			return nil, err
		}
		if ok {
			out[k] = h
		}
	}
	return out, nil
}
