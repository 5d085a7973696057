package table

import (
	"bytes"
	"io"
	"testing"
)

func TestNoise(t *testing.T) {
	read := func(seed uint64) []byte {
		data, err := io.ReadAll(noise(5000, seed))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if a := read(1); len(a) != 5000 || !bytes.Equal(a, read(1)) || bytes.Equal(a, read(2)) || bytes.Equal(a, read(1<<63)) {
		t.Error("noise is not a function of the whole seed")
	}
}
