package envelope

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// TestRelay: all sizes around the buffers arrive in order, and no error of either end is lost.
func TestRelay(t *testing.T) {
	data := make([]byte, 5*relaySize+3)
	for i := range data {
		data[i] = byte(i>>8) ^ byte(i)
	}
	for _, n := range []int{0, 1, relaySize, relaySize + 1, 2 * relaySize, len(data)} {
		var one, two bytes.Buffer
		if err := relay(fork{&one, &two}, iotest.HalfReader(bytes.NewReader(data)), int64(n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if !bytes.Equal(one.Bytes(), data[:n]) || !bytes.Equal(two.Bytes(), data[:n]) {
			t.Errorf("%d bytes came as %d and %d", n, one.Len(), two.Len())
		}
	}
	broken := errors.New("broken")
	var got bytes.Buffer
	src := io.MultiReader(bytes.NewReader(data[:relaySize+7]), iotest.ErrReader(broken))
	if err := relay(&got, src, int64(len(data))); !errors.Is(err, broken) || !bytes.HasPrefix(data, got.Bytes()) {
		t.Errorf("a source that breaks: %v", err)
	}
	if err := relay(io.Discard, bytes.NewReader(data[:relaySize]), int64(len(data))); !errors.Is(err, io.EOF) {
		t.Errorf("a source that ends early: %v", err)
	}
	for _, w := range []io.Writer{fork{io.Discard, failing{broken}}, fork{failing{broken}, io.Discard}} {
		for _, n := range []int64{10, int64(len(data))} {
			if err := relay(w, bytes.NewReader(data), n); !errors.Is(err, broken) {
				t.Errorf("%d bytes to a writer that breaks: %v", n, err)
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
