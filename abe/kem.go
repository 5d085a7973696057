package abe

import (
	"fmt"
	"io"
	"math/big"

	"github.com/chartseal/chartseal/abe/internal/group"
	"github.com/chartseal/chartseal/abe/policy"
)

// A row of a ciphertext: C1, C2 and C3 of eprint 2010/351, appendix D, for one attribute.
// gofe calls them C1x, C2x and C3x.
type row struct {
	c1 *group.GT // e(g1,g2)^λ · e(g1,g2)^(α r)
	c2 *group.G2 // g2^r
	c3 *group.G2 // g2^(y r) · g2^ω
}

// rowSize is the size of an encoded row in bytes.
const rowSize = group.SizeGT + 2*group.SizeG2

func (r row) append(b []byte) []byte {
	b = append(b, r.c1.Marshal()...)
	b = append(b, r.c2.Marshal()...)
	return append(b, r.c3.Marshal()...)
}

// parseRow decodes a row for [decapsulate]. C2 will be paired with the secret K and is
// checked to be in G2. C1 and C3 come into play only as the product Π C1^c and the sum Σ
// c·C3, and decapsulate checks those, once for all rows.
func parseRow(b []byte) (row, error) {
	r := &reader{rest: b}
	out := row{
		c1: element(r, group.SizeGT, group.DecodeField12, "C1"),
		c2: r.g2("C2"),
		c3: element(r, group.SizeG2, group.DecodePoint2, "C3"),
	}
	return out, r.end("row")
}

// encapsulate makes a fresh secret e(g1,g2)^s, and one row for each row of the span
// program from which satisfying keys recover it (Encrypt of appendix D, without C0: the
// secret is e(g1,g2)^s itself).
func encapsulate(span *policy.Span, keys []*PublicKey, random io.Reader) ([]row, *group.GT, error) {
	// v = (s, v2, ...) shares s; w = (0, w2, ...) shares zero.
	v, err := scalars(span.Columns(), random)
	if err != nil {
		return nil, nil, err
	}
	w, err := scalars(span.Columns(), random)
	if err != nil {
		return nil, nil, err
	}
	w[0].SetInt64(0)
	r, err := scalars(len(keys), random)
	if err != nil {
		return nil, nil, err
	}
	lambda, omega := span.Share(v), span.Share(w)
	defer func() {
		for _, secrets := range [][]*big.Int{v, w, r, lambda, omega} {
			wipe(secrets...)
		}
	}()
	rows := make([]row, len(keys))
	group.Each(len(rows), func(x int) {
		pk := keys[x].powers()
		rows[x] = row{
			c1: group.ProductT([]group.TermT{{Element: group.BaseExpT(lambda[x])}, {Element: pk.egg(r[x])}}),
			c2: group.BaseMul2(r[x]),
			c3: group.Sum2([]group.Term2{{Element: pk.gy(r[x])}, {Element: group.BaseMul2(omega[x])}}),
		}
	})
	return rows, group.BaseExpT(v[0]), nil
}

// A share is one row in use: its coefficient c, and the user's key for its attribute.
type share struct {
	row         row
	coefficient *big.Int
	key         *UserKey
}

// decapsulate recovers the secret (Decrypt of appendix D), with a single final
// exponentiation; h is H(GID):
//
//	e(g1,g2)^s = Π (C1 · e(H(GID), C3) / e(K, C2))^c  =  Π C1^c · e(H(GID), Σ c·C3) · Π e(-c·K, C2)
//
// It computes the same when the coefficients do not solve the span program, or the keys
// are other people's; the result is then not the secret. It fails with [ErrMalformed]
// when the product or the sum is not in its group of order r.
func decapsulate(h *group.G1, shares []share) (*group.GT, error) {
	n := len(shares)
	c1 := make([]group.TermT, n)
	c3 := make([]group.Term2, n)
	points := make([]*group.G1, n+1)
	with := make([]*group.G2, n+1)
	group.Each(n, func(i int) {
		s := shares[i]
		c1[i], c3[i], points[i], with[i] = group.TermT{Element: s.row.c1}, group.Term2{Element: s.row.c3}, s.key.k, s.row.c2
		if s.coefficient.Cmp(bigOne) != 0 {
			c1[i].Element = group.ExpT(s.row.c1, s.coefficient)
			c3[i].Element = group.Mul2(s.row.c3, s.coefficient)
			points[i] = group.Mul1(s.key.k, s.coefficient)
		}
		points[i] = group.Neg1(points[i])
	})
	product, sum := group.ProductT(c1), group.Sum2(c3)
	if !group.InGT(product) {
		return nil, malformed("row: C1 is not an element of its group")
	}
	if !group.InG2(sum) {
		return nil, malformed("row: C3 is not an element of its group")
	}
	points[n], with[n] = h, sum
	return group.ProductT([]group.TermT{{Element: product}, {Element: group.PairProduct(points, with)}}), nil
}

var bigOne = big.NewInt(1)

func scalars(n int, random io.Reader) ([]*big.Int, error) {
	out := make([]*big.Int, n)
	for i := range out {
		s, err := group.Scalar(random)
		if err != nil {
			return nil, fmt.Errorf("read randomness: %w", err)
		}
		out[i] = s
	}
	return out, nil
}
