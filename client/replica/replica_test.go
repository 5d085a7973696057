package replica

import (
	"context"
	"encoding/json"
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
	txs  [][]ledger.Payload
	next int
}

func (c *chain) add(cids ...string) {
	var payloads []ledger.Payload
	for _, cid := range cids {
		payloads = append(payloads, ledger.Payload{CID: cid, Size: 1, Home: "HospitalA"})
	}
	c.register(payloads...)
}

func (c *chain) register(payloads ...ledger.Payload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.txs = append(c.txs, payloads)
}

// feed is a Feed.
func (c *chain) feed(ctx context.Context, handle func(context.Context, []ledger.Payload) error) error {
	for {
		c.mu.Lock()
		var cids []ledger.Payload
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
	sizes   map[string]int64 // of those that have more than one byte

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

func (s *store) PinWithin(_ context.Context, cid string, limit int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alone++
	if is := s.size(cid); is > limit {
		return 0, ledger.ErrInvalid
	}
	return s.size(cid), s.pin(cid)
}

func (s *store) size(cid string) int64 { return max(s.sizes[cid], 1) }

func (s *store) pin(cid string) error {
	if s.missing[cid] {
		return ledger.ErrUnavailable
	}
	s.pinned[cid]++
	return nil
}

func (s *store) PinAllWithin(_ context.Context, payloads []ledger.Payload) (pinned, refused []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.together = max(s.together, len(payloads))
	for _, p := range payloads {
		if s.size(p.CID) > p.Size {
			refused, err = append(refused, p.CID), ledger.ErrInvalid
		} else if perr := s.pin(p.CID); perr != nil {
			err = perr
		} else {
			pinned = append(pinned, p.CID)
		}
	}
	return pinned, refused, err
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

// pending gives the CIDs in the saved queue.
func (m *memory) pending(t *testing.T) (cids []string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var s state
	if err := json.Unmarshal(m.items[stateName], &s); err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Pending {
		cids = append(cids, p.CID)
	}
	return cids
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
	if got := m.pending(t); len(got) != 0 {
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
	const some = 256
	c, s, m := &chain{}, newStore("gone"), &memory{}
	var company []string
	for i := range 20 {
		company = append(company, fmt.Sprintf("q%d", i))
	}
	c.add(append(company[:10:10], append([]string{"gone"}, company[10:]...)...)...)
	for i := range some - 10 {
		c.add(fmt.Sprintf("p%d", i))
	}
	stop := start(t, c, s, m)
	waitFor(t, "the others", func() bool { return len(s.has()) == some+10 })
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

func (s *slowStore) PinWithin(ctx context.Context, _ string, _ int64) (int64, error) {
	return 0, s.pin(ctx)
}

func (s *slowStore) pin(ctx context.Context) error {
	s.asked.Add(1)
	if ctx.Err() != nil && s.late.Add(1) > 1000 {
		return nil // a replicator that does not stop by itself is let go
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *slowStore) PinAllWithin(ctx context.Context, _ []ledger.Payload) (pinned, refused []string, err error) {
	return nil, nil, s.pin(ctx)
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
				if got := m.pending(t); !slices.Equal(got, cids) {
					t.Errorf("saved as pending: %s, want %s", got, cids)
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
	left := m.items[stateName]
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
		Feed: func(context.Context, func(context.Context, []ledger.Payload) error) error { return broken }})
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
		r, err := New(Config{Store: newStore(), Memory: &memory{}, Feed: func(context.Context, func(context.Context, []ledger.Payload) error) error { return end }})
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

// TestFairness: a member whose payloads nobody serves takes no request from the others,
// even if it has more than there are requests.
func TestFairness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m := &chain{}, &memory{}
		s := &stuckStore{store: newStore()}
		r, err := New(Config{Feed: c.feed, Store: s, Memory: m, Own: "HospitalB", Parallel: 4})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		c.register(ledger.Payload{CID: "c", Size: 1, Home: "HospitalC"}, ledger.Payload{CID: "own", Size: 1, Home: "HospitalB"})
		time.Sleep(time.Second)
		stuck := 3000
		if testing.Short() {
			stuck = 600
		}
		for i := range stuck {
			c.register(ledger.Payload{CID: fmt.Sprint("stuck", i), Size: 1, Home: "HospitalA"})
		}
		time.Sleep(10 * time.Second)
		for i := range 3 {
			c.register(ledger.Payload{CID: fmt.Sprint("c", i), Size: 1, Home: "HospitalC"})
			c.register(ledger.Payload{CID: fmt.Sprint("own", i), Size: 1, Home: "HospitalB"})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.has(); len(got) != 8 {
			t.Errorf("pinned beside the stuck ones: %v", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A stuckStore never answers for payloads with such a name.
type stuckStore struct{ *store }

func (s *stuckStore) PinWithin(ctx context.Context, cid string, limit int64) (int64, error) {
	if strings.HasPrefix(cid, "stuck") {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return s.store.PinWithin(ctx, cid, limit)
}

func (s *stuckStore) PinAllWithin(ctx context.Context, payloads []ledger.Payload) (pinned, refused []string, err error) {
	if strings.HasPrefix(payloads[0].CID, "stuck") {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	return s.store.PinAllWithin(ctx, payloads)
}

// TestBudget: nothing beyond a member's budget is pinned, the own payloads have none, and
// refusals are reported. A larger budget brings them back.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, m := &chain{}, newStore(), &memory{}
		s.sizes = map[string]int64{"lie": 50}
		c.register(ledger.Payload{CID: "own", Size: 1000, Home: "HospitalB"})
		c.register(ledger.Payload{CID: "a60", Size: 60, Home: "HospitalA"}, ledger.Payload{CID: "a50", Size: 50, Home: "HospitalA"},
			ledger.Payload{CID: "lie", Size: 1, Home: "HospitalA"}, ledger.Payload{CID: "a30", Size: 30, Home: "HospitalA"})
		c.register(ledger.Payload{CID: "old"}) // from a ledger without sizes
		c.register(ledger.Payload{CID: "c100", Size: 100, Home: "HospitalC"}, ledger.Payload{CID: "c1", Size: 1, Home: "HospitalC"})
		var reports []ledger.Keeping
		run := func(budget int64) {
			t.Helper()
			r, err := New(Config{Feed: c.feed, Store: s, Memory: m, Own: "HospitalB", Budget: budget, Budgets: map[string]int64{"HospitalC": 101},
				Report: func(_ context.Context, k ledger.Keeping) error { reports = append(reports, k); return nil }})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx) }()
			time.Sleep(3 * time.Minute)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		run(100)
		if got, want := s.has(), []string{"a30", "a60", "c1", "c100", "old", "own"}; !slices.Equal(got, want) {
			t.Errorf("pinned %v, want %v", got, want)
		}
		last := reports[len(reports)-1]
		if last.Home != "HospitalA" || last.Kept != 90 || last.Budget != 100 || last.Refused != 2 || last.RefusedBytes != 51 ||
			!slices.Contains(last.Newest, ledger.Refusal{CID: "a50", Size: 50, Reason: ledger.RefusedBudget}) ||
			!slices.Contains(last.Newest, ledger.Refusal{CID: "lie", Size: 1, Reason: ledger.RefusedSize}) {
			t.Errorf("reported %+v", reports)
		}
		run(200)
		if last := reports[len(reports)-1]; !slices.Contains(s.has(), "a50") || slices.Contains(s.has(), "lie") || last.Refused != 1 || last.Kept < 90 {
			t.Errorf("with a larger budget pinned %v, reported %+v", s.has(), last)
		}
	})
}
