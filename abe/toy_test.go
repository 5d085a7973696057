package abe

import (
	"crypto/sha256"
	"math/big"
	"slices"

	"github.com/chartseal/chartseal/abe/internal/pairing"
)

// toy is a suite without any security. An element is its own discrete logarithm modulo a
// prime, and the pairing is multiplication. It shows that package abe needs only a
// suite's interface.
type toy struct{}

var toyOrder = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

const toySize = 32

type (
	toyElement struct{ log *big.Int }
	toy1       struct{ toyElement }
	toy2       struct{ toyElement }
	toyT       struct{ toyElement }
)

func newToy(log *big.Int) toyElement { return toyElement{new(big.Int).Mod(log, toyOrder)} }

func decodeToy(b []byte) (toyElement, error) {
	log := new(big.Int).SetBytes(b)
	if len(b) != toySize || log.Cmp(toyOrder) >= 0 {
		return toyElement{}, pairing.ErrElement
	}
	return toyElement{log}, nil
}

func (e toyElement) Marshal() []byte              { return e.log.FillBytes(make([]byte, toySize)) }
func (e toyElement) Valid() bool                  { return e.log.Sign() != 0 }
func (e toyElement) times(k *big.Int) toyElement  { return newToy(new(big.Int).Mul(e.log, k)) }
func (e toyElement) plus(o toyElement) toyElement { return newToy(new(big.Int).Add(e.log, o.log)) }

func (e toy2) Mul(k *big.Int) pairing.G2 { return toy2{e.times(k)} }
func (e toy2) Table() pairing.PowerG2    { return e }
func (e toyT) Exp(k *big.Int) pairing.GT { return toyT{e.times(k)} }
func (e toyT) Table() pairing.PowerGT    { return e }

func (toy) Parameters() pairing.Parameters {
	return pairing.Parameters{Name: "toy", Order: toyOrder, SizeG1: toySize, SizeG2: toySize, SizeGT: toySize, SizeExponent: 48}
}

func (toy) HashToG1(gid string) (pairing.G1, error) {
	sum := sha256.Sum256([]byte(gid))
	return toy1{newToy(new(big.Int).SetBytes(sum[:]))}, nil
}

func (toy) DecodeG1(b []byte) (pairing.G1, error) { e, err := decodeToy(b); return toy1{e}, err }
func (toy) DecodeG2(b []byte) (pairing.G2, error) { e, err := decodeToy(b); return toy2{e}, err }
func (toy) DecodeGT(b []byte) (pairing.GT, error) { e, err := decodeToy(b); return toyT{e}, err }

func toyExponents(e pairing.Exponents) (alpha, y toyElement) {
	return newToy(new(big.Int).SetBytes(e.Alpha)), newToy(new(big.Int).SetBytes(e.Y))
}

func (toy) PublicKey(e pairing.Exponents) (pairing.GT, pairing.G2) {
	alpha, y := toyExponents(e)
	return toyT{alpha}, toy2{y}
}

func (s toy) UserKeys(gid string, e []pairing.Exponents) ([]pairing.G1, error) {
	h, err := s.HashToG1(gid)
	out := make([]pairing.G1, len(e))
	for i := range e {
		alpha, y := toyExponents(e[i])
		out[i] = toy1{alpha.plus(y.times(h.(toy1).log))}
	}
	return out, err
}

func (toy) BaseG2() pairing.PowerG2 { return toy2{toyElement{big.NewInt(1)}} }
func (toy) BaseGT() pairing.PowerGT { return toyT{toyElement{big.NewInt(1)}} }

func (toy) Sum(points []pairing.G2, times []*big.Int) pairing.G2 {
	sum := newToy(new(big.Int))
	for i, p := range points {
		sum = sum.plus(p.(toy2).times(timesAt(times, i)))
	}
	return toy2{sum}
}

func (toy) Product(elements []pairing.GT, powers []*big.Int) pairing.GT {
	product := newToy(new(big.Int))
	for i, e := range elements {
		product = product.plus(e.(toyT).times(timesAt(powers, i)))
	}
	return toyT{product}
}

func (toy) PairProduct(pairs []pairing.Pair) pairing.GT {
	product := newToy(new(big.Int))
	for _, p := range pairs {
		product = product.plus(p.P.(toy1).times(p.Q.(toy2).log).times(p.Times))
	}
	return toyT{product}
}

func timesAt(times []*big.Int, i int) *big.Int {
	if times == nil {
		return bigOne
	}
	return times[i]
}

// product combines two suites into one. Every element is a pair, and the suite is as
// secure as the stronger of the two. It shows that a hybrid fits behind the interface.
type product struct{ a, b pairing.Suite }

type (
	both1  struct{ a, b pairing.G1 }
	both2  struct{ a, b pairing.G2 }
	bothT  struct{ a, b pairing.GT }
	power2 struct{ a, b pairing.PowerG2 }
	powerT struct{ a, b pairing.PowerGT }
)

