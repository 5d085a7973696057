package bn256

import (
	"math/big"
	"runtime"
	"sync"

	fentec "github.com/fentec-project/bn256"
)

// PairProduct returns the product of the pairings e(p[i], q[i]), with one final
// exponentiation for all of them. A pair with the identity counts as one.
func PairProduct(p []*G1, q []*G2) *GT {
	loops := make([]*GT, min(len(p), runtime.GOMAXPROCS(0)))
	var wait sync.WaitGroup
	for i := range loops {
		from, to := i*len(p)/len(loops), (i+1)*len(p)/len(loops)
		wait.Go(func() { loops[i] = miller(p[from:to], q[from:to]) })
	}
	wait.Wait()
	product := newT(one)
	for _, l := range loops {
		mulT(product, product, l)
	}
	return finalExponentiation(product)
}

// sixUPlus2 is 6u+2 in non-adjacent form, least significant digit first. It is the length
// of the Miller loop.
var sixUPlus2 = func() []int8 {
	k := new(big.Int).Mul(paramU, big.NewInt(6))
	return newPart(k.Add(k, big.NewInt(2))).naf(2)
}()

// miller returns the product of the Miller loops of the optimal ate pairing over all
// pairs. The loops share their squarings. It is algorithm 1 of
// http://cryptojedi.org/papers/dclxvi-20100714.pdf. The bn256 library has it for one
// pair.
func miller(p []*G1, q []*G2) *GT {
	type pair struct {
		p        *G1 // affine
		q, minus *G2 // affine
		r        *G2
	}
	var pairs []pair
	for i := range p {
		a, b := normal1(new(G1).Set(p[i])), normal2(new2(q[i]))
		if a.P.IsInfinity() || b.P.IsInfinity() {
			continue
		}
		minus := new2(b)
		minus.P.Neg(b.P)
		pairs = append(pairs, pair{a, b, minus, new2(b)})
	}
	f, line := newT(one), newT(one)
	for i := len(sixUPlus2) - 2; i >= 0; i-- {
		if i != len(sixUPlus2)-2 {
			f.P.Square(f.P)
		}
		for _, c := range pairs {
			doubleLine(line, c.r, c.p)
			mulLine(f, line)
			switch sixUPlus2[i] {
			case 1:
				addLine(line, c.r, c.q, c.p)
				mulLine(f, line)
			case -1:
				addLine(line, c.r, c.minus, c.p)
				mulLine(f, line)
			}
		}
	}
	for _, c := range pairs {
		q1 := new2(c.q)
		psi(q1, c.q)
		addLine(line, c.r, q1, c.p)
		mulLine(f, line)
		psi(q1, q1)
		q1.P.Neg(q1.P)
		addLine(line, c.r, q1, c.p)
		mulLine(f, line)
	}
	return f
}

// doubleLine doubles r and stores the line through it, evaluated at p, in line. The
// coefficients a, b, c in X.X, X.Y, X.Z represent (aτ + b)ω + c. See
// http://arxiv.org/pdf/0904.0854v3.pdf, doubling for a = 0.
func doubleLine(line *GT, r *G2, p *G1) {
	x, y, z, zz := r.P.X, r.P.Y, r.P.Z, r.P.T
	la, lb, lc := &line.P.X.X, &line.P.X.Y, &line.P.X.Z

	a, b, c := x, y, x
	a.Square(&x)
	b.Square(&y)
	c.Square(&b)
	d := x
	d.Add(&x, &b)
	d.Square(&d)
	d.Sub(&d, &a)
	d.Sub(&d, &c)
	d.Add(&d, &d)
	e := a
	e.Add(&a, &a)
	e.Add(&e, &a)
	g := e
	g.Square(&e)

	r.P.X.Sub(&g, &d)
	r.P.X.Sub(&r.P.X, &d)
	r.P.Z.Add(&y, &z)
	r.P.Z.Square(&r.P.Z)
	r.P.Z.Sub(&r.P.Z, &b)
	r.P.Z.Sub(&r.P.Z, &zz)
	d.Sub(&d, &r.P.X)
	d.Mul(&d, &e)
	c.Add(&c, &c)
	c.Add(&c, &c)
	c.Add(&c, &c)
	r.P.Y.Sub(&d, &c)
	r.P.T.Square(&r.P.Z)

	lb.Mul(&e, &zz)
	lb.Add(lb, lb)
	lb.MulScalar(lb, &p.P.X)
	d.SetZero()
	lb.Sub(&d, lb)

	x.Add(&x, &e)
	x.Square(&x)
	x.Sub(&x, &a)
	x.Sub(&x, &g)
	b.Add(&b, &b)
	b.Add(&b, &b)
	la.Sub(&x, &b)

	lc.Mul(&r.P.Z, &zz)
	lc.Add(lc, lc)
	lc.MulScalar(lc, &p.P.Y)
}

