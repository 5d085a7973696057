package abe

import (
	"fmt"
	"io"
	"math/big"

	"github.com/chartseal/chartseal/abe/internal/group"
	"github.com/chartseal/chartseal/abe/policy"
)

// A row of a ciphertext: C1, C2 and C3 of eprint 2010/351, appendix D, for one attribute. gofe calls them C1x, C2x and C3x.
type row struct {
	version int       // of the attribute's key
	c1      *group.GT // e(g1,g2)^λ · e(g1,g2)^(α r)
	c2      *group.G2 // g2^r
	c3      *group.G2 // g2^(y r) · g2^ω
}

// A capsule carries one secret for one span program. There is no C0: the secret is e(g1,g2)^s itself.
type capsule struct {
	span *policy.Span
	rows []row // as span.Rows
}

// encapsulate makes a fresh secret e(g1,g2)^s that satisfying keys recover from the capsule.
func encapsulate(span *policy.Span, key func(attribute string) *PublicKey, random io.Reader) (*capsule, *group.GT, error) {
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
	r, err := scalars(len(span.Rows()), random)
	if err != nil {
		return nil, nil, err
	}
	lambda, omega := span.Share(v), span.Share(w)
	defer func() {
		wipe(v...)
		wipe(w...)
		wipe(r...)
		wipe(lambda...)
		wipe(omega...)
	}()
	c := &capsule{span: span, rows: make([]row, len(span.Rows()))}
	for x, spanRow := range span.Rows() {
		pk := key(spanRow.Attribute)
		if pk == nil {
			return nil, nil, fmt.Errorf("%w for %s", ErrNoKey, spanRow.Attribute)
		}
		c.rows[x] = row{
			version: pk.version,
			c1:      new(group.GT).Add(group.BaseExpT(lambda[x]), new(group.GT).ScalarMult(pk.egg, r[x])),
			c2:      group.BaseMul2(r[x]),
			c3:      new(group.G2).Add(new(group.G2).ScalarMult(pk.gy, r[x]), group.BaseMul2(omega[x])),
		}
	}
	return c, group.BaseExpT(v[0]), nil
}

// decapsulate recovers the secret with one key for each coefficient's row:
//
//	e(g1,g2)^s = Π (C1 · e(H(GID), C3) / e(K, C2))^c  =  Π C1^c · e(H(GID), Σ c·C3) · Π e(-c·K, C2)
//
// It computes the same for coefficients that do not solve the span program; the result is then a random element to anyone who
// could not have computed it otherwise.
func (c *capsule) decapsulate(gid string, coefficients []policy.Coefficient, keys []*UserKey) (*group.GT, error) {
	h, err := group.HashToG1(gid)
	if err != nil {
		return nil, fmt.Errorf("hash GID: %w", err)
	}
	var product *group.GT
	var sum *group.G2
	points := make([]*group.G1, 0, len(keys)+1)
	with := make([]*group.G2, 0, len(keys)+1)
	for i, co := range coefficients {
		r := c.rows[co.Row]
		p1 := new(group.GT).ScalarMult(r.c1, co.Value)
		p3 := new(group.G2).ScalarMult(r.c3, co.Value)
		if i == 0 {
			product, sum = p1, p3
		} else {
			product.Add(product, p1)
			sum.Add(sum, p3)
		}
		k := new(group.G1).ScalarMult(keys[i].k, co.Value)
		points = append(points, k.Neg(k))
		with = append(with, r.c2)
	}
	points = append(points, h)
	with = append(with, sum)
	return product.Add(product, group.PairProduct(points, with)), nil
}

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
