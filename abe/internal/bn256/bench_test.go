package bn256

import (
	"crypto/rand"
	"fmt"
	"testing"

	fentec "github.com/fentec-project/bn256"
)

func BenchmarkPrimitives(b *testing.B) {
	k, _ := rand.Int(rand.Reader, Order)
	g1, g2, gt := Generator1(), new(G2).ScalarBaseMult(k), GeneratorT()
	g2.Marshal()
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
	run("Mul1", func() { new(G1).ScalarMult(g1, k) })
	run("Mul2", func() { new(G2).ScalarMult(g2, k) })
	run("ExpT", func() { new(GT).ScalarMult(gt, k) })
	run("Pair", func() { fentec.Pair(g1, g2) })
	run("Miller", func() { fentec.Miller(g1, g2) })
	run("HashG1", func() { fentec.HashG1("HospitalA/doctor") })
	x := new(GT).Set(gt).P
	y := new(GT).Set(gt).P
	run("MulT", func() { x.Mul(x, y) })
	run("SqT", func() { x.Square(x) })
	run("FrobT", func() { x.Frobenius(y) })
	run("InvT", func() { x.Invert(y) })
	p2 := x.X.X
	q2 := x.X.Y
	run("Mul-gfP2", func() { p2.Mul(&p2, &q2) })
	run("Sq-gfP2", func() { p2.Square(&p2) })
	run("Add-gfP2", func() { p2.Add(&p2, &q2) })
	run("Inv-gfP2", func() { p2.Invert(&q2) })
	s2 := new(G2).Set(g2).P
	d2 := new(G2).Set(g2).P
	run("Add2", func() { s2.Add(s2, g2.P) })
	run("Dbl2", func() { d2.Double(s2) })
	run("MarshalT", func() { gt.Marshal() })
}

func BenchmarkFast(b *testing.B) {
	k, _ := rand.Int(rand.Reader, Order)
	g2, gt := new(G2).ScalarBaseMult(k), GeneratorT()
	normal2(g2)
	t2, tt := NewTable2(g2), NewTableT(gt)
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
	x, y := newT(gt), newT(gt)
	run("parts", func() { parts(k) })
	run("mulT", func() { mulT(x, x, y) })
	run("squareT", func() { squareT(x) })
	run("ExpT", func() { ExpT(gt, k) })
	run("TableT.Exp", func() { tt.Exp(k) })
	run("NewTableT", func() { NewTableT(gt) })
	run("Mul2", func() { Mul2(g2, k) })
	run("Table2.Mul", func() { t2.Mul(k) })
	run("NewTable2", func() { NewTable2(g2) })
	run("InGT", func() { InGT(gt) })
	run("InG2", func() { InG2(g2) })
	e := gt.Marshal()
	run("DecodeGT", func() { DecodeGT(e) })
}

func BenchmarkPairProduct(b *testing.B) {
	k, _ := rand.Int(rand.Reader, Order)
	var p []*G1
	var q []*G2
	for i := range 11 {
		if i == 0 || i == 10 {
			b.Run(fmt.Sprint(i+1), func(b *testing.B) {
				p = append(p, Generator1())
				q = append(q, BaseMul2(k))
				b.ReportAllocs()
				for b.Loop() {
					PairProduct(p, q)
				}
			})
			continue
		}
		p = append(p, Generator1())
		q = append(q, BaseMul2(k))
	}
}
