package ipfs

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestStreams: a payload with a tree of several levels reads right whatever the node's
// cat command does, and a working cat runs once.
func TestStreams(t *testing.T) {
	data := make([]byte, 12<<20+345)
	rand.NewChaCha8([32]byte{7}).Read(data)
	for name, c := range map[string]struct {
		set  func(*fakeKubo)
		cats int
	}{
		"as it should":      {func(k *fakeKubo) {}, 1},
		"cat is refused":    {func(k *fakeKubo) { k.noCat = true }, 0},
		"cat breaks off":    {func(k *fakeKubo) { k.cutCat = 4 }, maxStreams},
		"cat stands still":  {func(k *fakeKubo) { k.stopCat = 6 }, 2},
		"cat lies, once":    {func(k *fakeKubo) { k.lieCat = 5 }, 1},
		"cat lies and ends": {func(k *fakeKubo) { k.lieCat, k.cutCat = 2, 9 }, maxStreams},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, k *fakeKubo, s *Store) {
				k.maxLink = 3
				id, err := s.Put(t.Context(), bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				c.set(k)
				b, err := s.Open(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				got, err := io.ReadAll(b)
				if k.stopCat > 0 {
					if stood := k.gaveUpAfter(t); stood > s.streamIdle+10*refillPause {
						t.Errorf("a stream could stand still for %v", stood)
					}
				}
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes came back as %d: %v", len(data), len(got), err)
				}
				if k.cats != c.cats {
					t.Errorf("%d cats, want %d", k.cats, c.cats)
				}
			})
		})
	}
}

// TestJumps: seeks and reads in any order give the same as a bytes.Reader, and a short
// read after a seek starts no stream.
func TestJumps(t *testing.T) {
	data := make([]byte, 9<<20+11)
	rand.NewChaCha8([32]byte{9}).Read(data)
	k, s := newStore(t)
	k.maxLink = 2
	id, err := s.Put(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	part := make([]byte, 100)
	for _, at := range []int64{0, int64(len(data)) - 100, 5 << 20, 5<<20 + 300000, 3, int64(len(data)) - 100} {
		if _, err := b.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(b, part); err != nil || !bytes.Equal(part, data[at:at+100]) {
			t.Fatalf("at %d: %v", at, err)
		}
	}
	if k.cats != 0 {
		t.Errorf("jumping started %d streams", k.cats)
	}
	few := data[: 2<<20+11 : 2<<20+11] // it is read in parts of a few bytes
	if id, err = s.Put(t.Context(), bytes.NewReader(few)); err != nil {
		t.Fatal(err)
	}
	again, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := iotest.TestReader(again, few); err != nil {
		t.Error(err)
	}
}

// TestStopsReading: closing in the middle of a stream leaves no goroutine behind, and a
// closed payload cannot be read.
func TestStopsReading(t *testing.T) {
	_, s := newStore(t)
	id, err := s.Put(t.Context(), bytes.NewReader(make([]byte, 30<<20)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(b, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	ahead := b.(*blob).ahead
	if ahead == nil {
		t.Fatal("it does not read ahead")
	}
	b.Close()
	ahead.workers.Wait() // Close has waited already: this returns at once
	if _, err := b.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read after close: %v", err)
	}
}

// TestFalseTrees: the hashes of these nodes are right, and their claims are wrong. The
// author of a record can make them. The reader must refuse them, and not loop, crash or
// return other bytes.
func TestFalseTrees(t *testing.T) {
	k, s := newStore(t)
	raw := func(n int) cid.Cid {
		node := merkledag.NewRawNode(bytes.Repeat([]byte{3}, n))
		k.blocks[node.Cid()] = node.RawData()
		return node.Cid()
	}
	tree := func(children []cid.Cid, sizes []uint64, inline []byte) cid.Cid {
		fs := unixfs.NewFSNode(unixfs.TFile)
		fs.SetData(inline)
		for _, s := range sizes {
			fs.AddBlockSize(s)
		}
		data, err := fs.GetBytes()
		if err != nil {
			t.Fatal(err)
		}
		n := merkledag.NodeWithData(data)
		n.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: 0x12})
		for _, c := range children {
			if err := n.AddRawLink("", &format.Link{Cid: c}); err != nil {
				t.Fatal(err)
			}
		}
		k.blocks[n.Cid()] = n.RawData()
		return n.Cid()
	}
	one := raw(1000)
	good := tree([]cid.Cid{one, raw(10)}, []uint64{1000, 10}, nil)
	deep := good
	for range maxDepth + 1 {
		deep = tree([]cid.Cid{deep}, []uint64{1010}, nil)
	}
	for name, root := range map[string]cid.Cid{
		"a leaf is shorter":      tree([]cid.Cid{one}, []uint64{1001}, nil),
		"a leaf is longer":       tree([]cid.Cid{one}, []uint64{999}, nil),
		"a leaf is enormous":     tree([]cid.Cid{one}, []uint64{1 << 40}, nil),
		"a size is missing":      tree([]cid.Cid{one, one}, []uint64{1000}, nil),
		"a size is zero":         tree([]cid.Cid{one, one}, []uint64{1000, 0}, nil),
		"sizes overflow":         tree([]cid.Cid{one, one}, []uint64{1 << 62, 1 << 63}, nil),
		"a subtree is shorter":   tree([]cid.Cid{good, one}, []uint64{1011, 1000}, nil),
		"content beside leaves":  tree([]cid.Cid{one}, []uint64{1000}, []byte("inline")),
		"content without leaves": tree(nil, nil, []byte("inline")),
		"too deep":               deep,
	} {
		b, err := s.Open(t.Context(), root.String())
		if err == nil {
			_, err = io.ReadAll(b)
			b.Close()
		}
		if !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := s.Open(t.Context(), good.String())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || len(got) != 1010 {
		t.Errorf("the good tree: %d bytes, %v", len(got), err)
	}
}
