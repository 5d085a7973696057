package ipfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// once returns a hook that calls do the first time only, and whether it has.
func once(do func()) (hook func(), done *atomic.Bool) {
	done = new(atomic.Bool)
	return func() {
		if done.CompareAndSwap(false, true) {
			do()
		}
	}, done
}

// TestUnpinSiblings: a payload leaves every pinset and loses its own pin, and no other
// payload does.
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
			t.Errorf("after unpinning %d: %d are kept", id, len(kept))
		}
	}
	if len(k.pins) != 0 {
		t.Errorf("%d pins of nothing are left", len(k.pins))
	}
}

// TestUnpinForeign: pins of other programs stay, even if they hold a payload.
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

// TestUnpinManyProcesses: several processes unpin different members of the same pinsets
// at the same time.
func TestUnpinManyProcesses(t *testing.T) {
	k, first := newStore(t)
	stores := [3]*Store{first, k.connect(t), k.connect(t)}
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
			t.Fatalf("%d are kept, want the %d that nobody unpinned", len(kept), len(ids[30:]))
		}
		slices.Sort(ids)
	}
}

// TestUnpinOvertaken: the pinset changes between being read and being replaced, and pins
// change while they are listed.
func TestUnpinOvertaken(t *testing.T) {
	for name, other := range map[string]func(s *Store, ids []string) error{
		"another unpins a sibling":  func(s *Store, ids []string) error { return s.Unpin(context.Background(), ids[1]) },
		"another unpins the same":   func(s *Store, ids []string) error { return s.Unpin(context.Background(), ids[0]) },
		"another pins the siblings": func(s *Store, ids []string) error { _, err := s.PinAll(context.Background(), ids[1:]); return err },
	} {
		for _, moment := range []string{"before it is replaced", "while it is replaced", "while it is listed"} {
			k, s := newStore(t)
			second := k.connect(t)
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
					t.Errorf("%s %s, and then the siblings are unpinned: %v, %d are kept", name, moment, err, len(k.pinned(t)))
				}
			}
		}
	}
}

// TestUnpinKilled: a program that is killed at any point of Unpin has lost no sibling,
// and another call finishes.
func TestUnpinKilled(t *testing.T) {
	for _, heard := range []bool{false, true} { // whether the node carries out the last request
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
			victim := connectTo(t, multiaddress(front), k.token)
			err := victim.Unpin(t.Context(), ids[0])
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

// TestUnpinSameRest: two pinsets with the same rest are replaced at once. Were both
// replaced by the same root, kubo would give that two pins and never replace it again.
func TestUnpinSameRest(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 4)
	pinAll(t, s, ids[:3])
	pinAll(t, s, ids[1:])
	second := k.connect(t)
	hook, done := once(func() {
		if err := second.Unpin(t.Context(), ids[3]); err != nil {
			t.Error(err)
		}
	})
	k.whileUpdated = hook
	for i, id := range []string{ids[0], ids[1], ids[2]} {
		if err := s.Unpin(t.Context(), id); err != nil {
			t.Error(err)
		}
		if !done.Load() || !same(k.pinned(t), ids[i+1:3]) {
			t.Errorf("after unpinning %d: %d are kept", i, len(k.pinned(t)))
		}
	}
}

// TestUnpinCollected: a pinset that was pinned while the names were listed is replaced
// when Unpin is about to read it, and its block is collected.
func TestUnpinCollected(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 4)
	second := k.connect(t)
	var collected bool
	k.whileNamed, _ = once(func() { pinAll(t, second, ids) })
	get, done := once(func() {
		before := k.roots()
		if err := second.Unpin(t.Context(), ids[1]); err != nil {
			t.Error(err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, root := range before {
			if _, still := k.pins[root]; !still {
				delete(k.blocks, root)
				collected = true
			}
		}
	})
	k.beforeGet = get
	if err := s.Unpin(t.Context(), ids[0]); err != nil {
		t.Error(err)
	}
	if !done.Load() || !collected || !same(k.pinned(t), ids[2:]) {
		t.Errorf("%d are kept, want the two that nobody unpinned", len(k.pinned(t)))
	}
}

// TestUnpinPinsetAsPayload: anyone can register a record with the CID of a pinset.
// Unpinning that unpins no member.
func TestUnpinPinsetAsPayload(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 4)
	pinAll(t, s, ids)
	for range 2 { // the second time it is a pinset that has replaced one
		for _, root := range k.roots() {
			if err := s.Unpin(t.Context(), root.String()); err != nil {
				t.Error(err)
			}
		}
		if !same(k.pinned(t), ids) {
			t.Fatalf("%d are kept, want %d", len(k.pinned(t)), len(ids))
		}
		if err := s.Unpin(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		ids = ids[1:]
	}
}

// TestPinPinsetAsPayload: a pinset is pinned like a payload, before its members are. They
// can still be unpinned.
func TestPinPinsetAsPayload(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 4)
	var members []cid.Cid
	for _, id := range ids {
		members = append(members, cid.MustParse(id))
	}
	set, err := newPinset(members)
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	k.blocks[set.cid] = set.data
	k.mu.Unlock()
	if err := s.Pin(t.Context(), set.cid.String()); err != nil {
		t.Fatal(err)
	}
	pinAll(t, s, ids)
	if err := s.Pin(t.Context(), set.cid.String()); err != nil || !same(k.pinned(t), ids) {
		t.Fatalf("pinned as a payload again: %v, kept: %v", err, k.pinned(t))
	}
	for i, id := range ids {
		if err := s.Unpin(t.Context(), id); err != nil || !same(k.pinned(t), ids[i+1:]) {
			t.Errorf("after unpinning %d: %v, kept: %v", i, err, slices.Sorted(slices.Values(k.pinned(t))))
		}
	}
}

// TestDamagedPinset: Unpin fails when it cannot read a pinset that may hold the payload.
func TestDamagedPinset(t *testing.T) {
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

// TestUnpinNames: people choose names, and pin what they like once more under another
// one. A payload leaves its pins all the same.
func TestUnpinNames(t *testing.T) {
	for _, name := range []string{"", fileName, pinsetName, pinsetName + "zz", pinPrefix + "x"} {
		k, s := newStore(t)
		ids := stored(t, k, 4)
		pinAll(t, s, ids)
		file, err := s.Put(t.Context(), bytes.NewReader(make([]byte, 3<<20)))
		if err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		for root := range k.pins {
			k.pins[root] = name
		}
		k.mu.Unlock()
		for i, id := range append([]string{file}, ids...) {
			if err := s.Unpin(t.Context(), id); err != nil || !same(k.pinned(t), ids[i:]) {
				t.Errorf("names are %q: after unpinning %d: %v, kept: %v", name, i, err, k.pinned(t))
			}
		}
	}
}

// TestUnpinReadsOnce: a store reads each pinset once, however many payloads it unpins.
func TestUnpinReadsOnce(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 6)
	pinAll(t, s, ids[:3])
	pinAll(t, s, ids[3:])
	var gets atomic.Int32
	k.beforeGet = func() { gets.Add(1) }
	for _, id := range ids {
		if err := s.Unpin(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if n := gets.Load(); len(k.pins) > 0 || n > 6 { // each replaces a pinset by one that is read
		t.Errorf("%d pins are left, %d blocks were read", len(k.pins), n)
	}
	if len(s.pinsets.members) > 1 {
		t.Errorf("%d pinsets that are gone are remembered", len(s.pinsets.members))
	}
}