func (e both1) Marshal() []byte            { return slices.Concat(e.a.Marshal(), e.b.Marshal()) }
func (e both2) Marshal() []byte            { return slices.Concat(e.a.Marshal(), e.b.Marshal()) }
func (e bothT) Marshal() []byte            { return slices.Concat(e.a.Marshal(), e.b.Marshal()) }
func (e both1) Valid() bool                { return e.a.Valid() && e.b.Valid() }
func (e both2) Valid() bool                { return e.a.Valid() && e.b.Valid() }
func (e bothT) Valid() bool                { return e.a.Valid() && e.b.Valid() }
func (e both2) Mul(k *big.Int) pairing.G2  { return both2{e.a.Mul(k), e.b.Mul(k)} }
func (e bothT) Exp(k *big.Int) pairing.GT  { return bothT{e.a.Exp(k), e.b.Exp(k)} }
func (e power2) Mul(k *big.Int) pairing.G2 { return both2{e.a.Mul(k), e.b.Mul(k)} }
func (e powerT) Exp(k *big.Int) pairing.GT { return bothT{e.a.Exp(k), e.b.Exp(k)} }
func (e both2) Table() pairing.PowerG2     { return power2{e.a.Table(), e.b.Table()} }
func (e bothT) Table() pairing.PowerGT     { return powerT{e.a.Table(), e.b.Table()} }
func (s product) BaseG2() pairing.PowerG2  { return power2{s.a.BaseG2(), s.b.BaseG2()} }
func (s product) BaseGT() pairing.PowerGT  { return powerT{s.a.BaseGT(), s.b.BaseGT()} }

func (s product) Parameters() pairing.Parameters {
	p, q := s.a.Parameters(), s.b.Parameters()
	return pairing.Parameters{
		Name: "product", Order: new(big.Int).Mul(p.Order, q.Order),
		SizeG1: p.SizeG1 + q.SizeG1, SizeG2: p.SizeG2 + q.SizeG2, SizeGT: p.SizeGT + q.SizeGT, SizeExponent: p.SizeExponent + q.SizeExponent,
	}
}

func (s product) HashToG1(gid string) (pairing.G1, error) {
	a, err := s.a.HashToG1(gid)
	if err != nil {
		return nil, err
	}
	b, err := s.b.HashToG1(gid)
	return both1{a, b}, err
}

func decodeBoth[E any](encoded []byte, size int, a, b func([]byte) (E, error)) (first, second E, err error) {
	size = min(size, len(encoded))
	if first, err = a(encoded[:size]); err == nil {
		second, err = b(encoded[size:])
	}
	return first, second, err
}

func (s product) DecodeG1(b []byte) (pairing.G1, error) {
	x, y, err := decodeBoth(b, s.a.Parameters().SizeG1, s.a.DecodeG1, s.b.DecodeG1)
	return both1{x, y}, err
}

func (s product) DecodeG2(b []byte) (pairing.G2, error) {
	x, y, err := decodeBoth(b, s.a.Parameters().SizeG2, s.a.DecodeG2, s.b.DecodeG2)
	return both2{x, y}, err
}

func (s product) DecodeGT(b []byte) (pairing.GT, error) {
	x, y, err := decodeBoth(b, s.a.Parameters().SizeGT, s.a.DecodeGT, s.b.DecodeGT)
	return bothT{x, y}, err
}

func (s product) split(e pairing.Exponents) (a, b pairing.Exponents) {
	n := s.a.Parameters().SizeExponent
	return pairing.Exponents{Alpha: e.Alpha[:n], Y: e.Y[:n]}, pairing.Exponents{Alpha: e.Alpha[n:], Y: e.Y[n:]}
}

func (s product) PublicKey(e pairing.Exponents) (pairing.GT, pairing.G2) {
	a, b := s.split(e)
	ta, pa := s.a.PublicKey(a)
	tb, pb := s.b.PublicKey(b)
	return bothT{ta, tb}, both2{pa, pb}
}

func (s product) UserKeys(gid string, e []pairing.Exponents) ([]pairing.G1, error) {
	as, bs := make([]pairing.Exponents, len(e)), make([]pairing.Exponents, len(e))
	for i := range e {
		as[i], bs[i] = s.split(e[i])
	}
	ka, err := s.a.UserKeys(gid, as)
	if err != nil {
		return nil, err
	}
	kb, err := s.b.UserKeys(gid, bs)
	if err != nil {
		return nil, err
	}
	out := make([]pairing.G1, len(e))
	for i := range e {
		out[i] = both1{ka[i], kb[i]}
	}
	return out, nil
}

func (s product) Sum(points []pairing.G2, times []*big.Int) pairing.G2 {
	var as, bs []pairing.G2
	for _, p := range points {
		as, bs = append(as, p.(both2).a), append(bs, p.(both2).b)
	}
	return both2{s.a.Sum(as, times), s.b.Sum(bs, times)}
}

func (s product) Product(elements []pairing.GT, powers []*big.Int) pairing.GT {
	var as, bs []pairing.GT
	for _, e := range elements {
		as, bs = append(as, e.(bothT).a), append(bs, e.(bothT).b)
	}
	return bothT{s.a.Product(as, powers), s.b.Product(bs, powers)}
}

func (s product) PairProduct(pairs []pairing.Pair) pairing.GT {
	var as, bs []pairing.Pair
	for _, p := range pairs {
		as = append(as, pairing.Pair{P: p.P.(both1).a, Q: p.Q.(both2).a, Times: p.Times})
		bs = append(bs, pairing.Pair{P: p.P.(both1).b, Q: p.Q.(both2).b, Times: p.Times})
	}
	return bothT{s.a.PairProduct(as), s.b.PairProduct(bs)}
}
