package envelope

import (
	"bytes"
	"encoding/hex"
	"io"
	"testing"
)

func BenchmarkOpenPayload(b *testing.B) {
	const size = 64 << 20
	key, salt := make([]byte, KeySize), make([]byte, SaltSize)
	s, err := NewSealer(io.LimitReader(zeros{}, size), key, salt)
	if err != nil {
		b.Fatal(err)
	}
	payload, err := io.ReadAll(s)
	if err != nil {
		b.Fatal(err)
	}
	d, err := s.Digest()
	if err != nil {
		b.Fatal(err)
	}
	m := Metadata{Key: key, Salt: salt, Size: size, SHA256: d.SHA256[:]}
	b.SetBytes(size)
	for b.Loop() {
		if err := OpenPayload(io.Discard, bytes.NewReader(payload), &m, hex.EncodeToString(d.Commitment[:])); err != nil {
			b.Fatal(err)
		}
	}
}
