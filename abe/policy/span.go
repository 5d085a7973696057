package policy

import (
	"fmt"
	"math/big"
)

// A Span is a monotone span program with exactly one row for each attribute, as required
// by eprint 2010/351, section 2.2. It is immutable and safe for concurrent use.
//
// The matrix is the usual one for trees of gates. The root has the vector (1). An operand
// of "or" has its gate's vector. The operands of a k-of-n gate with the vector v use
// Shamir's sharing with fresh columns c+1 to c+k-1: the i-th operand has v + Σ
// i^j·e(c+j), j = 1..k-1. The operands of an "and" have v + e(c+1), -e(c+1) + e(c+2),
// ..., -e(c+n-1), so that all their coefficients are 1.
type Span struct {
	root    *node
	rows    []Row
	columns int
	modulus *big.Int
}

// A Row is one row of a span program: the attribute of the row and its nonzero entries.
type Row struct {
	Attribute string
	Entries   []Entry // by ascending column
}

// An Entry is a matrix element. Its Value is between 1 and the modulus minus 1.
type Entry struct {
	Column int
	Value  *big.Int
}

// Spans compiles the policy to span programs over the integers modulo a number. The
// number must have no factor up to [MaxAttributes]; a large prime is an example. To seal
// to the policy, seal to each span program separately. The result depends only on the
// canonical form.
//
// Errors:
//   - ErrReuse if the policy needs more than MaxSpans span programs.
//   - ErrTooLong if a text becomes too long after its comparisons are compiled.
func (p *Policy) Spans(modulus *big.Int) ([]*Span, error) {
	alternatives, err := split(p.root.expand())
	if err != nil {
		return nil, err
	}
	spans := make([]*Span, len(alternatives))
	for i, n := range alternatives {
		if len(n.text()) > MaxText {
			return nil, fmt.Errorf("policy: %w: longer than %d bytes with its comparisons written out", ErrTooLong, MaxText)
		}
		spans[i] = newSpan(n, modulus)
	}
	return spans, nil
}

// ParseSpan compiles the text of one span program, as [Span.String] returns it. Unlike
// [Policy.Spans] it never changes the policy, so all later releases read old ciphertexts
// in the same way.
//
// Errors:
//   - [*SyntaxError] if the text is not a policy.
//   - ErrReuse if an attribute occurs twice.
func ParseSpan(text string, modulus *big.Int) (*Span, error) {
	p, err := Parse(text)
	if err != nil {
		return nil, err
	}
	n := p.root.expand()
	if twice := reused(n); len(twice) > 0 {
		return nil, fmt.Errorf("policy: %w: %s", ErrReuse, sorted(twice)[0])
	}
	return newSpan(n, modulus), nil
}

// Over returns the same span program over the integers modulo another number.
func (s *Span) Over(modulus *big.Int) *Span {
	if s.modulus.Cmp(modulus) == 0 {
		return s
	}
	return newSpan(s.root, modulus)
}

func newSpan(n *node, modulus *big.Int) *Span {
	s := &Span{root: n, columns: 1, modulus: modulus}
	s.build(n, []Entry{{0, big.NewInt(1)}})
	return s
}

func (s *Span) build(n *node, v []Entry) {
	switch n.op {
	case opLeaf:
		s.rows = append(s.rows, Row{n.attr, v})
	case opOr:
		for _, kid := range n.kids {
			s.build(kid, v)
		}
	case opAnd:
		fresh := s.columns
		s.columns += len(n.kids) - 1
		minusOne := new(big.Int).Sub(s.modulus, big.NewInt(1))
		for i, kid := range n.kids {
			var own []Entry
			if i == 0 {
				own = append(own, v...)
			} else {
				own = append(own, Entry{fresh + i - 1, minusOne})
			}
			if i < len(n.kids)-1 {
				own = append(own, Entry{fresh + i, big.NewInt(1)})
			}
			s.build(kid, own)
		}
	case opThreshold:
		fresh := s.columns
		s.columns += n.k - 1
		for i, kid := range n.kids {
			own := append([]Entry(nil), v...)
			x := big.NewInt(int64(i + 1))
			power := big.NewInt(1)
			for j := 0; j < n.k-1; j++ {
				power = new(big.Int).Mul(power, x)
				power.Mod(power, s.modulus)
				own = append(own, Entry{fresh + j, power})
			}
			s.build(kid, own)
		}
	}
}

// String returns the policy of this span program, in canonical form.
func (s *Span) String() string { return s.root.text() }

// Rows returns the rows in the order of the attributes in the canonical form. The caller
// must not change them.
func (s *Span) Rows() []Row { return s.rows }

// Columns returns the width of the matrix.
func (s *Span) Columns() int { return s.columns }

// Share multiplies the matrix by the vector, which must have [Span.Columns] elements. The
// i-th result is the share of the i-th row.
func (s *Span) Share(vector []*big.Int) []*big.Int {
	out := make([]*big.Int, len(s.rows))
	t := new(big.Int)
	for i, row := range s.rows {
		sum := new(big.Int)
		for _, e := range row.Entries {
			sum.Add(sum, t.Mul(e.Value, vector[e.Column]))
		}
		out[i] = sum.Mod(sum, s.modulus)
	}
	return out
}

// Matrix returns the whole matrix, zeros included, for libraries that need this form.
func (s *Span) Matrix() [][]*big.Int {
	out := make([][]*big.Int, len(s.rows))
	for i, row := range s.rows {
		out[i] = make([]*big.Int, s.columns)
		for j := range out[i] {
			out[i][j] = new(big.Int)
		}
		for _, e := range row.Entries {
			out[i][e.Column].Set(e.Value)
		}
	}
	return out
}

// A Coefficient is the weight of a row in the sum that gives (1, 0, ..., 0).
type Coefficient struct {
	Row   int // index into Rows
	Value *big.Int
}

// Solve finds coefficients for as few rows as possible. All rows belong to held
// attributes, and their weighted sum is (1, 0, ..., 0). These are the constants c_x of
// decryption in eprint 2010/351, appendix D. Solve returns false if the held attributes
// do not satisfy the policy. Values are between 1 and the modulus minus 1, and rows are
// in ascending order.
func (s *Span) Solve(held func(attribute string) bool) ([]Coefficient, bool) {
	plan := s.plan(s.root, held)
	if plan.cost == unsatisfied {
		return nil, false
	}
	var out []Coefficient
	row := 0
	s.collect(s.root, plan, big.NewInt(1), &row, &out)
	return out, true
}
