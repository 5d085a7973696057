package bn256

import (
	"math/big"
	"sync"
)

// Tables hold the multiples d·2^(wj) of a base for digits d up to 2^(w-1). One table
// serves all four parts of an exponent. For the i-th part, the endomorphism is applied i
// times to the result of the table.
const (
	window      = 6
	tableDigits = 1 << (window - 1)
	tableRows   = 12 // parts are below 2^72
)

// A TableT computes powers of one element of GT fast. It is immutable, safe for
// concurrent use, and takes about 170 KiB.
type TableT struct{ rows [tableRows][tableDigits]*GT }

// NewTableT builds the table. It costs about as much as three exponentiations.
func NewTableT(a *GT) *TableT {
	t := new(TableT)
	base := newT(a)
	for j := range t.rows {
		row := &t.rows[j]
		row[0] = newT(base)
		for d := 1; d < tableDigits; d++ {
			row[d] = newT(row[d-1])
			mulT(row[d], row[d], base)
		}
		base.Set(row[tableDigits-1])
		squareT(base)
	}
	return t
}

// Exp returns the base to the power k, which may be any integer.
func (t *TableT) Exp(k *big.Int) *GT {
	e := newT(one)
	split := parts(k)
	for i := dims - 1; i >= 0; i-- {
		if i < dims-1 {
			e.P.Frobenius(e.P)
		}
		for j, digit := range split[i].windows(window) {
			switch {
			case digit > 0:
				mulT(e, e, t.rows[j][digit-1])
			case digit < 0:
				mulConjugateT(e, e, t.rows[j][-digit-1])
			}
		}
	}
	return e
}

// A Table2 computes multiples of one element of G2 fast. It is immutable, safe for
// concurrent use, and takes about 120 KiB.
type Table2 struct{ rows [tableRows][tableDigits]*G2 }

// NewTable2 builds the table. It costs about as much as six multiplications.
func NewTable2(a *G2) *Table2 {
	t := new(Table2)
	base := new2(a)
	for j := range t.rows {
		row := &t.rows[j]
		row[0] = new2(base)
		for d := 1; d < tableDigits; d++ {
			row[d] = new2(base)
			row[d].P.Add(row[d-1].P, base.P)
		}
		base.P.Double(row[tableDigits-1].P)
	}
	t.normalise()
	return t
}

// normalise makes all points affine with a single inversion (Montgomery's trick).
func (t *Table2) normalise() {
	var all []*G2
	for j := range t.rows {
		all = append(all, t.rows[j][:]...)
	}
	// prefix[i].P.Z is the product of the first i+1 z coordinates.
	prefix := make([]*G2, len(all))
	for i, e := range all {
		prefix[i] = new2(e)
		if i > 0 {
			prefix[i].P.Z.Mul(&prefix[i-1].P.Z, &e.P.Z)
		}
	}
	inverse := prefix[len(all)-1].P.Z
	inverse.Invert(&inverse)
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i].P
		z := inverse
		if i > 0 {
			z.Mul(&inverse, &prefix[i-1].P.Z)
		}
		inverse.Mul(&inverse, &e.Z)
		square := z
		square.Square(&z)
		e.X.Mul(&e.X, &square)
		square.Mul(&square, &z)
		e.Y.Mul(&e.Y, &square)
		e.Z.SetOne()
		e.T.SetOne()
	}
}

// Mul returns the base times k, which may be any integer.
func (t *Table2) Mul(k *big.Int) *G2 { return normal2(t.mul(k)) }

func (t *Table2) mul(k *big.Int) *G2 {
	e := identity2()
	split := parts(k)
	for i := dims - 1; i >= 0; i-- {
		if i < dims-1 {
			psi(e, e)
		}
		for j, digit := range split[i].windows(window) {
			switch {
			case digit > 0:
				addAffine2(e, t.rows[j][digit-1], false)
			case digit < 0:
				addAffine2(e, t.rows[j][-digit-1], true)
			}
		}
	}
	return e
}

// addAffine2 adds b or its negative to e. b is an affine point other than the identity.
func addAffine2(e, b *G2, negative bool) {
	// madd-2007-bl:
	// http://hyperelliptic.org/EFD/g1p/auto-shortw-jacobian-0.html#addition-madd-2007-bl
	p, q := e.P, b.P
	y := q.Y
	if negative {
		y.SetZero()
		y.Sub(&y, &q.Y)
	}
	if p.IsInfinity() {
		p.Set(q)
		p.Y.Set(&y)
		return
	}
	zz, u2, s2 := p.Z, q.X, y
	zz.Square(&p.Z)
	u2.Mul(&q.X, &zz)
	s2.Mul(&y, &p.Z)
	s2.Mul(&s2, &zz)
	h, r := u2, s2
	h.Sub(&u2, &p.X)
	r.Sub(&s2, &p.Y)
	if h.IsZero() { // the complete formulas handle equal and opposite points
		other := new2(b)
		other.P.Y.Set(&y)
		add2(e, other)
		return
	}
	r.Add(&r, &r)
	hh, i := h, h
	hh.Square(&h)
	i.Add(&hh, &hh)
	i.Add(&i, &i)
	j, v := h, p.X
	j.Mul(&h, &i)
	v.Mul(&p.X, &i)
	z := p.Z
	z.Add(&p.Z, &h)
	z.Square(&z)
	z.Sub(&z, &zz)
	p.Z.Sub(&z, &hh)
	x := r
	x.Square(&r)
	x.Sub(&x, &j)
	x.Sub(&x, &v)
	x.Sub(&x, &v)
	t := v
	t.Sub(&v, &x)
	t.Mul(&t, &r)
	j.Mul(&j, &p.Y)
	j.Add(&j, &j)
	p.Y.Sub(&t, &j)
	p.X.Set(&x)
}

// Tables for the generators, built on first use.
var (
	tableG2 = sync.OnceValue(func() *Table2 { return NewTable2(Generator2()) })
	tableGT = sync.OnceValue(func() *TableT { return NewTableT(GeneratorT()) })
)

// BaseMul2 returns g2·k.
func BaseMul2(k *big.Int) *G2 { return tableG2().Mul(k) }

// BaseExpT returns e(g1,g2)^k.
func BaseExpT(k *big.Int) *GT { return tableGT().Exp(k) }
