package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
)

// stored puts unpinned single-block payloads on the node.
func stored(t *testing.T, k *fakeKubo, n int) (ids []string) {
	t.Helper()
	for i := range n {
		data := []byte(fmt.Sprint("stored ", i))
		b, err := newLeaf(data)
		if err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		k.blocks[b.cid] = data
		k.mu.Unlock()
		ids = append(ids, b.cid.String())
	}
	return ids
}

func pinAll(t *testing.T, s *Store, ids []string) {
	t.Helper()
	if pinned, err := s.PinAll(t.Context(), ids); err != nil || !same(pinned, ids) {
		t.Fatalf("pinned %d of %d: %v", len(pinned), len(ids), err)
	}
}

func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func TestPinset(t *testing.T) {
	k, _ := newStore(t)
	var members []cid.Cid
	for _, id := range stored(t, k, maxMembers) {
		members = append(members, cid.MustParse(id))
	}
	first, err := newPinset(members)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(members)
	second, err := newPinset(append(members, members[0]))
	if err != nil || second.cid != first.cid {
		t.Errorf("the same payloads have pinsets %s and %s, %v", first.cid, second.cid, err)
	}
	unique, err := newUniquePinset(members)
	if again, aerr := newUniquePinset(members); err != nil || aerr != nil || again.cid == unique.cid || unique.cid == first.cid {
		t.Errorf("unique pinsets are %s and %s, %v, %v", unique.cid, again.cid, err, aerr)
	}
	n, err := merkledag.DecodeProtobuf(unique.data)
	if err != nil || !isPinset(n.Data()) {
		t.Errorf("a unique pinset is not taken for one: %v", err)
	} else if _, err := unixfs.FSNodeFromBytes(n.Data()); err == nil {
		t.Error("a unique pinset can be read as a file")
	}
	for _, p := range []pinset{first, unique} {
		if got := parsePinset(p.data); !slices.Equal(got, p.members) {
			t.Errorf("%d members are read, want %d", len(got), len(p.members))
		}
	}
}

// TestPinAll: one pin keeps many payloads, pinned ones are not pinned again, and a
// payload that no node has delays the others only for groupIdle.
func TestPinAll(t *testing.T) {
	inBubble(t, func(t *testing.T, k *fakeKubo, s *Store) {
		large, err := s.Put(t.Context(), bytes.NewReader(make([]byte, 3<<20)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Unpin(t.Context(), large); err != nil {
			t.Fatal(err)
		}
		ids := append(stored(t, k, maxMembers+20), large)
		for range 2 {
			pinAll(t, s, ids)
			if !same(k.pinned(t), ids) || len(k.pins) != 3 || k.pinAdds != 3 {
				t.Errorf("%d of %d kept by %d pins, after %d requests to pin", len(k.pinned(t)), len(ids), len(k.pins), k.pinAdds)
			}
		}
		pinned, err := s.PinAll(t.Context(), []string{ids[0], clienttest.UnknownCID, ids[1], "no cid", large})
		if !errors.Is(err, ledger.ErrUnavailable) || !errors.Is(err, ledger.ErrInvalid) {
			t.Error(err)
		}
		if stood := k.gaveUpAfter(t); stood > s.groupIdle+time.Second {
			t.Errorf("the others were held up for %v", stood)
		}
		if !same(pinned, []string{ids[0], ids[1], large}) || !same(k.pinned(t), ids) {
			t.Errorf("%v are said to be pinned, %d are", pinned, len(k.pinned(t)))
		}
		if pinned, err := s.PinAll(t.Context(), []string{clienttest.UnknownCID}); !errors.Is(err, ledger.ErrUnavailable) || len(pinned) > 0 {
			t.Errorf("%v, %v", pinned, err)
		}
	})
}

// TestPinsetFails: when pinning their pinset fails, concurrent puts still succeed. A
// pinset whose answer was lost does not keep a payload that is unpinned later.
func TestPinsetFails(t *testing.T) {
	k, s := newStore(t)
	k.losePin = true
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := s.Put(t.Context(), strings.NewReader(fmt.Sprint("payload ", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if k.pinAdds == 0 || len(k.pinned(t)) != 20 {
		t.Errorf("%d payloads are kept after %d pinsets failed", len(k.pinned(t)), k.pinAdds)
	}
	unpinAll(t, s)
	for _, name := range k.pins {
		if strings.HasPrefix(name, pinsetName) {
			t.Error("a pinset whose answer was lost is still pinned")
		}
	}
	if len(k.pins) > 0 {
		t.Errorf("%d pins are left", len(k.pins))
	}
}

// TestGivesUpInGroup: some of several concurrent puts are cancelled. A sweeper unpins
// their payloads, and the others stay.
func TestGivesUpInGroup(t *testing.T) {
	k, s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k.beforePin = cancel // the payloads are stored, and their pinset is about to be pinned
	var wg sync.WaitGroup
	gaveUp := 0
	var registered []string
	var mu sync.Mutex
	for i := range 20 {
		wg.Go(func() {
			pctx := t.Context()
			if i%2 == 1 {
				pctx = ctx
			}
			id, err := s.Put(pctx, strings.NewReader(fmt.Sprint("payload ", i)))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				registered = append(registered, id)
			case i%2 == 1 && errors.Is(err, context.Canceled):
				gaveUp++
			default:
				t.Error(i, err)
			}
		})
	}
	wg.Wait()
	listed, err := s.Pinned(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range listed {
		if !slices.Contains(registered, id) {
			if err := s.Unpin(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
	}
	if kept := len(k.pinned(t)); gaveUp == 0 || kept != 20-gaveUp || !same(k.pinned(t), registered) {
		t.Errorf("%d are kept, %d of 20 gave up", kept, gaveUp)
	}
}
