package index

import (
	"bytes"
	"testing"
)

// A transaction that is invalid stays in its block, so two values of one label can be
// seen: that of an attempt that failed, and that of whatever took the label then. With a
// nonce made of the label they would be one key stream's, and their difference that of
// the postings.
func TestTwoPostingsUnderOneLabel(t *testing.T) {
	keys := deriveTermKeys(testKey.Key("word:x"))
	label := keys.labelAt(chainName("HospitalA", 0), 0)
	sealed := func(p Posting) (plain [PlaintextSize]byte, value []byte) {
		plain, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		e, err := keys.seal(label, p)
		if err != nil {
			t.Fatal(err)
		}
		return plain, e.Value[:]
	}
	first := posting(1)
	for i := 2; i < 200; i++ {
		other := first
		other.Record[15], other.Record[14] = byte(i), byte(i>>4) // hardly another
		plainA, a := sealed(first)
		plainB, b := sealed(other)
		same := 0
		for k := range a {
			if a[k] == b[k] {
				same++
			}
			if k >= LabelSize && bytes.Equal(xor(a[k:], b[k:]), xor(plainA[k-LabelSize:], plainB[k-LabelSize:])) && len(a)-k > 4 {
				t.Fatalf("from %d on the values differ as the postings do", k)
			}
		}
		if same > 6 { // of 48 random bytes: 2^-26 each time
			t.Fatalf("%d of %d bytes are the same", same, len(a))
		}
	}
	// The same posting gives the same bytes: an attempt that is repeated, also after a
	// crash, shows nothing new.
	_, a := sealed(first)
	if _, b := sealed(first); !bytes.Equal(a, b) {
		t.Error("sealed again, a posting has other bytes")
	}
	// Under another label it does not.
	e, err := keys.seal(keys.labelAt(chainName("HospitalA", 0), 1), first)
	if err != nil || bytes.Equal(e.Value[:16], a[:16]) {
		t.Errorf("the same synthetic IV under another label: %v", err)
	}
}

func xor(a, b []byte) []byte {
	out := make([]byte, len(a))
	for i := range a {
		out[i] = a[i] ^ b[i]
	}
	return out
}
