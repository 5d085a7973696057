package group

import (
	"math/big"

	"github.com/fentec-project/bn256"
)

// PairProduct is the product of the pairings e(p[i], q[i]).
func PairProduct(p []*G1, q []*G2) *GT {
	var product *GT
	for i := range p {
		m := bn256.Miller(p[i], q[i])
		if product == nil {
			product = m
		} else {
			product.Add(product, m)
		}
	}
	return product.Finalize()
}

// Generator1 is g1. The caller must not change it.
func Generator1() *G1 { return new(G1).ScalarBaseMult(big.NewInt(1)) }

// Generator2 is g2. The caller must not change it.
func Generator2() *G2 { return new(G2).ScalarBaseMult(big.NewInt(1)) }

// GeneratorT is e(g1, g2). The caller must not change it.
func GeneratorT() *GT { return bn256.Pair(Generator1(), Generator2()) }

// BaseExpT is e(g1,g2)^k.
func BaseExpT(k *big.Int) *GT { return new(GT).ScalarMult(GeneratorT(), k) }

// BaseMul2 is g2^k.
func BaseMul2(k *big.Int) *G2 {
	e := new(G2).ScalarBaseMult(k)
	e.Marshal()
	return e
}
