package bn256

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"testing"

	fentec "github.com/fentec-project/bn256"
)

// scalarsToTry returns random exponents and edge cases.
func scalarsToTry(t *testing.T, n int) []*big.Int {
	t.Helper()
	out := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), big.NewInt(63), big.NewInt(64), big.NewInt(65),
		new(big.Int).Sub(Order, big.NewInt(1)), new(big.Int).Set(Order), new(big.Int).Add(Order, big.NewInt(5)),
		new(big.Int).Set(paramU), new(big.Int).Set(lambda), new(big.Int).Sub(lambda, big.NewInt(1)), big.NewInt(-7)}
	for range n {
		k, err := rand.Int(rand.Reader, Order)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, k)
	}
	return out
}

func mod(k *big.Int) *big.Int { return new(big.Int).Mod(k, Order) }

// TestPartsAddUp checks k0 + k1·λ + k2·λ² + k3·λ³ ≡ k and that the parts are as short as
// the tables assume.
func TestPartsAddUp(t *testing.T) {
	for _, k := range scalarsToTry(t, 2000) {
		sum := new(big.Int)
		for i, p := range parts(k) {
			if p.hi >= 1<<7 {
				t.Fatalf("part %d of %v has more than 71 bits", i, k)
			}
			x := new(big.Int).SetUint64(p.hi)
			x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(p.lo))
			if p.negative {
				x.Neg(x)
			}
			if got := fromDigits(p.naf(4), 1); got.Cmp(x) != 0 {
				t.Fatalf("naf of %v gives %v", x, got)
			}
			if got := fromDigits(p.windows(window), window); got.Cmp(x) != 0 {
				t.Fatalf("windows of %v gives %v", x, got)
			}
			if n := len(p.windows(window)); n > tableRows {
				t.Fatalf("%d windows", n)
			}
			sum.Add(sum, x.Mul(x, new(big.Int).Exp(lambda, big.NewInt(int64(i)), nil)))
		}
		if mod(sum).Cmp(mod(k)) != 0 {
			t.Fatalf("parts of %v do not add up", k)
		}
	}
}

func fromDigits(digits []int8, width uint) *big.Int {
	sum := new(big.Int)
	for i := len(digits) - 1; i >= 0; i-- {
		sum.Lsh(sum, width).Add(sum, big.NewInt(int64(digits[i])))
	}
	return sum
}

func TestGTAgreesWithBn256(t *testing.T) {
	base := new(GT).ScalarBaseMult(big.NewInt(987654321))
	table := NewTableT(base)
	for _, k := range scalarsToTry(t, 40) {
		want := new(GT).ScalarMult(base, mod(k)).Marshal()
		if !bytes.Equal(ExpT(base, k).Marshal(), want) {
			t.Fatalf("ExpT differs for %v", k)
		}
		if !bytes.Equal(table.Exp(k).Marshal(), want) {
			t.Fatalf("table differs for %v", k)
		}
		if !bytes.Equal(BaseExpT(k).Marshal(), new(GT).ScalarMult(GeneratorT(), mod(k)).Marshal()) {
			t.Fatalf("BaseExpT differs for %v", k)
		}
	}
}

func TestG2AgreesWithBn256(t *testing.T) {
	base := new(G2).ScalarBaseMult(big.NewInt(987654321))
	table := NewTable2(base)
	for _, k := range scalarsToTry(t, 40) {
		want := new(G2).ScalarMult(base, mod(k)).Marshal()
		if !bytes.Equal(Mul2(base, k).Marshal(), want) {
			t.Fatalf("Mul2 differs for %v", k)
		}
		if !bytes.Equal(table.Mul(k).Marshal(), want) {
			t.Fatalf("table differs for %v", k)
		}
		if !bytes.Equal(BaseMul2(k).Marshal(), new(G2).ScalarBaseMult(mod(k)).Marshal()) {
			t.Fatalf("BaseMul2 differs for %v", k)
		}
	}
}

func TestPairProductAgreesWithBn256(t *testing.T) {
	var p []*G1
	var q []*G2
	want := fentec.GetGTOne()
	for i, k := range scalarsToTry(t, 5) {
		p = append(p, new(G1).ScalarBaseMult(mod(k)))
		q = append(q, new(G2).ScalarBaseMult(big.NewInt(int64(3*i))))
		want.Add(want, fentec.Pair(p[i], q[i]))
		if !bytes.Equal(PairProduct(p, q).Marshal(), want.Marshal()) {
			t.Fatalf("product of %d pairings differs", i+1)
		}
	}
}
