package bn256

import (
	"fmt"
	"math/big"
	"strconv"

	fentec "github.com/fentec-project/bn256"
	"github.com/fentec-project/gofe/abe"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/internal/parallel"
)

// Suite is the suite of this curve.
type Suite struct{}

var _ pairing.Suite = Suite{}

// Elements as package pairing needs them.
type (
	Element1 struct{ *G1 }
	Element2 struct{ *G2 }
	ElementT struct{ *GT }
)

// Parameters implements pairing.Suite. An exponent has 48 bytes, so its bias modulo the
// 256-bit order is below 2^-128.
func (Suite) Parameters() pairing.Parameters {
	return pairing.Parameters{Name: "bn256", Order: Order, SizeG1: SizeG1, SizeG2: SizeG2, SizeGT: SizeGT, SizeExponent: 48}
}

// HashToG1 implements pairing.Suite. It is gofe's hash: try and increment from SHA-256.
// Its running time depends on the identifier, which is public.
func (Suite) HashToG1(gid string) (pairing.G1, error) {
	h, err := fentec.HashG1(gid)
	if err != nil {
		return nil, err
	}
	return Element1{normal1(h)}, nil
}

// DecodeG1 implements pairing.Suite. See [DecodeG1].
func (Suite) DecodeG1(b []byte) (pairing.G1, error) {
	e, err := DecodeG1(b)
	return Element1{e}, err
}

// DecodeG2 implements pairing.Suite. See [DecodeG2].
func (Suite) DecodeG2(b []byte) (pairing.G2, error) {
	e, err := DecodeG2(b)
	return Element2{e}, err
}

// DecodeGT implements pairing.Suite. See [DecodeGT].
func (Suite) DecodeGT(b []byte) (pairing.GT, error) {
	e, err := DecodeGT(b)
	return ElementT{e}, err
}

// PublicKey implements pairing.Suite.
func (Suite) PublicKey(e pairing.Exponents) (pairing.GT, pairing.G2) {
	alpha, y := exponents(e)
	defer pairing.Wipe(alpha, y)
	return ElementT{BaseExpT(alpha)}, Element2{BaseMul2(y)}
}

// scheme equals the result of gofe's abe.NewMAABE, with precomputed generators.
var scheme = &abe.MAABE{P: Order, G1: Generator1(), G2: Generator2(), Gt: GeneratorT()}

// UserKeys implements pairing.Suite. It calls gofe's key generation, MAABEAuth, with our
// exponents.
func (Suite) UserKeys(gid string, e []pairing.Exponents) ([]pairing.G1, error) {
	secret := &abe.MAABESecKey{Alpha: map[string]*big.Int{}, Y: map[string]*big.Int{}}
	for i := range e {
		label := strconv.Itoa(i)
		secret.Attribs = append(secret.Attribs, label)
		secret.Alpha[label], secret.Y[label] = exponents(e[i])
	}
	defer func() {
		for _, label := range secret.Attribs {
			pairing.Wipe(secret.Alpha[label], secret.Y[label])
		}
	}()
	keys, err := (&abe.MAABEAuth{Maabe: scheme, Sk: secret}).GenerateAttribKeys(gid, secret.Attribs)
	if err != nil {
		return nil, fmt.Errorf("bn256: %w", err)
	}
	out := make([]pairing.G1, len(keys))
	for i, k := range keys {
		out[i] = Element1{normal1(k.Key)}
	}
	return out, nil
}

func exponents(e pairing.Exponents) (alpha, y *big.Int) {
	alpha, y = new(big.Int).SetBytes(e.Alpha), new(big.Int).SetBytes(e.Y)
	return alpha.Mod(alpha, Order), y.Mod(y, Order)
}

// BaseG2 implements pairing.Suite.
func (Suite) BaseG2() pairing.PowerG2 { return power2{tableG2()} }

// BaseGT implements pairing.Suite.
func (Suite) BaseGT() pairing.PowerGT { return powerT{tableGT()} }

// Sum implements pairing.Suite.
func (Suite) Sum(points []pairing.G2, times []*big.Int) pairing.G2 {
	terms := make([]*G2, len(points))
	parallel.Each(len(terms), func(i int) {
		terms[i] = points[i].(Element2).G2
		if times != nil && !isInt(times[i], 1) {
			terms[i] = mul2(terms[i], times[i])
		}
	})
	return Element2{sum2(terms)}
}

// Product implements pairing.Suite.
func (Suite) Product(elements []pairing.GT, powers []*big.Int) pairing.GT {
	factors := make([]*GT, len(elements))
	parallel.Each(len(factors), func(i int) {
		factors[i] = elements[i].(ElementT).GT
		if powers != nil && !isInt(powers[i], 1) {
			factors[i] = ExpT(factors[i], powers[i])
		}
	})
	return ElementT{productT(factors)}
}

// PairProduct implements pairing.Suite.
func (Suite) PairProduct(pairs []pairing.Pair) pairing.GT {
	p, q := make([]*G1, len(pairs)), make([]*G2, len(pairs))
	parallel.Each(len(pairs), func(i int) {
		p[i], q[i] = pairs[i].P.(Element1).G1, pairs[i].Q.(Element2).G2
		switch times := pairs[i].Times; {
		case isInt(times, -1):
			p[i] = neg1(p[i])
		case !isInt(times, 1):
			p[i] = mul1(p[i], times)
		}
	})
	return ElementT{PairProduct(p, q)}
}

func isInt(x *big.Int, n int64) bool { return x.IsInt64() && x.Int64() == n }

// Valid implements pairing.Element. The curve has prime order, so only the identity is
// invalid. [DecodeG1] refuses it.
func (e Element1) Valid() bool { return !e.P.IsInfinity() }

// Valid implements pairing.Element.
func (e Element2) Valid() bool { return InG2(e.G2) }

// Mul implements pairing.PowerG2.
func (e Element2) Mul(k *big.Int) pairing.G2 { return Element2{Mul2(e.G2, k)} }

// Table implements pairing.G2.
func (e Element2) Table() pairing.PowerG2 { return power2{NewTable2(e.G2)} }

// Valid implements pairing.Element.
func (e ElementT) Valid() bool { return InGT(e.GT) }

// Exp implements pairing.PowerGT.
func (e ElementT) Exp(k *big.Int) pairing.GT { return ElementT{ExpT(e.GT, k)} }

// Table implements pairing.GT.
func (e ElementT) Table() pairing.PowerGT { return powerT{NewTableT(e.GT)} }

type (
	power2 struct{ *Table2 }
	powerT struct{ *TableT }
)

func (t power2) Mul(k *big.Int) pairing.G2 { return Element2{t.Table2.Mul(k)} }
func (t powerT) Exp(k *big.Int) pairing.GT { return ElementT{t.TableT.Exp(k)} }
