// Package clienttest holds conformance tests for implementations of client.Ledger and
// client.Blobs, and implementations in memory. The tests run on both the implementations
// in memory and real servers. So tests of package client can rely on the former, and the
// adapters behave like them.
package clienttest

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/chartseal/chartseal/client"
)

// UnknownCID names a payload that nobody has: the SHA-256 of discarded random bytes.
const UnknownCID = "bafkreicn3iktvyvmb4oimrz2vpljh75efa3gyaxdvz6nvqfbqeizcrhfna"

// A Store is client.Blobs, and unpins, which is for the hospital's own services.
type Store interface {
	client.Blobs

	// Unpin releases the copy. Unpinning a CID that is not pinned is no error.
	Unpin(ctx context.Context, cid string) error
}

// BlobsEnv is an implementation under test. Pinned and Corrupt bypass its interface.
type BlobsEnv struct {
	Blobs Store

	// Pinned lists the CIDs of all pinned payloads, and maybe more.
	Pinned func(t *testing.T) []string

	// Corrupt flips a bit near the middle of a stored payload, without the store's
	// knowledge.
	Corrupt func(t *testing.T, cid string)
}

// Blobs runs the suite. Configure a short idle time: the store must give up on unknown
// CIDs within the test's time.
func Blobs(t *testing.T, env BlobsEnv) {
	ctx := t.Context()
	put := func(t *testing.T, data []byte) string {
		t.Helper()
		id, err := env.Blobs.Put(ctx, bytes.NewReader(data))
		if err != nil {
			t.Error(err)
		}
		return id
	}
	for _, size := range []int{0, 1, 4096, 1 << 20, 1<<20 + 1, 5<<20 + 17} {
		data := random(size)
		id := put(t, data)
		t.Run("read", func(t *testing.T) { readBack(t, env.Blobs, id, data) })
		if again := put(t, data); again != id {
			t.Errorf("%d bytes have CIDs %s and %s", size, id, again)
		}
	}
	t.Run("seek", func(t *testing.T) {
		data := random(3<<20 + 5)
		b, err := env.Blobs.Open(ctx, put(t, data))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		for _, at := range []int64{2<<20 + 7, 0, 3 << 20, 1<<20 - 1} {
			if _, err := b.Seek(at, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			part := make([]byte, 5)
			if _, err := io.ReadFull(b, part); err != nil || !bytes.Equal(part, data[at:at+5]) {
				t.Errorf("5 bytes at %d: %x, %v", at, part, err)
			}
		}
	})
	t.Run("pin", func(t *testing.T) {
		id := put(t, random(1<<20+100))
		if !contains(env.Pinned(t), id) {
			t.Fatal("Put does not pin")
		}
		for range 2 {
			if err := env.Blobs.Unpin(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		if contains(env.Pinned(t), id) {
			t.Fatal("Unpin does not unpin")
		}
		for range 2 {
			if err := env.Blobs.Pin(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		if !contains(env.Pinned(t), id) {
			t.Fatal("Pin does not pin")
		}
	})
	t.Run("unpin one of many", func(t *testing.T) {
		ids := make([]string, 30)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { ids[i] = put(t, random(5000+i)) })
		}
		wg.Wait()
		for i, id := range ids {
			wg.Go(func() {
				if i%3 == 0 {
					if err := env.Blobs.Unpin(ctx, id); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		pinned := env.Pinned(t)
		for i, id := range ids {
			if contains(pinned, id) == (i%3 == 0) {
				t.Errorf("payload %d of 30: %t that it is pinned", i, contains(pinned, id))
			}
		}
	})
	t.Run("failing source", func(t *testing.T) {
		before := env.Pinned(t)
		cause := errors.New("disk on fire")
		src := io.MultiReader(bytes.NewReader(random(2<<20)), iotest.ErrReader(cause))
		if _, err := env.Blobs.Put(ctx, src); !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
		samePins(t, env, before)
	})
	t.Run("cancelled", func(t *testing.T) {
		before := env.Pinned(t)
		cctx, cancel := context.WithCancel(ctx)
		defer cancel()
		src := io.MultiReader(bytes.NewReader(random(2<<20)), readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF }))
		if id, err := env.Blobs.Put(cctx, src); err == nil {
			// It was stored before the cancellation arrived. That is a success like any
			// other.
			before = append(before, id)
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		samePins(t, env, before)
	})
	t.Run("tampered", func(t *testing.T) {
		for _, size := range []int{5000, 5 << 20} {
			data := make([]byte, size)
			cryptorand.Read(data) // new random bytes: none of their blocks is stored and damaged yet
			id := put(t, data)
			env.Corrupt(t, id)
			got, err := slurp(ctx, env.Blobs, id)
			if !errors.Is(err, client.ErrTampered) {
				t.Errorf("%d bytes: %v", size, err)
			}
			if !bytes.HasPrefix(data, got) {
				t.Errorf("%d bytes: altered bytes were released", size)
			}
		}
	})
	t.Run("unknown", func(t *testing.T) {
		if _, err := slurp(ctx, env.Blobs, UnknownCID); !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("open: %v", err)
		}
		if err := env.Blobs.Pin(ctx, UnknownCID); !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("pin: %v", err)
		}
		for _, id := range []string{"", "hello", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"} {
			if _, err := env.Blobs.Open(ctx, id); !errors.Is(err, client.ErrInvalid) {
				t.Errorf("open %q: %v", id, err)
			}
		}
	})
}

func readBack(t *testing.T, b client.Blobs, id string, want []byte) {
	t.Helper()
	blob, err := b.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	if blob.Size() != int64(len(want)) {
		t.Errorf("size %d, want %d", blob.Size(), len(want))
	}
	got, err := io.ReadAll(blob)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back as %d: %v", len(want), len(got), err)
	}
}

func slurp(ctx context.Context, b client.Blobs, id string) ([]byte, error) {
	blob, err := b.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(blob)
}

func samePins(t *testing.T, env BlobsEnv, before []string) {
	t.Helper()
	for _, id := range env.Pinned(t) {
		if !contains(before, id) {
			t.Errorf("%s stayed pinned", id)
		}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
