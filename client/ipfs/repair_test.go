package ipfs

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestHeal: a payload with a damaged block is read with the help of the proxy, whose
// answer is compared with the CID as well.
func TestHeal(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(good []byte) []byte
		want   error
	}{
		"good":         {func(good []byte) []byte { return good }, nil},
		"a lie":        {func(good []byte) []byte { return append(bytes.Clone(good), 0) }, ledger.ErrTampered},
		"too long":     {func([]byte) []byte { return make([]byte, maxBlock+2) }, ledger.ErrTampered},
		"no other one": {func([]byte) []byte { return nil }, ErrDamaged},
	} {
		k, s := newStore(t)
		content := bytes.Repeat([]byte("damage"), leafSize)
		id, err := s.Put(t.Context(), bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		root := cid.MustParse(id)
		for _, bad := range []cid.Cid{root, k.leaves(root)[2]} {
			good := k.stored(bad)
			k.mu.Lock()
			k.blocks[bad] = append(bytes.Clone(good), 'x')
			k.mu.Unlock()
			k.elsewhere = map[cid.Cid][]byte{bad: c.answer(good)}
			var got []byte
			b, err := s.Open(t.Context(), id)
			if err == nil {
				got, err = io.ReadAll(b)
				b.Close()
			}
			switch {
			case !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, ledger.ErrTampered):
				t.Errorf("%s: %v", name, err)
			case c.want == nil && !bytes.Equal(got, content):
				t.Errorf("%s: %d other bytes", name, len(got))
			case c.want == ErrDamaged && !strings.Contains(err.Error(), "no good copy of block "+bad.String()):
				t.Errorf("%s: not a clear message: %v", name, err)
			}
			k.mu.Lock()
			k.blocks[bad] = good
			k.mu.Unlock()
		}
	}
}

// TestPeerSocket: nodes whose IDs end alike have sockets of their own.
func TestPeerSocket(t *testing.T) {
	one, two := peerSocket("12D3KooWAbcdefgh12345678"), peerSocket("12D3KooWHijklmno12345678")
	if one == two || len(one) > 16 || strings.ContainsAny(one, "/.") {
		t.Errorf("%q and %q", one, two)
	}
}

// TestCheckPeerID: a node has one name only.
func TestCheckPeerID(t *testing.T) {
	const id = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK"
	if err := CheckPeerID(id); err != nil {
		t.Error(err)
	}
	hash, err := multihash.FromB58String(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", id[1:], id + "1", " " + id, cid.NewCidV1(cid.Libp2pKey, hash).String(), "../" + id, strings.Repeat("1", 60)} {
		if err := CheckPeerID(bad); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