// addLine adds q, which is affine, to r. It stores the line through both, evaluated at p,
// in line as [doubleLine] does. See http://arxiv.org/pdf/0904.0854v3.pdf, mixed addition.
func addLine(line *GT, r, q *G2, p *G1) {
	la, lb, lc := &line.P.X.X, &line.P.X.Y, &line.P.X.Z
	qyy := q.P.Y
	qyy.Square(&q.P.Y)

	h, d := q.P.X, q.P.Y
	h.Mul(&q.P.X, &r.P.T)
	h.Sub(&h, &r.P.X)
	d.Add(&q.P.Y, &r.P.Z)
	d.Square(&d)
	d.Sub(&d, &qyy)
	d.Sub(&d, &r.P.T)
	d.Mul(&d, &r.P.T)

	i, e := h, h
	i.Square(&h)
	e.Add(&i, &i)
	e.Add(&e, &e)
	j, v := h, e
	j.Mul(&h, &e)
	v.Mul(&r.P.X, &e)
	l := d
	l.Sub(&d, &r.P.Y)
	l.Sub(&l, &r.P.Y)

	r.P.X.Square(&l)
	r.P.X.Sub(&r.P.X, &j)
	r.P.X.Sub(&r.P.X, &v)
	r.P.X.Sub(&r.P.X, &v)
	r.P.Z.Add(&r.P.Z, &h)
	r.P.Z.Square(&r.P.Z)
	r.P.Z.Sub(&r.P.Z, &r.P.T)
	r.P.Z.Sub(&r.P.Z, &i)
	v.Sub(&v, &r.P.X)
	v.Mul(&v, &l)
	j.Mul(&j, &r.P.Y)
	j.Add(&j, &j)
	r.P.Y.Sub(&v, &j)
	r.P.T.Square(&r.P.Z)

	d.Add(&q.P.Y, &r.P.Z)
	d.Square(&d)
	d.Sub(&d, &qyy)
	d.Sub(&d, &r.P.T)
	la.Mul(&l, &q.P.X)
	la.Add(la, la)
	la.Sub(la, &d)

	lc.MulScalar(&r.P.Z, &p.P.Y)
	lc.Add(lc, lc)

	h.SetZero()
	lb.Sub(&h, &l)
	lb.MulScalar(lb, &p.P.X)
	lb.Add(lb, lb)
}

