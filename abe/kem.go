package abe

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/internal/parallel"
	"github.com/chartseal/chartseal/abe/policy"
)

// A row of a ciphertext: C1, C2 and C3 of eprint 2010/351, appendix D, for one attribute.
// gofe calls them C1x, C2x and C3x.
type row struct {
	c1 pairing.GT // e(g1,g2)^λ · e(g1,g2)^(α r)
	c2 pairing.G2 // g2^r
	c3 pairing.G2 // g2^(y r) · g2^ω
}

// rowSize is the size of an encoded row in bytes.
func rowSize(s pairing.Suite) int {
	p := s.Parameters()
	return p.SizeGT + 2*p.SizeG2
}

func (r row) append(b []byte) []byte {
	b = append(b, r.c1.Marshal()...)
	b = append(b, r.c2.Marshal()...)
	return append(b, r.c3.Marshal()...)
}

// parseRow decodes a row for [decapsulate]. C2 will be paired with the secret K and is
// checked to be in G2. C1 and C3 come into play only as the product Π C1^c and the sum Σ
// c·C3, and decapsulate checks those, once for all rows.
func parseRow(s pairing.Suite, b []byte) (row, error) {
	r := &reader{suite: s, rest: b}
	out := row{c1: r.uncheckedGT("C1"), c2: r.g2("C2"), c3: r.uncheckedG2("C3")}
	return out, r.end("row")
}

// encapsulate makes a fresh secret e(g1,g2)^s, and one row for each row of the span
// program from which satisfying keys recover it (Encrypt of appendix D, without C0: the
// secret is e(g1,g2)^s itself).
func encapsulate(s pairing.Suite, span *policy.Span, keys []*PublicKey, random io.Reader) ([]row, pairing.GT, error) {
	// v = (s, v2, ...) shares s; w = (0, w2, ...) shares zero.
	order := s.Parameters().Order
	v, err := scalars(span.Columns(), order, random)
	if err != nil {
		return nil, nil, err
	}
	w, err := scalars(span.Columns(), order, random)
	if err != nil {
		return nil, nil, err
	}
	w[0].SetInt64(0)
	r, err := scalars(len(keys), order, random)
	if err != nil {
		return nil, nil, err
	}
	lambda, omega := span.Share(v), span.Share(w)
	defer func() {
		for _, secrets := range [][]*big.Int{v, w, r, lambda, omega} {
			pairing.Wipe(secrets...)
		}
	}()
	g2, gt := s.BaseG2(), s.BaseGT()
	rows := make([]row, len(keys))
	parallel.Each(len(rows), func(x int) {
		egg, gy := keys[x].powers()
		rows[x] = row{
			c1: s.Product([]pairing.GT{gt.Exp(lambda[x]), egg.Exp(r[x])}, nil),
			c2: g2.Mul(r[x]),
			c3: s.Sum([]pairing.G2{gy.Mul(r[x]), g2.Mul(omega[x])}, nil),
		}
	})
	return rows, gt.Exp(v[0]), nil
}

// A share is one row in use, with its coefficient c and the user's key for its attribute.
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
// are other people's. The result is then not the secret.
//
// Errors:
//   - ErrMalformed if the product or the sum is not in its group.
func decapsulate(s pairing.Suite, h pairing.G1, shares []share) (pairing.GT, error) {
	n := len(shares)
	c1, c3, c := make([]pairing.GT, n), make([]pairing.G2, n), make([]*big.Int, n)
	pairs := make([]pairing.Pair, n, n+1)
	for i, share := range shares {
		c1[i], c3[i], c[i] = share.row.c1, share.row.c3, share.coefficient
		pairs[i] = pairing.Pair{P: share.key.k, Q: share.row.c2, Times: new(big.Int).Neg(share.coefficient)}
	}
	product, sum := s.Product(c1, c), s.Sum(c3, c)
	if !product.Valid() {
		return nil, malformed("row: C1 is not an element of its group")
	}
	if !sum.Valid() {
		return nil, malformed("row: C3 is not an element of its group")
	}
	pairs = append(pairs, pairing.Pair{P: h, Q: sum, Times: bigOne})
	return s.Product([]pairing.GT{product, s.PairProduct(pairs)}, nil), nil
}

var bigOne, bigMinusOne = big.NewInt(1), big.NewInt(-1)

func scalars(n int, order *big.Int, random io.Reader) ([]*big.Int, error) {
	out := make([]*big.Int, n)
	for i := range out {
		s, err := rand.Int(random, order)
		if err != nil {
			return nil, fmt.Errorf("read randomness: %w", err)
		}
		out[i] = s
	}
	return out, nil
}
