package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
)

// stored puts payloads of one block that are pinned by nothing.
func stored(t *testing.T, k *fakeKubo, n int) (ids []string) {
	t.Helper()
	for i := range n {
		data := []byte(fmt.Sprint("stored ", i))
		p, err := newLeafPut(data)
		if err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		k.blocks[p.cid] = data
		k.mu.Unlock()
		ids = append(ids, p.cid.String())
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

func TestTie(t *testing.T) {
	k, _ := newStore(t)
	var members []cid.Cid
	for _, id := range stored(t, k, maxTied) {
		members = append(members, cid.MustParse(id))
	}
	first, err := newTie(members)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(members)
	second, err := newTie(append(members, members[0]))
	if err != nil || second.cid != first.cid || second.name() != first.name() {
		t.Errorf("the same payloads have ties %s and %s, %v", first.cid, second.cid, err)
	}
	if n := len(first.name()); n > 255 {
		t.Errorf("a name has %d bytes, which kubo refuses", n)
	}
	fresh, err := freshTie(members)
	if again, aerr := freshTie(members); err != nil || aerr != nil || again.cid == fresh.cid || fresh.cid == first.cid {
		t.Errorf("fresh ties are %s and %s, %v, %v", fresh.cid, again.cid, err, aerr)
	}
	n, err := merkledag.DecodeProtobuf(fresh.data)
	if err != nil || !tieData(n.Data()) {
		t.Errorf("a fresh tie is not taken for one: %v", err)
	} else if _, err := unixfs.FSNodeFromBytes(n.Data()); err == nil {
		t.Error("a fresh tie can be read as a file")
	}
	other := cid.MustParse(clienttest.UnknownCID)
	for _, c := range members {
		if hint(c) == hint(other) {
			t.Fatal("choose other payloads")
		}
		if !mayTie(first.name(), []cid.Cid{other, c}) {
			t.Errorf("the name does not hint at %s", c)
		}
	}
	if mayTie(first.name(), []cid.Cid{other}) || mayTie("chartseal-"+first.name(), members) || mayTie("", members) {
		t.Error("a name hints at what is not in it")
	}
}

// TestPinAll: one pin keeps many, what is pinned is let be, and what nobody has holds up
// the others only for a while.
func TestPinAll(t *testing.T) {
	k, s := newStore(t)
	large, err := s.Put(t.Context(), bytes.NewReader(make([]byte, 3<<20)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Unpin(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	ids := append(stored(t, k, maxTied+20), large)
	for range 2 {
		pinAll(t, s, ids)
		if !same(k.pinned(t), ids) || len(k.pins) != 3 || k.pinAdds != 3 {
			t.Errorf("%d of %d kept by %d pins, after %d requests to pin", len(k.pinned(t)), len(ids), len(k.pins), k.pinAdds)
		}
	}
	s.idle = time.Minute // it is not this that ends it
	pinned, err := s.PinAll(t.Context(), []string{ids[0], clienttest.UnknownCID, ids[1], "no cid", large})
	if !errors.Is(err, ledger.ErrUnavailable) || !errors.Is(err, ledger.ErrInvalid) {
		t.Error(err)
	}
	if stood := k.gaveUpAfter(t); stood > 2*groupIdle {
		t.Errorf("the others were held up for %v", stood)
	}
	if !same(pinned, []string{ids[0], ids[1], large}) || !same(k.pinned(t), ids) {
		t.Errorf("%v are said to be pinned, %d are", pinned, len(k.pinned(t)))
	}
	if pinned, err := s.PinAll(t.Context(), []string{clienttest.UnknownCID}); !errors.Is(err, ledger.ErrUnavailable) || len(pinned) > 0 {
		t.Errorf("%v, %v", pinned, err)
	}
}

// TestUnpinSiblings: a payload is let go of in every tie and by its own pin, and no other
// is.
func TestUnpinSiblings(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 6)
	pinAll(t, s, ids[:4])
	pinAll(t, s, ids[1:3])
	pinAll(t, s, ids[2:])
	pinAll(t, s, ids[2:3])
	for i, id := range []int{2, 0, 5, 1, 3, 4} {
		for range 2 {
			if err := s.Unpin(t.Context(), ids[id]); err != nil {
				t.Fatal(err)
			}
		}
		kept := k.pinned(t)
		if slices.Contains(kept, ids[id]) || len(kept) != len(ids)-i-1 {
			t.Errorf("after letting go of %d: %d are kept", id, len(kept))
		}
	}
	if len(k.pins) != 0 {
		t.Errorf("%d pins of nothing are left", len(k.pins))
	}
}

// TestUnpinForeign: what others have pinned on the node, even what holds a payload, is
// theirs.
func TestUnpinForeign(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 3)
	pinAll(t, s, ids)
	id, err := s.putFile(t.Context(), bytes.NewReader(append(bytes.Repeat([]byte{7}, leafSize), []byte("stored 0")...)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Unpin(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	if !same(k.pinned(t), []string{ids[1], ids[2], id}) {
		t.Errorf("kept: %v", k.pinned(t))
	}
}

// TestUnpinTwoProcesses: two processes let go of different members of the same ties at
// the same time.
func TestUnpinTwoProcesses(t *testing.T) {
	k, api := startKubo(t)
	var stores [3]*Store
	for i := range stores {
		var err error
		if stores[i], err = New(Options{API: api, Token: k.token, Idle: testIdle}); err != nil {
			t.Fatal(err)
		}
	}
	ids := stored(t, k, 40)
	for range 10 {
		pinAll(t, stores[0], ids[:30])
		pinAll(t, stores[0], ids[10:])
		pinAll(t, stores[0], ids[20:21])
		rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		var wg sync.WaitGroup
		for i, s := range stores {
			for _, id := range ids[10*i : 10*i+10] {
				wg.Go(func() {
					if err := s.Unpin(t.Context(), id); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		if kept := k.pinned(t); !same(kept, ids[30:]) {
			t.Fatalf("%d are kept, want the %d that nobody let go of", len(kept), len(ids[30:]))
		}
		slices.Sort(ids)
	}
}

// TestUnpinOvertaken: the tie changes between being read and being replaced, and pins
// change while they are listed.
func TestUnpinOvertaken(t *testing.T) {
	for name, other := range map[string]func(s *Store, ids []string) error{
		"another lets go of a sibling": func(s *Store, ids []string) error { return s.Unpin(context.Background(), ids[1]) },
		"another lets go of the same":  func(s *Store, ids []string) error { return s.Unpin(context.Background(), ids[0]) },
		"another ties the siblings":    func(s *Store, ids []string) error { _, err := s.PinAll(context.Background(), ids[1:]); return err },
	} {
		for _, moment := range []string{"before it is replaced", "while it is replaced", "while it is listed"} {
			k, s := newStore(t)
			second, err := New(Options{API: s.address, Token: k.token, Idle: testIdle})
			if err != nil {
				t.Fatal(err)
			}
			ids := stored(t, k, 4)
			pinAll(t, s, ids)
			var done atomic.Bool
			hook := func() {
				if done.CompareAndSwap(false, true) {
					if err := other(second, ids); err != nil {
						t.Error(name, err)
					}
				}
			}
			switch moment {
			case "before it is replaced":
				k.beforeUpdate = hook
			case "while it is replaced":
				k.whileUpdated = hook
			default:
				k.whileNamed = hook
			}
			if err := s.Unpin(t.Context(), ids[0]); err != nil {
				t.Error(name, err)
			}
			want := ids[1:]
			if strings.HasSuffix(name, "a sibling") {
				want = ids[2:]
			}
			if !done.Load() || !same(k.pinned(t), want) {
				t.Errorf("%s %s: %d are kept, want %d", name, moment, len(k.pinned(t)), len(want))
			}
			for i, id := range want {
				if err := s.Unpin(t.Context(), id); err != nil || !same(k.pinned(t), want[i+1:]) {
					t.Errorf("%s %s, and then the siblings are let go of: %v, %d are kept", name, moment, err, len(k.pinned(t)))
				}
			}
		}
	}
}

// TestUnpinKilled: a program that is killed at any point of Unpin has lost no sibling,
// and doing it again finishes.
func TestUnpinKilled(t *testing.T) {
	for _, heard := range []bool{false, true} { // whether the node does what the program was killed at
		killed := 0
		for at := int32(0); ; at++ {
			k, s := newStore(t)
			ids := stored(t, k, 4)
			pinAll(t, s, ids)
			pinAll(t, s, ids[:2])
			left := atomic.Int32{} // requests that are answered
			left.Store(at)
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch n := left.Add(-1); {
				case n >= 0:
					k.ServeHTTP(w, r)
					return
				case n == -1 && heard:
					k.ServeHTTP(httptest.NewRecorder(), r)
				}
				panic(http.ErrAbortHandler)
			}))
			host, port, _ := strings.Cut(strings.TrimPrefix(front.URL, "http://"), ":")
			victim, err := New(Options{API: "/ip4/" + host + "/tcp/" + port, Token: k.token, Idle: testIdle})
			if err != nil {
				t.Fatal(err)
			}
			err = victim.Unpin(t.Context(), ids[0])
			front.Close()
			if kept := k.pinned(t); !slices.Contains(kept, ids[1]) || !slices.Contains(kept, ids[2]) || !slices.Contains(kept, ids[3]) {
				t.Fatalf("killed at request %d, only %d are kept", at, len(kept))
			}
			if err == nil {
				break
			}
			killed++
			if err := s.Unpin(t.Context(), ids[0]); err != nil || !same(k.pinned(t), ids[1:]) {
				t.Fatalf("again after request %d: %v, %d are kept", at, err, len(k.pinned(t)))
			}
		}
		if killed < 10 {
			t.Errorf("it was killed at %d requests only", killed)
		}
	}
}

// TestTieFails: those who put together do not fail, nor leave a pin behind, for what
// becomes of the tie.
func TestTieFails(t *testing.T) {
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
		t.Errorf("%d payloads are kept after %d ties failed", len(k.pinned(t)), k.pinAdds)
	}
	for _, name := range k.pins {
		if strings.HasPrefix(name, tiePrefix) {
			t.Error("a tie whose answer was lost is still pinned")
		}
	}
}

// TestGivesUpInCompany: one of those who put together gives up. Its payload is let go of,
// the others are kept.
func TestGivesUpInCompany(t *testing.T) {
	k, s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k.beforePin = cancel // the payloads are stored, and about to be tied
	var wg sync.WaitGroup
	gaveUp := 0
	var mu sync.Mutex
	for i := range 20 {
		wg.Go(func() {
			pctx := t.Context()
			if i%2 == 1 {
				pctx = ctx
			}
			_, err := s.Put(pctx, strings.NewReader(fmt.Sprint("payload ", i)))
			switch {
			case err == nil:
			case i%2 == 1 && errors.Is(err, context.Canceled):
				mu.Lock()
				gaveUp++
				mu.Unlock()
			default:
				t.Error(i, err)
			}
		})
	}
	wg.Wait()
	if kept := len(k.pinned(t)); gaveUp == 0 || kept != 20-gaveUp {
		t.Errorf("%d are kept, %d of 20 gave up", kept, gaveUp)
	}
}

// TestDamagedTie: Unpin says so when it cannot read a tie that may hold the payload.
func TestDamagedTie(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 3)
	pinAll(t, s, ids)
	var root cid.Cid
	for root = range k.pins {
	}
	data := k.blocks[root]
	k.blocks[root] = append(bytes.Clone(data), 0)
	if err := s.Unpin(t.Context(), ids[0]); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("altered: %v", err)
	}
	delete(k.blocks, root)
	if err := s.Unpin(t.Context(), ids[0]); !errors.Is(err, ledger.ErrUnavailable) || !strings.Contains(err.Error(), root.String()) {
		t.Errorf("lost: %v", err)
	}
	k.blocks[root] = data
	if err := s.Unpin(t.Context(), ids[0]); err != nil || !same(k.pinned(t), ids[1:]) {
		t.Errorf("there again: %v", err)
	}
	b, err := s.Open(t.Context(), ids[1])
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got, _ := io.ReadAll(b); string(got) != "stored 1" {
		t.Errorf("read %q", got)
	}
}
