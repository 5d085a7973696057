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
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
)

func TestStore(t *testing.T) {
	k, s := newStore(t)
	hasty := k.connect(t)
	hasty.idle = time.Second
	clienttest.Blobs(t, clienttest.BlobsEnv{Blobs: splitStore{s, hasty}, Pinned: k.pinned, Corrupt: k.corrupt})
}

// splitStore gives up soon on the payload that nobody has, and only on that.
type splitStore struct {
	*Store
	hasty *Store
}

func (s splitStore) of(id string) *Store {
	if id == clienttest.UnknownCID {
		return s.hasty
	}
	return s.Store
}

func (s splitStore) Open(ctx context.Context, id string) (client.Blob, error) {
	return s.of(id).Open(ctx, id)
}

func (s splitStore) Pin(ctx context.Context, id string) error { return s.of(id).Pin(ctx, id) }

// unpinAll unpins all payloads that the store lists, as a sweeper does.
func unpinAll(t *testing.T, s *Store) {
	t.Helper()
	ids, err := s.Pinned(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, id := range ids {
		if err := s.Unpin(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// TestLostAnswer: the node has stored and pinned, and its answer is lost. A sweeper finds
// the pin.
func TestLostAnswer(t *testing.T) {
	k, s := newStore(t)
	k.loseAdd = true
	for _, size := range []int{7, 3 << 20} {
		if _, err := s.Put(t.Context(), bytes.NewReader(make([]byte, size))); !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	if len(k.pinned(t)) == 0 {
		t.Error("the node has pinned nothing: the test shows nothing")
	}
	unpinAll(t, s)
	if pins := k.pinned(t); len(pins) != 0 {
		t.Errorf("%v stay pinned", pins)
	}
}

func TestNodeErrors(t *testing.T) {
	k, _ := newStore(t)
	intruder, away := connectTo(t, k.api, "wrong"), connectTo(t, "/ip4/127.0.0.1/tcp/1", "")
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

// TestCancelledLate: the caller gives up when the node has all of a payload. Whether the
// node answers soon or not, a sweeper finds the pin.
func TestCancelledLate(t *testing.T) {
	for _, size := range []int{7, 3 << 20} {
		for _, late := range []time.Duration{0, time.Second, time.Minute} {
			inBubble(t, func(t *testing.T, k *fakeKubo, s *Store) {
				ctx, cancel := context.WithCancel(t.Context())
				k.whilePut = func() {
					cancel()
					time.Sleep(late)
				}
				if _, err := s.Put(ctx, bytes.NewReader(make([]byte, size))); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				time.Sleep(time.Hour) // whatever the node still does
				unpinAll(t, s)
				if pins := k.pinned(t); len(pins) != 0 {
					t.Errorf("%d bytes stay pinned that were pinned %v after the caller gave up", size, late)
				}
			})
		}
	}
}

// TestStandstill: Open gives up on a node that stops in the middle of a payload, and ends
// with its caller's context.
func TestStandstill(t *testing.T) {
	inBubble(t, func(t *testing.T, k *fakeKubo, s *Store) {
		data := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
		id, err := s.Put(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		k.hang = make(chan struct{})
		k.mu.Unlock()
		start := time.Now()
		if _, err := s.Open(t.Context(), id); !errors.Is(err, ledger.ErrUnavailable) || time.Since(start) != s.idle {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), s.idle/5)
		defer cancel()
		if _, err := s.Open(ctx, id); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != s.idle/5 {
			t.Errorf("the caller's deadline, after %v: %v", time.Since(start), err)
		}
	})
}

// TestSlowSource: the node is not blamed for the time that the source takes.
func TestSlowSource(t *testing.T) {
	for _, head := range []int{1, 2 << 20} {
		inBubble(t, func(t *testing.T, k *fakeKubo, s *Store) {
			r, w := io.Pipe()
			go func() {
				w.Write(make([]byte, head))
				time.Sleep(3 * s.idle)
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
			if got, err := io.ReadAll(b); err != nil || string(got) != string(make([]byte, head))+"b" {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestUnverifiable: a payload links to a CID that cannot be checked, with an identity
// hash, which would carry any content.
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
