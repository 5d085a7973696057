package ipfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
)

func newStore(t *testing.T) (*fakeKubo, *Store) {
	t.Helper()
	k, api := startKubo(t)
	s, err := New(Options{API: api, Token: k.token, Idle: testIdle})
	if err != nil {
		t.Fatal(err)
	}
	return k, s
}

func TestStore(t *testing.T) {
	k, s := newStore(t)
	clienttest.Blobs(t, clienttest.BlobsEnv{Blobs: s, Pinned: k.pinned, Corrupt: k.corrupt})
}

// TestLostAnswer: the node has stored and pinned, and nobody hears of it. The pin is
// taken back: that of one block by its CID, that of many, whose CID nobody has heard of,
// by its name.
func TestLostAnswer(t *testing.T) {
	k, s := newStore(t)
	k.loseAdd = true
	for _, size := range []int{7, 3 << 20} {
		if _, err := s.Put(t.Context(), bytes.NewReader(make([]byte, size))); !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	if pins := k.pinned(t); len(pins) != 0 {
		t.Errorf("%v stay pinned", pins)
	}
}

func TestNodeErrors(t *testing.T) {
	k, api := startKubo(t)
	_ = k
	intruder, err := New(Options{API: api, Token: "wrong", Idle: testIdle})
	if err != nil {
		t.Fatal(err)
	}
	away, err := New(Options{API: "/ip4/127.0.0.1/tcp/1", Idle: testIdle})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s    *Store
		want error
		says string
	}{"wrong token": {intruder, ledger.ErrDenied, "token"}, "no node": {away, ledger.ErrUnavailable, "/ip4/127.0.0.1/tcp/1"}} {
		_, put := c.s.Put(t.Context(), strings.NewReader("x"))
		_, open := c.s.Open(t.Context(), clienttest.UnknownCID)
		pin := c.s.Pin(t.Context(), clienttest.UnknownCID)
		unpin := c.s.Unpin(t.Context(), clienttest.UnknownCID)
		for op, err := range map[string]error{"put": put, "open": open, "pin": pin, "unpin": unpin} {
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "wrong") {
				t.Errorf("%s, %s: %v", name, op, err)
			}
		}
	}
	for _, api := range []string{"", "127.0.0.1:5001", "/ip4/127.0.0.1"} {
		if _, err := New(Options{API: api}); err == nil && api != "/ip4/127.0.0.1" {
			t.Errorf("address %q was taken", api)
		}
	}
}

// TestStandstill: a node that stops in the middle of a payload is given up on, and a
// caller who gives up is heard.
func TestStandstill(t *testing.T) {
	k, s := newStore(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	id, err := s.Put(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	k.hang = make(chan struct{})
	k.mu.Unlock()
	start := time.Now()
	if _, err := s.Open(t.Context(), id); !errors.Is(err, ledger.ErrUnavailable) || time.Since(start) > 10*testIdle {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testIdle/5)
	defer cancel()
	if _, err := s.Open(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's deadline: %v", err)
	}
}

// TestSlowSource: time that the source takes is not the node's.
func TestSlowSource(t *testing.T) {
	_, s := newStore(t)
	r, w := io.Pipe()
	go func() {
		io.WriteString(w, "a")
		time.Sleep(3 * testIdle)
		io.WriteString(w, "b")
		w.Close()
	}()
	id, err := s.Put(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got, err := io.ReadAll(b); err != nil || string(got) != "ab" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestUnverifiable: a payload that links to what cannot be checked, an identity hash,
// which would carry any content.
func TestUnverifiable(t *testing.T) {
	k, s := newStore(t)
	inline, err := cid.V1Builder{Codec: cid.Raw, MhType: 0}.Sum([]byte("smuggled"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Put(t.Context(), bytes.NewReader(bytes.Repeat([]byte{1}, 2<<20)))
	if err != nil {
		t.Fatal(err)
	}
	old, err := cid.Decode(id)
	if err != nil {
		t.Fatal(err)
	}
	n, err := merkledag.DecodeProtobuf(k.blocks[old])
	if err != nil {
		t.Fatal(err)
	}
	links := n.Links()
	links[1].Cid = inline
	if err := n.SetLinks(links); err != nil {
		t.Fatal(err)
	}
	n.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: 0x12})
	k.blocks[n.Cid()] = n.RawData()
	b, err := s.Open(t.Context(), n.Cid().String())
	if err == nil {
		_, err = io.ReadAll(b)
	}
	if !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("got %v", err)
	}
}
