package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A chain is a ledger of blocks, each with the payloads it registered; it can lose its connection.
type chain struct {
	mu     sync.Mutex
	blocks [][]string
	asked  []uint64 // where each Follow began
	drop   int      // connections to drop after one block
}

func (c *chain) add(cids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks = append(c.blocks, cids)
}

func (c *chain) Follow(ctx context.Context, from uint64, each func(uint64, []ledger.RecordVersion) error) error {
	c.mu.Lock()
	c.asked = append(c.asked, from)
	c.mu.Unlock()
	for n := from; ; {
		c.mu.Lock()
		var block []string
		there := n < uint64(len(c.blocks))
		if there {
			block = c.blocks[n]
		}
		drop := there && c.drop > 0
		if drop {
			c.drop--
		}
		c.mu.Unlock()
		if !there {
			if sleep(ctx, time.Millisecond); ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		var versions []ledger.RecordVersion
		for _, cid := range block {
			versions = append(versions, ledger.RecordVersion{CID: cid})
		}
		if err := each(n, versions); err != nil {
			return err
		}
		if n++; drop {
			return errors.New("connection lost")
		}
	}
}

// A store fails for the payloads that are missing.
type store struct {
	mu      sync.Mutex
	pinned  map[string]int
	missing map[string]bool
}

func newStore(missing ...string) *store {
	s := &store{pinned: map[string]int{}, missing: map[string]bool{}}
	for _, cid := range missing {
		s.missing[cid] = true
	}
	return s
}

func (s *store) Pin(_ context.Context, cid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.missing[cid] {
		return ledger.ErrUnavailable
	}
	s.pinned[cid]++
	return nil
}

func (s *store) appear(cid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.missing, cid)
}

func (s *store) has() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.pinned))
}

// memory is a client.Memory that can fail.
type memory struct {
	mu    sync.Mutex
	items map[string][]byte
	fail  error
}

func (m *memory) Load(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if data, ok := m.items[name]; ok {
		return data, nil
	}
	return nil, ledger.ErrNotFound
}

func (m *memory) Store(name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items = map[string][]byte{}
	}
	m.items[name] = data
	return m.fail
}

// start runs a replicator until the returned function stops it.
func start(t *testing.T, f Feed, s Pinner, m *memory) (stop func() error) {
	t.Helper()
	r, err := New(Config{Feed: f, Store: s, Memory: m, Retry: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return func() error { cancel(); return <-done }
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestFollowsAndResumes(t *testing.T) {
	c, s, m := &chain{}, newStore(), &memory{}
	c.add() // the genesis block registers nothing
	c.add("a", "b")
	c.add("c")
	stop := start(t, c, s, m)
	waitFor(t, "what was there before", func() bool { return len(s.has()) == 3 })
	c.add("d")
	waitFor(t, "what came later", func() bool { return len(s.has()) == 4 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var saved checkpoint
	if err := json.Unmarshal(m.items[checkpointName], &saved); err != nil || saved.Next != 3 || len(saved.Pending) != 0 {
		t.Fatalf("checkpoint %+v, %v", saved, err)
	}
	c.add("e")
	stop = start(t, c, s, m)
	waitFor(t, "what came in between", func() bool { return len(s.has()) == 5 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.asked, []uint64{0, 3}) {
		t.Errorf("asked the ledger from %v", c.asked)
	}
}

func TestUnreachablePayloadHoldsUpNobody(t *testing.T) {
	c, s, m := &chain{}, newStore("gone"), &memory{}
	c.add("gone")
	for i := range maxWaiting + 10 {
		c.add(fmt.Sprintf("p%d", i))
	}
	stop := start(t, c, s, m)
	waitFor(t, "the others", func() bool { return len(s.has()) == maxWaiting+10 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	// It is not forgotten over a restart.
	s.appear("gone")
	stop = start(t, c, s, m)
	waitFor(t, "the late one", func() bool { return slices.Contains(s.has(), "gone") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestLostConnection(t *testing.T) {
	c, s := &chain{drop: 3}, newStore()
	for _, cid := range []string{"a", "b", "c", "d"} {
		c.add(cid)
	}
	stop := start(t, c, s, &memory{})
	waitFor(t, "all payloads", func() bool { return len(s.has()) == 4 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedCheckpoint(t *testing.T) {
	c, s, m := &chain{}, newStore(), &memory{}
	c.add("a")
	m.Store(checkpointName, []byte("{"))
	stop := start(t, c, s, m)
	waitFor(t, "the payload", func() bool { return len(s.has()) == 1 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckpointThatCannotBeSaved(t *testing.T) {
	full := errors.New("disk full")
	c, s, m := &chain{}, newStore(), &memory{fail: full}
	c.add("a")
	r, err := New(Config{Feed: c, Store: s, Memory: m})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Run(ctx); !errors.Is(err, full) {
		t.Fatalf("Run = %v", err)
	}
}
