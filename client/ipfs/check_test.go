package ipfs

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
)

// TestCheckPinsets: a damaged pinset is replaced by its saved block. Without one it is
// lost, and its members count as not pinned, whatever was known of it before.
func TestCheckPinsets(t *testing.T) {
	k, s := newStore(t)
	ids := stored(t, k, 3)
	pinAll(t, s, ids)
	saved, damaged, replaced, err := s.CheckPinsets(t.Context(), nil)
	if err != nil || len(saved) != 1 || len(damaged) != 0 || replaced != 0 {
		t.Fatalf("%d saved, %q damaged, %d replaced, %v", len(saved), damaged, replaced, err)
	}
	if listed, err := s.Pinned(t.Context()); err != nil || !same(listed, ids) {
		t.Fatalf("pinned are %q, %v", listed, err)
	}
	var members []cid.Cid
	for _, id := range ids {
		members = append(members, cid.MustParse(id))
	}
	p, err := newPinset(members)
	if err != nil {
		t.Fatal(err)
	}
	damage := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.blocks[p.cid] = append(bytes.Clone(p.data), 'x')
	}
	damage()
	if _, damaged, replaced, err := s.CheckPinsets(t.Context(), saved); err != nil || len(damaged) != 0 || replaced != 1 || !bytes.Equal(k.stored(p.cid), p.data) {
		t.Errorf("with a saved block: %q damaged, %d replaced, %v", damaged, replaced, err)
	}
	if listed, err := s.Pinned(t.Context()); err != nil || !same(listed, ids) {
		t.Errorf("with a saved block, pinned are %q, %v", listed, err)
	}
	damage()
	if _, damaged, _, err := s.CheckPinsets(t.Context(), nil); err != nil || !slices.Equal(damaged, []string{p.cid.String()}) {
		t.Errorf("without a saved block: %q damaged, %v", damaged, err)
	}
	if listed, err := s.Pinned(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("without a saved block, pinned are %q, %v", listed, err)
	}
}
