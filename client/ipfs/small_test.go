package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestOneChunk: a payload that is put as a block has the CID that kubo's add gives a file
// of one chunk, on either side of the chunk's size.
func TestOneChunk(t *testing.T) {
	k, s := newStore(t)
	for _, size := range []int{0, 1, leafSize - 1, leafSize, leafSize + 1} {
		data := bytes.Repeat([]byte{7}, size)
		id, err := s.Put(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		added, err := s.putFile(t.Context(), bytes.NewReader(data))
		if err != nil || added != id {
			t.Errorf("%d bytes: put as %s, added as %s, %v", size, id, added, err)
		}
		b, err := s.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
		b.Close()
	}
	if k.puts != 4 {
		t.Errorf("%d payloads were put as blocks, want those that have one chunk", k.puts)
	}
}

// TestSmallTogether: payloads that are put while the node is busy share a request.
func TestSmallTogether(t *testing.T) {
	k, s := newStore(t)
	const n = 200
	ids := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if ids[i], err = s.Put(t.Context(), strings.NewReader(fmt.Sprint("payload ", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(k.pinned(t)) != n || k.puts >= n || len(k.pins) >= n/2 {
		t.Errorf("%d payloads are kept by %d pins after %d requests, want %d by fewer after fewer", len(k.pinned(t)), len(k.pins), k.puts, n)
	}
	for i, id := range ids {
		b, err := s.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(b); string(got) != fmt.Sprint("payload ", i) {
			t.Errorf("payload %d reads %q", i, got)
		}
		b.Close()
	}
}

// TestSmallRefused: the node refuses one of the blocks that share a request. The others
// are stored.
func TestSmallRefused(t *testing.T) {
	k, s := newStore(t)
	k.refuseBlock = "poison"
	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		wg.Go(func() {
			text := fmt.Sprint("payload ", i)
			if i == 30 {
				text = "poison"
			}
			_, errs[i] = s.Put(t.Context(), strings.NewReader(text))
		})
	}
	wg.Wait()
	for i, err := range errs {
		if i == 30 && !errors.Is(err, ledger.ErrUnavailable) || i != 30 && err != nil {
			t.Errorf("payload %d: %v", i, err)
		}
	}
	if n := len(k.pinned(t)); n != 49 {
		t.Errorf("%d pins", n)
	}
}

// TestSmallStandstill: Put gives up on a node that takes a block and never answers, and
// soon after its caller has given up.
func TestSmallStandstill(t *testing.T) {
	inBubble(t, func(t *testing.T, k *fakeKubo, s *Store) {
		k.hang = make(chan struct{})
		if _, err := s.Put(t.Context(), strings.NewReader("x")); !errors.Is(err, ledger.ErrUnavailable) || !strings.Contains(err.Error(), "no progress") {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.Put(ctx, strings.NewReader("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's deadline: %v", err)
		}
	})
}