// mulLine sets f = f·((aτ + b)ω + c) for the line with these coefficients.
func mulLine(f, line *GT) {
	fx, fy := &f.P.X, &f.P.Y
	a, b, c := &line.P.X.X, &line.P.X.Y, &line.P.X.Z

	// low = fx·(aτ + b): five multiplications in GF(p²), as (xτ² + yτ + z)(aτ + b) =
	// (xb + ya)τ² + ((y+z)(a+b) - ya - zb)τ + zb + ξxa
	low := *fx
	ya, zb, xa, ab := *a, *b, *a, *a
	ab.Add(a, b)
	ya.Mul(&fx.Y, a)
	zb.Mul(&fx.Z, b)
	xa.Mul(&fx.X, a)
	low.X.Mul(&fx.X, b)
	low.X.Add(&low.X, &ya)
	low.Y.Add(&fx.Y, &fx.Z)
	low.Y.Mul(&low.Y, &ab)
	low.Y.Sub(&low.Y, &ya)
	low.Y.Sub(&low.Y, &zb)
	xa.MulXi(&xa)
	low.Z.Add(&zb, &xa)

	// high = (fx + fy)·(aτ + b + c)
	fx.Add(fx, fy)
	bc := *b
	bc.Add(b, c)
	ab.Add(a, &bc)
	ya.Mul(&fx.Y, a)
	zb.Mul(&fx.Z, &bc)
	xa.Mul(&fx.X, a)
	high := *fx
	high.X.Mul(&fx.X, &bc)
	high.X.Add(&high.X, &ya)
	high.Y.Add(&fx.Y, &fx.Z)
	high.Y.Mul(&high.Y, &ab)
	high.Y.Sub(&high.Y, &ya)
	high.Y.Sub(&high.Y, &zb)
	xa.MulXi(&xa)
	high.Z.Add(&zb, &xa)

	fy.MulScalar(fy, c)
	fx.Sub(&high, &low)
	fx.Sub(fx, fy)
	low.MulTau(&low)
	fy.Add(fy, &low)
}

// finalExponentiation raises to the power (p¹²-1)/r: steps 13 to 15 of the same
// algorithm, as in the bn256 library. After the first step every value is in the
// cyclotomic subgroup, so it uses the faster squarings of that subgroup.
func finalExponentiation(f *GT) *GT {
	// f^(p⁶-1), then ^(p²+1)
	t := newT(f)
	t.P.Conjugate(t.P)
	inverse := newT(f)
	inverse.P.Invert(f.P)
	mulT(t, t, inverse)
	mulT(t, t, frobeniusT(t, 2))

	fu := expU(t)
	fu2 := expU(fu)
	fu3 := expU(fu2)

	y0 := frobeniusT(t, 1)
	mulT(y0, y0, frobeniusT(t, 2))
	mulT(y0, y0, frobeniusT(t, 3))
	y1 := conjugateT(t)
	y2 := frobeniusT(fu2, 2)
	y3 := conjugateT(frobeniusT(fu, 1))
	y4 := frobeniusT(fu2, 1)
	mulT(y4, y4, fu)
	y4 = conjugateT(y4)
	y5 := conjugateT(fu2)
	y6 := frobeniusT(fu3, 1)
	mulT(y6, y6, fu3)
	y6 = conjugateT(y6)

	squareT(y6)
	mulT(y6, y6, y4)
	mulT(y6, y6, y5) // t0
	t1 := newT(y3)
	mulT(t1, t1, y5)
	mulT(t1, t1, y6)
	mulT(y6, y6, y2)
	squareT(t1)
	mulT(t1, t1, y6)
	squareT(t1)
	t0 := newT(t1)
	mulT(t0, t0, y1)
	mulT(t1, t1, y0)
	squareT(t0)
	mulT(t0, t0, t1)
	return t0
}

func conjugateT(a *GT) *GT {
	e := newT(a)
	e.P.Conjugate(a.P)
	return e
}

// The generators. The bn256 library's functions would compute them each time.
var (
	generator1 = normal1(new(G1).ScalarBaseMult(big.NewInt(1)))
	generator2 = normal2(new(G2).ScalarBaseMult(big.NewInt(1)))
	generatorT = fentec.Pair(generator1, generator2)
)

// Generator1 returns g1. The caller must not change it.
func Generator1() *G1 { return generator1 }

// Generator2 returns g2. The caller must not change it.
func Generator2() *G2 { return generator2 }

// GeneratorT returns e(g1, g2). The caller must not change it.
func GeneratorT() *GT { return generatorT }
