package envelope

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// TestRelay: all sizes around the buffers arrive in order, and no error of either end is
// lost.
func TestRelay(t *testing.T) {
	data := make([]byte, (relayBuffers+3)*relaySize+3)
	for i := range data {
		data[i] = byte(i>>8) ^ byte(i)
	}
	for _, n := range []int{0, 1, relaySize, relaySize + 1, 2 * relaySize, len(data)} {
		var got bytes.Buffer
		salt := []byte("salt")
		m := newMeter(salt)
		if err := relay(&got, m, iotest.HalfReader(bytes.NewReader(data)), int64(n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if !bytes.Equal(got.Bytes(), data[:n]) {
			t.Errorf("%d bytes came as %d", n, got.Len())
		}
		want := Digest{int64(n), sha256.Sum256(data[:n]), sha256.Sum256(append(salt, data[:n]...))}
		if m.digest() != want {
			t.Errorf("%d bytes were measured as %+v", n, m.digest())
		}
	}
	broken := errors.New("broken")
	var got bytes.Buffer
	src := io.MultiReader(bytes.NewReader(data[:relaySize+7]), iotest.ErrReader(broken))
	if err := relay(&got, newMeter(nil), src, int64(len(data))); !errors.Is(err, broken) || !bytes.HasPrefix(data, got.Bytes()) {
		t.Errorf("a source that breaks: %v", err)
	}
	if err := relay(io.Discard, nil, bytes.NewReader(data[:relaySize]), int64(len(data))); !errors.Is(err, io.EOF) {
		t.Errorf("a source that ends early: %v", err)
	}
	for _, n := range []int64{10, int64(len(data))} {
		if err := relay(failing{broken}, newMeter(nil), bytes.NewReader(data), n); !errors.Is(err, broken) {
			t.Errorf("%d bytes to a writer that breaks: %v", n, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestWrittenInPieces: a destination gets pieces of 64 KiB at most, and one that takes
// less than it was given is an error, not a gap.
func TestWrittenInPieces(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 20000)
	for limit, want := range map[int]error{writeSize: nil, writeSize - 1: io.ErrShortWrite, 0: io.ErrShortWrite} {
		d := &limited{limit: limit}
		w := &watchedWriter{w: d}
		if n, err := w.Write(data); !errors.Is(err, want) || n != d.got.Len() || w.err != err {
			t.Errorf("at most %d bytes: wrote %d of %d: %v", limit, n, d.got.Len(), err)
		}
		if !bytes.HasPrefix(data, d.got.Bytes()) || want == nil && d.got.Len() != len(data) || d.largest > writeSize {
			t.Errorf("at most %d bytes: got %d, at most %d at a time", limit, d.got.Len(), d.largest)
		}
	}
}

// limited takes only so much of a piece.
type limited struct {
	limit, largest int
	got            bytes.Buffer
}

func (l *limited) Write(p []byte) (int, error) {
	l.largest = max(l.largest, len(p))
	return l.got.Write(p[:min(l.limit, len(p))])
}
