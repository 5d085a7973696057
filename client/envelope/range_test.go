package envelope

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// sealedRecord is a record of several chunks as it is stored.
func sealedRecord(t *testing.T, size int) (record, payload []byte, m *Metadata) {
	t.Helper()
	record = make([]byte, size)
	rand.NewChaCha8([32]byte{4}).Read(record)
	m = &Metadata{Key: bytes.Repeat([]byte{1}, KeySize), Salt: bytes.Repeat([]byte{2}, SaltSize), Size: int64(size)}
	s, err := NewSealer(bytes.NewReader(record), m.Key, m.Salt)
	if err != nil {
		t.Fatal(err)
	}
	if payload, err = io.ReadAll(s); err != nil {
		t.Fatal(err)
	}
	return record, payload, m
}

func openRange(payload []byte, m *Metadata, offset, length int64) ([]byte, error) {
	var out bytes.Buffer
	err := OpenRange(&out, bytes.NewReader(payload), int64(len(payload)), m, offset, length)
	return out.Bytes(), err
}

func TestOpenRange(t *testing.T) {
	const chunk = 64 << 10
	record, payload, m := sealedRecord(t, 10*chunk+77)
	size := int64(len(record))
	for _, r := range [][2]int64{{0, 0}, {0, 1}, {0, size}, {chunk - 1, 2}, {chunk, chunk}, {3*chunk + 5, 4*chunk + 9}, {size - 1, 1}, {size, 0}} {
		got, err := openRange(payload, m, r[0], r[1])
		if err != nil || !bytes.Equal(got, record[r[0]:r[0]+r[1]]) {
			t.Errorf("%d bytes at %d: %d bytes, %v", r[1], r[0], len(got), err)
		}
	}
	for _, r := range [][2]int64{{-1, 1}, {0, -1}, {0, size + 1}, {size + 1, 0}, {size, 1}, {1 << 62, 1 << 62}} {
		if got, err := openRange(payload, m, r[0], r[1]); err == nil || len(got) > 0 {
			t.Errorf("%d bytes at %d: %d bytes, %v", r[1], r[0], len(got), err)
		}
	}
}

// TestRangeAttacks flips, moves and cuts what is stored. Inside the range nothing false
// is ever released; outside of it, a flip is not seen, as the documentation says, and
// what is released is right all the same.
func TestRangeAttacks(t *testing.T) {
	const chunk, sealedChunk = 64 << 10, 64<<10 + 16
	record, payload, m := sealedRecord(t, 10*chunk+77)
	padded := int(PaddedSize(m.Size))
	chunks := (padded + chunk - 1) / chunk
	start := len(payload) - padded - 16*chunks // behind the header and the nonce
	const offset, length = 4*chunk + 100, 1000 // inside chunk 4
	at := func(n int) int { return start + n*sealedChunk }
	for name, c := range map[string]struct {
		alter func(p []byte) []byte
		seen  bool
	}{
		"nothing":                  {func(p []byte) []byte { return p }, false},
		"a bit of the range":       {func(p []byte) []byte { p[at(4)+150] ^= 1; return p }, true},
		"a bit beside the range":   {func(p []byte) []byte { p[at(4)+60000] ^= 1; return p }, true},
		"the chunk's tag":          {func(p []byte) []byte { p[at(5)-1] ^= 1; return p }, true},
		"the header":               {func(p []byte) []byte { p[40] ^= 1; return p }, true},
		"the nonce":                {func(p []byte) []byte { p[start-1] ^= 1; return p }, true},
		"a bit of the last chunk":  {func(p []byte) []byte { p[len(p)-20] ^= 1; return p }, true},
		"two chunks are exchanged": {func(p []byte) []byte { return exchange(p, at(4), at(3), sealedChunk) }, true},
		"the end is cut off":       {func(p []byte) []byte { return p[:len(p)-1] }, true},
		"a chunk is cut out":       {func(p []byte) []byte { return append(p[:at(1):at(1)], p[at(2):]...) }, true},
		"the last chunk is gone":   {func(p []byte) []byte { return p[:at(chunks-1)] }, true},
		"another chunk's bit":      {func(p []byte) []byte { p[at(7)+3] ^= 1; return p }, false},
	} {
		got, err := openRange(c.alter(bytes.Clone(payload)), m, offset, length)
		switch {
		case c.seen && (!errors.Is(err, ledger.ErrTampered) || len(got) > 0):
			t.Errorf("%s: %d bytes released, %v", name, len(got), err)
		case !c.seen && (err != nil || !bytes.Equal(got, record[offset:offset+length])):
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	other := *m
	other.Key = bytes.Repeat([]byte{9}, KeySize)
	if got, err := openRange(payload, &other, offset, length); !errors.Is(err, ledger.ErrTampered) || len(got) > 0 {
		t.Errorf("another record's key: %v", err)
	}
	other = *m
	other.Size += 3 * chunk
	if got, err := openRange(payload, &other, offset, length); !errors.Is(err, ledger.ErrTampered) || len(got) > 0 {
		t.Errorf("another record's size: %v", err)
	}
}

func exchange(p []byte, i, j, n int) []byte {
	one := bytes.Clone(p[i : i+n])
	copy(p[i:i+n], p[j:j+n])
	copy(p[j:j+n], one)
	return p
}
