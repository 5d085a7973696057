package ipfs

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"
)

// TestPinned lists payloads whatever pins them: single blocks, files with and without a
// name, members of pinsets. It also lists what else people can pin, such as a directory
// with a link to somebody's payload, and a node that is nearly a pinset. It leaves out
// the operator's own pins and what people cannot pin.
func TestPinned(t *testing.T) {
	k, s := newStore(t)
	want := stored(t, k, 5)
	pinAll(t, s, want[:3])
	pinAll(t, s, want[2:4])
	pinAll(t, s, want[4:])
	file, err := s.Put(t.Context(), bytes.NewReader(make([]byte, 3<<20)))
	if err != nil {
		t.Fatal(err)
	}
	unnamed, err := s.Put(t.Context(), bytes.NewReader(make([]byte, 2<<20+1)))
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, file, unnamed)
	own, err := s.Put(t.Context(), strings.NewReader("the operator's own"))
	if err != nil {
		t.Fatal(err)
	}
	directory := unixfs.EmptyDirNode()
	if err := directory.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}); err != nil {
		t.Fatal(err)
	}
	if err := directory.AddRawLink("link", &format.Link{Cid: cid.MustParse(own)}); err != nil {
		t.Fatal(err)
	}
	nearly := &merkledag.ProtoNode{}
	if err := nearly.AddRawLink("a name", &format.Link{Cid: cid.MustParse(own)}); err != nil {
		t.Fatal(err)
	}
	if err := nearly.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}); err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	k.pins[cid.MustParse(unnamed)] = "" // as a replicator pins it
	k.pins[cid.MustParse(own)] = "backup"
	k.pins[directory.Cid()] = ""
	k.blocks[directory.Cid()] = directory.RawData()
	k.pins[nearly.Cid()] = pinsetName
	k.blocks[nearly.Cid()] = nearly.RawData()
	k.pins[merkledag.NodeWithData([]byte("CIDv0")).Cid()] = ""
	k.mu.Unlock()
	want = append(want, directory.Cid().String(), nearly.Cid().String())
	got, err := s.Pinned(t.Context())
	slices.Sort(want)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, id := range got {
		if err := s.Unpin(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if len(k.pins) != 2 {
		t.Errorf("%d pins are left, want the backup and the one that people cannot make", len(k.pins))
	}
}
