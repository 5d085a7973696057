package ipfs

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestPinWithin: a payload is pinned up to its stated size, and nothing of a larger one
// stays pinned.
func TestPinWithin(t *testing.T) {
	k, s := newStore(t)
	for _, n := range []int{1, 1000, leafSize, leafSize + 1, 3*leafSize + 7} {
		id, err := s.Put(t.Context(), bytes.NewReader(bytes.Repeat([]byte{byte(n)}, n)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Unpin(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		before := len(k.pins)
		if _, err := s.PinWithin(t.Context(), id, int64(n-1)); !errors.Is(err, ledger.ErrInvalid) || len(k.pins) != before {
			t.Errorf("%d bytes, of which one too many: %v", n, err)
		}
		if size, err := s.PinWithin(t.Context(), id, int64(n)); err != nil || size != int64(n) || len(k.pins) != before+1 {
			t.Errorf("%d bytes: %d, %v", n, size, err)
		}
	}
	if _, err := s.PinWithin(t.Context(), "x", 1); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("no CID: %v", err)
	}
}

// TestPinWithinALie: a leaf that is larger than its parent claims is refused before the
// payload is pinned.
func TestPinWithinALie(t *testing.T) {
	k, s := newStore(t)
	leaf := stored(t, k, 1)[0]
	fs := unixfs.NewFSNode(unixfs.TFile)
	fs.AddBlockSize(3) // it has more
	data, err := fs.GetBytes()
	if err != nil {
		t.Fatal(err)
	}
	lie := merkledag.NodeWithData(data)
	if err := errors.Join(lie.AddRawLink("", &format.Link{Cid: cid.MustParse(leaf)}), lie.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256})); err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	k.blocks[lie.Cid()] = lie.RawData()
	k.mu.Unlock()
	if _, err := s.PinWithin(t.Context(), lie.Cid().String(), 1<<40); !errors.Is(err, ledger.ErrInvalid) || len(k.pins) != 0 {
		t.Errorf("%v, %d pins", err, len(k.pins))
	}
}

// TestPinWithinDamaged: a damaged copy on the own node is not the fault of the payload.
func TestPinWithinDamaged(t *testing.T) {
	k, s := newStore(t)
	file, err := s.Put(t.Context(), bytes.NewReader(bytes.Repeat([]byte("damage"), leafSize)))
	if err != nil {
		t.Fatal(err)
	}
	small := stored(t, k, 1)[0]
	k.mu.Lock()
	leaf := cid.MustParse(small)
	k.blocks[leaf] = []byte{}
	k.mu.Unlock()
	last := k.leaves(cid.MustParse(file))[2]
	k.mu.Lock()
	k.blocks[last] = append(k.blocks[last], 0)
	k.mu.Unlock()
	for _, id := range []string{file, small} {
		if _, err := s.PinWithin(t.Context(), id, 1<<40); errors.Is(err, ledger.ErrInvalid) || !errors.Is(err, ErrDamaged) {
			t.Errorf("not blamed on the own node: %v", err)
		}
	}
}

// TestPinAllWithin: the payloads that are not larger than stated are pinned together.
func TestPinAllWithin(t *testing.T) {
	k, s := newStore(t)
	var all []ledger.Payload
	var want []string
	for i := range 20 {
		id, err := s.Put(t.Context(), bytes.NewReader(bytes.Repeat([]byte{byte(i)}, 100)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Unpin(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		size := int64(100)
		if i%4 == 0 {
			size = 99
		} else {
			want = append(want, id)
		}
		all = append(all, ledger.Payload{CID: id, Size: size})
	}
	before := k.pinAdds
	pinned, refused, err := s.PinAllWithin(t.Context(), all)
	if len(refused) != len(all)-len(want) {
		t.Errorf("refused %d of %d", len(refused), len(all)-len(want))
	}
	slices.Sort(pinned)
	if slices.Sort(want); !slices.Equal(pinned, want) || !errors.Is(err, ledger.ErrInvalid) || k.pinAdds != before+1 {
		t.Errorf("pinned %d of %d with %d pins, %v", len(pinned), len(want), k.pinAdds-before, err)
	}
}
