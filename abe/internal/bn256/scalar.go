package bn256

import (
	"math/big"
	"math/bits"

	fentec "github.com/fentec-project/bn256"

	"github.com/chartseal/chartseal/abe/internal/pairing"
)

// The curve's parameter u and values derived from it. Raising to the p-th power is cheap,
// on G2 through the endomorphism ψ and on GT through the Frobenius map. Since p ≡ λ = 6u²
// modulo r, an exponent of 256 bits can be written as four of about 66 bits: k ≡ k0 +
// k1·λ + k2·λ² + k3·λ³ (Galbraith and Scott, eprint 2008/117).
var (
	paramU = mustInt("6518589491078791937")
	lambda = new(big.Int).Mul(big.NewInt(6), new(big.Int).Mul(paramU, paramU))
	split  = newLattice()
)

func mustInt(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic("bn256: bad constant")
	}
	return n
}

// dims is the number of parts of an exponent.
const dims = 4

// A lattice holds a basis of integer vectors a with Σ a[i]·λ^i ≡ 0 modulo r. Subtracting
// the lattice vector nearest to (k, 0, 0, 0) leaves short parts of k.
type lattice struct {
	basis [dims][dims]*big.Int
	round [dims]*big.Int // numerators: the nearest vector is Σ round(k·round[i]/det)·basis[i]
	det   *big.Int
}

func newLattice() *lattice {
	u := paramU
	affine := func(a, b int64) *big.Int { // returns a·u + b
		t := new(big.Int).Mul(big.NewInt(a), u)
		return t.Add(t, big.NewInt(b))
	}
	l := &lattice{basis: [dims][dims]*big.Int{
		{affine(1, 1), affine(1, 0), affine(1, 0), affine(-2, 0)},
		{affine(2, 1), affine(-1, 0), affine(-1, -1), affine(-1, 0)},
		{affine(2, 0), affine(2, 1), affine(2, 1), affine(2, 1)},
		{affine(1, -1), affine(4, 2), affine(-2, 1), affine(1, -1)},
	}}
	l.det = new(big.Int)
	for i := range l.basis { // (k,0,0,0)·basis⁻¹ needs the cofactors of the first column
		l.round[i] = l.cofactor(i)
		l.det.Add(l.det, new(big.Int).Mul(l.basis[i][0], l.round[i]))
	}
	return l
}

// cofactor returns the cofactor of the element in the given row and the first column.
func (l *lattice) cofactor(row int) *big.Int {
	var m [][dims]*big.Int
	for i, r := range l.basis {
		if i != row {
			m = append(m, r)
		}
	}
	minor := func(a, b int) *big.Int { // minor of the last two rows, columns a and b
		return new(big.Int).Sub(new(big.Int).Mul(m[1][a], m[2][b]), new(big.Int).Mul(m[1][b], m[2][a]))
	}
	d := new(big.Int).Mul(m[0][1], minor(2, 3))
	d.Sub(d, new(big.Int).Mul(m[0][2], minor(1, 3)))
	d.Add(d, new(big.Int).Mul(m[0][3], minor(1, 2)))
	if row%2 == 1 {
		d.Neg(d)
	}
	return d
}

// A part is one of the four short parts of an exponent: a magnitude below 2^72 and a
// sign.
type part struct {
	lo, hi   uint64
	negative bool
}

// parts splits k, which may be any integer, into short parts.
func parts(k *big.Int) [dims]part {
	k = new(big.Int).Mod(k, Order)
	var v [dims]*big.Int
	for j := range v {
		v[j] = new(big.Int)
	}
	v[0].Set(k)
	t := new(big.Int)
	twice := new(big.Int).Lsh(split.det, 1)
	for i, row := range split.basis {
		// c = floor((2·k·round[i] + det) / (2·det)), k·round[i]/det to the nearest
		// integer
		c := new(big.Int).Mul(k, split.round[i])
		c.Lsh(c, 1).Add(c, split.det)
		c.Div(c, twice)
		for j := range v {
			v[j].Sub(v[j], t.Mul(c, row[j]))
		}
		pairing.Wipe(c)
	}
	var out [dims]part
	for j, x := range v {
		out[j] = newPart(x)
		pairing.Wipe(x)
	}
	pairing.Wipe(k)
	pairing.Wipe(t)
	return out
}

func newPart(x *big.Int) part {
	abs := new(big.Int).Abs(x)
	p := part{lo: new(big.Int).And(abs, maxWord).Uint64(), hi: new(big.Int).Rsh(abs, 64).Uint64(), negative: x.Sign() < 0}
	pairing.Wipe(abs)
	return p
}

var maxWord = new(big.Int).SetUint64(^uint64(0))

// naf returns the digits of p in width-w non-adjacent form, least significant first. Each
// is zero, or odd and below 2^(w-1) in magnitude.
func (p part) naf(w uint) []int8 {
	var out []int8
	lo, hi := p.lo, p.hi
	for lo != 0 || hi != 0 {
		var digit int64
		if lo&1 == 1 {
			digit = int64(lo & (1<<w - 1))
			if digit >= 1<<(w-1) {
				digit -= 1 << w
			}
			lo, hi = subtract(lo, hi, digit)
		}
		if p.negative {
			digit = -digit
		}
		out = append(out, int8(digit))
		lo = lo>>1 | hi<<63
		hi >>= 1
	}
	return out
}

// windows returns the digits of p in base 2^w, least significant first. Each is between
// -2^(w-1) and 2^(w-1).
func (p part) windows(w uint) []int8 {
	var out []int8
	lo, hi := p.lo, p.hi
	for lo != 0 || hi != 0 {
		digit := int64(lo & (1<<w - 1))
		if digit > 1<<(w-1) {
			digit -= 1 << w
		}
		lo, hi = subtract(lo, hi, digit)
		lo = lo>>w | hi<<(64-w)
		hi >>= w
		if p.negative {
			digit = -digit
		}
		out = append(out, int8(digit))
	}
	return out
}

func subtract(lo, hi uint64, digit int64) (uint64, uint64) {
	if digit >= 0 {
		l, borrow := bits.Sub64(lo, uint64(digit), 0)
		return l, hi - borrow
	}
	l, carry := bits.Add64(lo, uint64(-digit), 0)
	return l, hi + carry
}

// nafU is u in non-adjacent form of width 4, for the checks of subgroup membership.
var nafU = newPart(paramU).naf(4)

// bn256's String, Marshal and pairing functions modify their arguments to make them
// affine. All elements that this package returns are already affine, so goroutines can
// share them.
func normal1(e *G1) *G1 { e.P.MakeAffine(); return e }
func normal2(e *G2) *G2 { e.P.MakeAffine(); return e }

var one = fentec.GetGTOne()
