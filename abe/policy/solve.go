package policy

import (
	"math/big"
	"sort"
)

const unsatisfied = 1 << 30

// A plan is a way to satisfy a node with the fewest leaves.
type plan struct {
	cost   int    // number of leaves used, or unsatisfied
	kids   []plan // for gates, one for each operand
	chosen []int  // indices of the operands to use, ascending
}

func (s *Span) plan(n *node, held func(string) bool) plan {
	if n.op == opLeaf {
		if held(n.attr) {
			return plan{cost: 1}
		}
		return plan{cost: unsatisfied}
	}
	p := plan{kids: make([]plan, len(n.kids))}
	order := make([]int, len(n.kids))
	for i, kid := range n.kids {
		p.kids[i] = s.plan(kid, held)
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return p.kids[order[a]].cost < p.kids[order[b]].cost })
	p.chosen = order[:n.need()]
	sort.Ints(p.chosen)
	for _, i := range p.chosen {
		p.cost = min(p.cost+p.kids[i].cost, unsatisfied)
	}
	return p
}

// collect walks the whole tree, so that row counts every leaf. Each leaf of the plan gets
// its coefficient: the product of the Lagrange coefficients of the gates above it.
func (s *Span) collect(n *node, p plan, factor *big.Int, row *int, out *[]Coefficient) {
	if n.op == opLeaf {
		if factor != nil {
			*out = append(*out, Coefficient{*row, factor})
		}
		*row++
		return
	}
	for i, kid := range n.kids {
		var mine *big.Int
		if at := sort.SearchInts(p.chosen, i); factor != nil && at < len(p.chosen) && p.chosen[at] == i {
			mine = factor
			if n.op == opThreshold {
				mine = new(big.Int).Mul(factor, s.lagrange(p.chosen, i))
				mine.Mod(mine, s.modulus)
			}
		}
		var sub plan
		if mine != nil {
			sub = p.kids[i]
		}
		s.collect(kid, sub, mine, row, out)
	}
}

// lagrange returns the value at zero, Π x/(x-xi), over the other chosen points x. Operand
// i has the point i+1.
func (s *Span) lagrange(chosen []int, i int) *big.Int {
	num, den := big.NewInt(1), big.NewInt(1)
	for _, j := range chosen {
		if j != i {
			num.Mul(num, big.NewInt(int64(j+1)))
			num.Mod(num, s.modulus)
			den.Mul(den, big.NewInt(int64(j-i)))
			den.Mod(den, s.modulus)
		}
	}
	den.ModInverse(den, s.modulus)
	num.Mul(num, den)
	return num.Mod(num, s.modulus)
}
