package policy

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// randomPolicy writes a random policy over a few attributes, so that many occur twice.
func randomPolicy(r *rand.Rand, attributes, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		if r.IntN(8) == 0 {
			return fmt.Sprintf("N:n%s%d", []string{">=", "<=", ">", "<"}[r.IntN(4)], 1+r.IntN(14))
		}
		return fmt.Sprintf("A:x%d", r.IntN(attributes))
	}
	n := 2 + r.IntN(3)
	parts := make([]string, n)
	for i := range parts {
		parts[i] = randomPolicy(r, attributes, depth-1)
	}
	switch r.IntN(3) {
	case 0:
		return "(" + strings.Join(parts, " and ") + ")"
	case 1:
		return "(" + strings.Join(parts, " or ") + ")"
	}
	return fmt.Sprintf("%d of (%s)", 1+r.IntN(n), strings.Join(parts, ", "))
}

// TestSpansAgainstEvaluator compares the Boolean evaluator with the span programs, for
// thousands of random policies and attribute sets. Gaussian elimination of the matrix
// gives the answer a third time.
func TestSpansAgainstEvaluator(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	policies, satisfied, refused, split := 2500, 0, 0, 0
	if testing.Short() {
		policies = 400
	}
	for range policies {
		text := randomPolicy(r, 3+r.IntN(8), 1+r.IntN(3))
		p, err := Parse(text)
		if err != nil {
			if strings.Contains(err.Error(), "no number") {
				continue
			}
			t.Fatalf("%s: %v", text, err)
		}
		again := mustParse(t, p.String())
		if again.String() != p.String() {
			t.Fatalf("%s: canonical form is not stable", text)
		}
		spans, err := p.Spans(testModulus)
		if errors.Is(err, ErrReuse) {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(spans) > 1 {
			split++
		}
		for _, s := range spans {
			checkSpan(t, s)
		}
		attributes := p.Attributes()
		for range 6 {
			var names []string
			for _, a := range attributes {
				if r.IntN(2) == 0 {
					names = append(names, a)
				}
			}
			held := Holding(names...)
			want := p.Satisfied(held)
			if want {
				satisfied++
			}
			if again.Satisfied(held) != want {
				t.Fatalf("%s: canonical form means something else", text)
			}
			got := false
			for _, s := range spans {
				ok := checkSolve(t, s, held)
				got = got || ok
			}
			if got != want {
				t.Fatalf("%s held by %v: span programs say %v, evaluator %v", text, names, got, want)
			}
			checkMissing(t, p, held, want)
		}
	}
	if satisfied < policies*3/5 || split < policies*6/250 || refused == 0 {
		t.Errorf("the random policies are too tame: %d satisfied, %d split, %d refused", satisfied, split, refused)
	}
}

func checkSpan(t *testing.T, s *Span) {
	t.Helper()
	seen := map[string]bool{}
	for _, row := range s.Rows() {
		if seen[row.Attribute] {
			t.Fatalf("%s: attribute %s has two rows", s, row.Attribute)
		}
		seen[row.Attribute] = true
	}
	same, err := ParseSpan(s.String(), testModulus)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	if !reflect.DeepEqual(same.Matrix(), s.Matrix()) || !reflect.DeepEqual(same.Rows(), s.Rows()) {
		t.Fatalf("%s: the text gives another span program", s)
	}
}

// checkSolve checks that the coefficients combine held rows only and give (1, 0, ..., 0).
// There must be none exactly if that vector is not in the space of the held rows.
func checkSolve(t *testing.T, s *Span, held func(string) bool) bool {
	t.Helper()
	matrix := s.Matrix()
	coefficients, ok := s.Solve(held)
	if spans := inSpan(s.Matrix(), s.Rows(), held); spans != ok {
		t.Fatalf("%s: Solve says %v, elimination %v", s, ok, spans)
	}
	if !ok {
		return false
	}
	sum := make([]*big.Int, s.Columns())
	for j := range sum {
		sum[j] = new(big.Int)
	}
	last := -1
	for _, c := range coefficients {
		if c.Row <= last || !held(s.Rows()[c.Row].Attribute) || c.Value.Sign() <= 0 || c.Value.Cmp(testModulus) >= 0 {
			t.Fatalf("%s: bad coefficient %v", s, c)
		}
		last = c.Row
		for j := range sum {
			sum[j].Add(sum[j], new(big.Int).Mul(c.Value, matrix[c.Row][j])).Mod(sum[j], testModulus)
		}
	}
	for j := range sum {
		want := int64(0)
		if j == 0 {
			want = 1
		}
		if sum[j].Cmp(big.NewInt(want)) != 0 {
			t.Fatalf("%s: rows do not add up to (1, 0, ...)", s)
		}
	}
	return true
}

// inSpan decides by Gaussian elimination whether (1, 0, ..., 0) is in the row space of
// the held rows. It overwrites the matrix.
func inSpan(matrix [][]*big.Int, rows []Row, held func(string) bool) bool {
	var m [][]*big.Int
	for i, row := range rows {
		if held(row.Attribute) {
			m = append(m, matrix[i])
		}
	}
	target := make([]*big.Int, len(matrix[0]))
	for j := range target {
		target[j] = new(big.Int)
	}
	target[0].SetInt64(1)
	reduce := func(row, by []*big.Int, column int) {
		f := new(big.Int).ModInverse(by[column], testModulus)
		f.Mul(f, row[column]).Mod(f, testModulus)
		for j := range row {
			row[j].Sub(row[j], new(big.Int).Mul(f, by[j])).Mod(row[j], testModulus)
		}
	}
	for column := len(target) - 1; column >= 0; column-- {
		pivot := -1
		for i, row := range m {
			if row[column].Sign() != 0 {
				pivot = i
				break
			}
		}
		if pivot < 0 {
			continue
		}
		by := m[pivot]
		m = append(m[:pivot:pivot], m[pivot+1:]...)
		for _, row := range m {
			reduce(row, by, column)
		}
		reduce(target, by, column)
	}
	for _, x := range target {
		if x.Sign() != 0 {
			return false
		}
	}
	return true
}

// checkMissing adds each proposed set to the held attributes. The result must satisfy the
// policy, and must not if any attribute of the set is left out.
func checkMissing(t *testing.T, p *Policy, held func(string) bool, satisfied bool) {
	t.Helper()
	sets := p.Missing(held, 3)
	if (len(sets) == 0) != satisfied {
		t.Fatalf("%s: satisfied is %v, missing %v", p, satisfied, sets)
	}
	for _, set := range sets {
		with := func(leave string) bool {
			got := map[string]bool{}
			for _, s := range set {
				if s != leave {
					got[s] = true
				}
			}
			return p.root.holds(func(l *node) bool { return l.satisfied(held) || got[l.text()] })
		}
		if !with("") {
			t.Fatalf("%s: %v is not enough", p, set)
		}
		for _, s := range set {
			if with(s) {
				t.Fatalf("%s: %v does not need %s", p, set, s)
			}
		}
	}
}
