package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
	"time"
)

// pipe is a standard input whose writer the test holds.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func TestInputReadsAll(t *testing.T) {
	want := make([]byte, 300_001)
	rand.Read(want)
	for name, reader := range map[string]func(io.Reader) io.Reader{
		"large reads":    func(r io.Reader) io.Reader { return r },
		"one byte reads": iotest.OneByteReader,
	} {
		r, w := pipe(t)
		go func() { w.Write(want); w.Close() }()
		in := newInput(t.Context(), r)
		got, err := io.ReadAll(reader(in))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %d bytes, %v", name, len(got), err)
		}
		if n, err := in.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Fatalf("%s: after the end: %d, %v", name, n, err)
		}
	}
}

func TestInputStopsWaiting(t *testing.T) {
	for name, read := range map[string]func(*input) error{
		"Read": func(in *input) error { _, err := in.Read(make([]byte, 10)); return err },
		"Copy": func(in *input) error { _, err := io.Copy(io.Discard, in); return err },
	} {
		r, _ := pipe(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- read(newInput(ctx, r)) }()
		select {
		case err := <-done:
			t.Fatalf("%s ended by itself: %v", name, err)
		case <-time.After(20 * time.Millisecond):
		}
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: %v", name, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s waits on", name)
		}
	}
}
