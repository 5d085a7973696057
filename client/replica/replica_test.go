package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A chain is a ledger of transactions, each with the payloads it registered. It remembers
// what was handled.
type chain struct {
	mu   sync.Mutex
	txs  [][]string
	next int
}

func (c *chain) add(cids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.txs = append(c.txs, cids)
}

// feed is a Feed.
func (c *chain) feed(ctx context.Context, handle func(context.Context, []string) error) error {
	for {
		c.mu.Lock()
		var cids []string
		there := c.next < len(c.txs)
		if there {
			cids = c.txs[c.next]
		}
		c.mu.Unlock()
		if !there {
			if sleep(ctx, time.Millisecond); ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		if err := handle(ctx, cids); err != nil {
			return err
		}
		c.mu.Lock()
		c.next++
		c.mu.Unlock()
	}
}

// A store fails for the payloads that are missing.
type store struct {
	mu      sync.Mutex
	pinned  map[string]int
	missing map[string]bool

	together int // most that were pinned at once
	alone    int // requests for one
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
	s.alone++
	return s.pin(cid)
}

func (s *store) pin(cid string) error {
	if s.missing[cid] {
		return ledger.ErrUnavailable
	}
	s.pinned[cid]++
	return nil
}

func (s *store) PinAll(_ context.Context, cids []string) (pinned []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.together = max(s.together, len(cids))
	for _, cid := range cids {
		if perr := s.pin(cid); perr != nil {
			err = perr
		} else {
			pinned = append(pinned, cid)
		}
	}
	return pinned, err
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
func start(t *testing.T, c *chain, s Pinner, m *memory) (stop func() error) {
	t.Helper()
	r, err := New(Config{Feed: c.feed, Store: s, Memory: m, Retry: time.Millisecond})
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
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestFollowsAndResumes(t *testing.T) {
	c, s, m := &chain{}, newStore(), &memory{}
	c.add("a", "b")
	c.add("c")
	stop := start(t, c, s, m)
	waitFor(t, "what was there before", func() bool { return len(s.has()) == 3 })
	c.add("d")
	waitFor(t, "what came later", func() bool { return len(s.has()) == 4 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := string(m.items[pendingName]); got != "[]" {
		t.Fatalf("saved as pending: %s", got)
	}
	c.add("e")
	stop = start(t, c, s, m)
	waitFor(t, "what came in between", func() bool { return len(s.has()) == 5 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestUnreachablePayloadHoldsUpNobody(t *testing.T) {
	c, s, m := &chain{}, newStore("gone"), &memory{}
	var company []string
	for i := range 20 {
		company = append(company, fmt.Sprintf("q%d", i))
	}
	c.add(append(company[:10:10], append([]string{"gone"}, company[10:]...)...)...)
	for i := range maxWaiting - 10 {
		c.add(fmt.Sprintf("p%d", i))
	}
	stop := start(t, c, s, m)
	waitFor(t, "the others", func() bool { return len(s.has()) == maxWaiting+10 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	if s.together < 20 || s.together > maxBatch {
		t.Errorf("at most %d were pinned at once", s.together)
	}

	// It is not forgotten over a restart.
	s.appear("gone")
	stop = start(t, c, s, m)
	waitFor(t, "the late one", func() bool { return slices.Contains(s.has(), "gone") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// A slowStore has what nobody serves: a request ends with its context.
type slowStore struct {
	asked, late atomic.Int32 // requests, and those made after their context had ended
}

func (s *slowStore) Pin(ctx context.Context, _ string) error {
	s.asked.Add(1)
	if ctx.Err() != nil && s.late.Add(1) > 1000 {
		return nil // a replicator that does not stop by itself is let go
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *slowStore) PinAll(ctx context.Context, cids []string) ([]string, error) {
	return nil, s.Pin(ctx, cids[0])
}

// TestStopWhileFetching: a replicator stops at once while payloads are on their way, and
// keeps them for the next time.
func TestStopWhileFetching(t *testing.T) {
	for name, cids := range map[string][]string{"alone": {"a"}, "together": {"a", "b"}} {
		t.Run(name, func(t *testing.T) {
			// In a bubble: every worker stands still, in its request or in wait of one,
			// before the replicator is told to stop.
			synctest.Test(t, func(t *testing.T) {
				c, s, m := &chain{}, &slowStore{}, &memory{}
				c.add(cids...)
				stop := start(t, c, s, m)
				time.Sleep(time.Second) // they have waited for company
				synctest.Wait()
				if asked := s.asked.Load(); asked != 1 {
					t.Errorf("the store was asked %d times for what does not come", asked)
				}
				told := time.Now()
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(told); took > 0 {
					t.Errorf("it stopped after %v", took)
				}
				if late := s.late.Load(); late > 0 {
					t.Errorf("the store was asked %d times after the replicator was told to stop", late)
				}
				if got, want := string(m.items[pendingName]), `"`+strings.Join(cids, `","`)+`"`; got != "["+want+"]" {
					t.Errorf("saved as pending: %s, want [%s]", got, want)
				}
			})
		})
	}
}

// TestKilled takes what a process that is killed leaves: transactions that were handled,
// and payloads that were not pinned.
func TestKilled(t *testing.T) {
	c, s, m := &chain{}, newStore("gone"), &memory{}
	c.add("gone", "a")
	stop := start(t, c, s, m)
	waitFor(t, "the other one", func() bool { return slices.Contains(s.has(), "a") })
	c.mu.Lock()
	handled := c.next
	c.mu.Unlock()
	m.mu.Lock()
	left := m.items[pendingName]
	m.mu.Unlock()
	if handled == 1 && !strings.Contains(string(left), "gone") {
		t.Fatalf("the transaction counts as handled, and on disk is only %s", left)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestFeedFails(t *testing.T) {
	broken := errors.New("broken")
	r, err := New(Config{Store: newStore(), Memory: &memory{},
		Feed: func(context.Context, func(context.Context, []string) error) error { return broken }})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("Run = %v", err)
	}
}

// TestFeedGivesUp: an end that nobody asked for is a failure, also when the feed's own
// time is what ended.
func TestFeedGivesUp(t *testing.T) {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		r, err := New(Config{Store: newStore(), Memory: &memory{}, Feed: func(context.Context, func(context.Context, []string) error) error { return end }})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); !errors.Is(err, end) {
			t.Errorf("Run = %v, want %v", err, end)
		}
	}
}

func TestPendingThatCannotBeSaved(t *testing.T) {
	full := errors.New("disk full")
	c, s, m := &chain{}, newStore(), &memory{fail: full}
	c.add("a")
	r, err := New(Config{Feed: c.feed, Store: s, Memory: m})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Run(ctx); !errors.Is(err, full) {
		t.Fatalf("Run = %v", err)
	}
}

// TestLinger: payloads of transactions that follow each other soon are fetched together,
// and none waits long.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, m := &chain{}, newStore(), &memory{}
		r, err := New(Config{Feed: c.feed, Store: s, Memory: m})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		for i := range 5 {
			c.add(fmt.Sprint("p", i))
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(r.c.Linger)
		synctest.Wait()
		if s.together != 5 || len(s.has()) != 5 {
			t.Errorf("%d are pinned, at most %d at once; want 5 together", len(s.has()), s.together)
		}
		c.add("alone")
		time.Sleep(r.c.Linger + 10*time.Millisecond)
		synctest.Wait()
		if len(s.has()) != 6 {
			t.Error("one that has no company is not pinned")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestNodeAway: when the node does not answer for a moment, what it missed is pinned
// together, and what is missing for good by itself.
func TestNodeAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m := &chain{}, &memory{}
		var cids []string
		for i := range 50 {
			cids = append(cids, fmt.Sprint("p", i))
		}
		s := newStore(append(cids, "gone")...)
		r, err := New(Config{Feed: c.feed, Store: s, Memory: m})
		if err != nil {
			t.Fatal(err)
		}
		asked := func() int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.alone
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		c.add(append(cids, "gone")...)
		time.Sleep(r.c.Linger + 500*time.Millisecond)
		for _, cid := range cids {
			s.appear(cid)
		}
		time.Sleep(2 * r.c.Retry)
		synctest.Wait()
		if asked() != 0 || len(s.has()) != 50 {
			t.Errorf("%d are pinned, and %d were asked for by themselves", len(s.has()), asked())
		}
		time.Sleep(5 * r.c.Retry)
		synctest.Wait()
		if asked() == 0 {
			t.Error("the one that is missing is not asked for by itself")
		}
		s.appear("gone")
		time.Sleep(100 * r.c.Retry)
		synctest.Wait()
		if len(s.has()) != 51 {
			t.Error("the one that was missing is not pinned")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
