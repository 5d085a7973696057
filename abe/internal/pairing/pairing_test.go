package pairing

import (
	"bytes"
	"math/big"
	"testing"
)

func TestWipe(t *testing.T) {
	x := new(big.Int).SetBytes(bytes.Repeat([]byte{0xff}, 40))
	words := x.Bits()
	Wipe(x)
	for _, word := range words {
		if word != 0 {
			t.Fatal("not wiped")
		}
	}
	if x.Sign() != 0 {
		t.Fatal("not zero")
	}
	e := Exponents{[]byte{1, 2}, []byte{3}}
	e.Wipe()
	if !bytes.Equal(e.Alpha, make([]byte, 2)) || !bytes.Equal(e.Y, make([]byte, 1)) {
		t.Error("exponents not wiped")
	}
}
