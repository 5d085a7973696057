package ipfs

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"
)

// once makes a hook that does what it is to do the first time only, and tells whether it
// did.
func once(do func()) (hook func(), done *atomic.Bool) {
	done = new(atomic.Bool)
	return func() {
		if done.CompareAndSwap(false, true) {
			do()
		}
	}, done
}

// TestUntieSameRest: two ties of which the same is left are replaced at once. kubo gives
// one root that both are replaced by two pins, and then never replaces it.
func TestUntieSameRest(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 4)
	pinAll(t, s, ids[:3])
	pinAll(t, s, ids[1:])
	second, err := New(Options{API: s.address, Token: k.token, Idle: testIdle})
	if err != nil {
		t.Fatal(err)
	}
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
			t.Errorf("after letting go of %d: %d are kept", i, len(k.pinned(t)))
		}
	}
}

// TestUntieCollected: a tie that was pinned while the names were listed is replaced when
// Unpin is about to read it, and the node has removed it.
func TestUntieCollected(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 4)
	second, err := New(Options{API: s.address, Token: k.token, Idle: testIdle})
	if err != nil {
		t.Fatal(err)
	}
	var tied bool
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
				tied = true
			}
		}
	})
	k.beforeGet = get
	if err := s.Unpin(t.Context(), ids[0]); err != nil {
		t.Error(err)
	}
	if !done.Load() || !tied || !same(k.pinned(t), ids[2:]) {
		t.Errorf("%d are kept, want the two that nobody let go of", len(k.pinned(t)))
	}
}

// TestUnpinTieByName: anyone can register a record whose payload is said to be a tie. To
// let go of that lets go of none of the members.
func TestUnpinTieByName(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 4)
	pinAll(t, s, ids)
	for range 2 { // the second time it is a tie that has replaced one
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

// TestPinTieByName: a tie is pinned as if it was a payload, before those that it ties
// are. They can still be let go of.
func TestPinTieByName(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 4)
	var members []cid.Cid
	for _, id := range ids {
		members = append(members, cid.MustParse(id))
	}
	tie, err := newTie(members)
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	k.blocks[tie.cid] = tie.data
	k.mu.Unlock()
	if err := s.Pin(t.Context(), tie.cid.String()); err != nil {
		t.Fatal(err)
	}
	pinAll(t, s, ids)
	if err := s.Pin(t.Context(), tie.cid.String()); err != nil || !same(k.pinned(t), ids) {
		t.Fatalf("pinned as a payload again: %v, kept: %v", err, k.pinned(t))
	}
	for i, id := range ids {
		if err := s.Unpin(t.Context(), id); err != nil || !same(k.pinned(t), ids[i+1:]) {
			t.Errorf("after letting go of %d: %v, kept: %v", i, err, slices.Sorted(slices.Values(k.pinned(t))))
		}
	}
}
