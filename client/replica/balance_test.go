package replica

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A consortium is a ledger and the hospitals that run keepers on it.
type consortium struct {
	t     *testing.T
	mu    sync.Mutex
	rules ledger.CopyRules
	said  []said // one a block
	words map[string]ledger.Keeper
	pins  map[[2]string][]ledger.PayloadMark // by transaction and hospital
	nodes map[string]*node
	size  int64 // of each payload
	down  bool  // a witness of the ledger
}

// said is what a transaction says.
type said struct {
	payloads []ledger.Payload
	ends     []ledger.End
	pins     []ledger.PinReceipt
}

// A node is a hospital's node and its keeper.
type node struct {
	*consortium
	msp    string
	pinned map[string]bool
	off    bool
	memory *memory
	stop   func()
	last   Status
}

func newConsortium(t *testing.T, rules ledger.CopyRules, hospitals ...string) *consortium {
	c := &consortium{t: t, rules: rules, words: map[string]ledger.Keeper{}, pins: map[[2]string][]ledger.PayloadMark{}, nodes: map[string]*node{}, size: 1}
	for _, h := range hospitals {
		c.join(h)
	}
	return c
}

func (c *consortium) join(msp string) *node {
	n := &node{consortium: c, msp: msp, pinned: map[string]bool{}, memory: &memory{}}
	c.mu.Lock()
	c.nodes[msp] = n
	c.mu.Unlock()
	n.start()
	return n
}

// start starts a hospital's keeper.
func (n *node) start() {
	ctx, cancel := context.WithCancel(n.t.Context())
	r, err := New(Config{Feed: n.feed, Store: n, Memory: n.memory, Own: n.msp})
	if err != nil {
		n.t.Fatal(err)
	}
	b, err := NewBalancer(BalanceConfig{Own: n.msp, Node: n.msp, Replicator: r, Store: n, Memory: n.memory, Read: n.read, Keepers: n.keepers, Keep: n.keep,
		Ask: n.ask, Report: func(s Status) { n.mu.Lock(); defer n.mu.Unlock(); n.last = s }})
	if err != nil {
		n.t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		if err := r.Run(ctx); err != nil {
			n.t.Error(err)
		}
	})
	group.Go(func() { b.Run(ctx) })
	n.stop = func() { cancel(); group.Wait(); n.stop = func() {} }
}

func (n *node) size() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.pinned)
}

func (n *node) status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

func (n *node) set(off bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.off = off
}

// destroy empties the node's store, behind the keeper's back.
func (n *node) destroy() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.pinned)
}

func (n *node) feed(ctx context.Context, handle func(context.Context, []ledger.Payload) error) error {
	for next := 0; ; {
		n.mu.Lock()
		var payloads []ledger.Payload
		there := next < len(n.said)
		if there {
			payloads = n.said[next].payloads
		}
		n.mu.Unlock()
		if !there {
			if sleep(ctx, time.Second); ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		if err := handle(ctx, payloads); err != nil {
			return err
		}
		next++
	}
}

func (n *node) read(_ context.Context, from uint64, handle func([]ledger.Payload, []ledger.End, []ledger.PinReceipt) error) (uint64, bool, error) {
	n.mu.Lock()
	all, whole := slices.Clone(n.said[from:]), !n.down
	n.mu.Unlock()
	for _, s := range all {
		if err := handle(s.payloads, s.ends, s.pins); err != nil {
			return from, false, err
		}
		from++
	}
	return from, whole, nil
}

func (n *node) keepers(context.Context) (ledger.Consortium, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := ledger.Consortium{Rules: n.rules, Own: n.rules}
	for _, msp := range slices.Sorted(maps.Keys(n.words)) {
		c.Keepers = append(c.Keepers, n.words[msp])
	}
	return c, nil
}

func (n *node) keep(_ context.Context, id string, pinned, unpinned []ledger.Payload) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.words[n.msp] = ledger.Keeper{MSP: n.msp, Node: id, Time: ledger.FormatTime(time.Now())}
	changed := map[string]bool{}
	for _, p := range pinned {
		at := [2]string{p.Tx, n.msp}
		n.pins[at] = append(n.pins[at], ledger.MarkOf(p.CID))
		changed[p.Tx] = true
	}
	for _, p := range unpinned {
		at := [2]string{p.Tx, n.msp}
		n.pins[at] = slices.DeleteFunc(n.pins[at], func(m ledger.PayloadMark) bool { return m == ledger.MarkOf(p.CID) })
		changed[p.Tx] = true
	}
	var receipts []ledger.PinReceipt
	for tx := range changed {
		receipts = append(receipts, ledger.PinReceipt{Tx: tx, Keeper: n.msp, Payloads: base64.StdEncoding.EncodeToString(ledger.PackMarks(n.pins[[2]string{tx, n.msp}]))})
	}
	n.said = append(n.said, said{pins: receipts})
	return nil
}

func (n *node) ask(_ context.Context, id, cid string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch other := n.nodes[id]; {
	case other.off:
		return ledger.ErrUnavailable
	case !other.pinned[cid]:
		return ledger.ErrNotFound
	}
	return nil
}

// Pinned implements Unpinner.
func (n *node) Pinned(context.Context) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Keys(n.pinned)), nil
}

// Unpin implements Unpinner.
func (n *node) Unpin(_ context.Context, cid string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pinned, cid)
	return nil
}

// Pin implements Unpinner.
func (n *node) Pin(_ context.Context, cid string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, other := range n.nodes {
		if other.pinned[cid] && (!other.off || other == n) {
			n.pinned[cid] = true
			return nil
		}
	}
	return ledger.ErrUnavailable
}

// PinWithin implements Pinner.
func (n *node) PinWithin(ctx context.Context, cid string, limit int64) (int64, error) {
	if limit < n.consortium.size {
		return 0, ledger.ErrInvalid
	}
	return n.consortium.size, n.Pin(ctx, cid)
}

// PinAllWithin implements Pinner.
func (n *node) PinAllWithin(ctx context.Context, payloads []ledger.Payload) (pinned, refused []string, err error) {
	for _, p := range payloads {
		if p.Size < n.consortium.size {
			refused, err = append(refused, p.CID), ledger.ErrInvalid
		} else if perr := n.Pin(ctx, p.CID); perr != nil {
			err = perr
		} else {
			pinned = append(pinned, p.CID)
		}
	}
	return pinned, refused, err
}

func cidOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	cid, err := ledger.UnpackCID(append([]byte{1, 0x55, 0x12, 32}, sum[:]...))
	if err != nil {
		panic(err)
	}
	return cid
}

// seal registers n payloads of a hospital in one transaction, and pins them there.
func (c *consortium) seal(home string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tx := sha256.Sum256(fmt.Append(nil, "tx", len(c.said)))
	s := said{}
	for i := range n {
		p := ledger.Payload{CID: cidOf(fmt.Sprint(home, len(c.said), i)), Size: c.size, Home: home, Tx: hex.EncodeToString(tx[:])}
		s.payloads = append(s.payloads, p)
		c.nodes[home].pinned[p.CID] = true
	}
	c.said = append(c.said, s)
}

// counts gives the number of payloads by the number of nodes that have them pinned and
// are on. Each home must have its own.
func (c *consortium) counts() map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[int]int{}
	for _, s := range c.said {
		for _, p := range s.payloads {
			n := 0
			for _, other := range c.nodes {
				if other.pinned[p.CID] && !other.off {
					n++
				}
			}
			counts[n]++
			if home := c.nodes[p.Home]; !home.off && !home.pinned[p.CID] {
				c.t.Errorf("%s has not pinned its own %s", p.Home, p.CID)
			}
		}
	}
	return counts
}

func (c *consortium) want(what string, want map[int]int) {
	c.t.Helper()
	if got := c.counts(); !maps.Equal(got, want) {
		c.t.Errorf("%s: payloads by copies %v, want %v", what, got, want)
	}
}

func (c *consortium) end() {
	for _, n := range c.nodes {
		n.stop()
	}
}

var anHour = ledger.CopyRules{Min: 1, Max: 2, Leeway: "1h"}

var four = []string{"HospitalA", "HospitalB", "HospitalC", "HospitalD"}

// TestBalance plays the life of a consortium: records arrive, a short absence moves
// nothing, a long one is made up for, surplus goes when the hospital is back, a store
// that was destroyed is filled again, and a hospital joins.
func TestBalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		for _, h := range four {
			c.seal(h, 50)
		}
		time.Sleep(5 * time.Second)
		c.want("sealed", map[int]int{2: 200})

		d := c.nodes["HospitalD"]
		held := d.size()
		d.set(true)
		d.stop()
		away := c.counts()
		time.Sleep(50 * time.Minute)
		c.want("D is away for less than the leeway", away)
		time.Sleep(30 * time.Minute)
		c.want("D is lost", map[int]int{2: 200})
		if s := c.nodes["HospitalA"].status(); s.Under != 0 || s.Copies[2] != 200 || s.Keepers[3].State != "lost" {
			t.Errorf("status with D lost: %+v", s)
		}

		d.destroy()
		d.set(false)
		d.start()
		time.Sleep(20 * time.Minute)
		if d.size() != held {
			t.Errorf("D has %d payloads of its %d again", d.size(), held)
		}
		if counts := c.counts(); counts[0]+counts[1] > 0 || counts[3] == 0 {
			t.Errorf("D is back: payloads by copies %v", counts)
		}
		time.Sleep(2 * time.Hour)
		c.want("surplus is gone", map[int]int{2: 200})

		c.nodes["HospitalB"].destroy()
		time.Sleep(10 * time.Minute)
		c.want("B has lost its store", map[int]int{2: 200})

		before := map[string]int{}
		for h, n := range c.nodes {
			before[h] = n.size()
		}
		e := c.join("HospitalE")
		time.Sleep(3 * time.Hour)
		c.want("E has joined", map[int]int{2: 200})
		moved := 0
		for h, n := range before {
			if left := n - c.nodes[h].size(); left < 0 {
				t.Errorf("%s has got %d payloads when E joined", h, -left)
			} else {
				moved += left
			}
		}
		if moved != e.size() || moved == 0 || moved > 90 { // 50 are expected
			t.Errorf("E keeps %d payloads, and %d moved", e.size(), moved)
		}
	})
}

// TestBalanceLiar: a node that gives receipts and keeps nothing is found, and made up
// for. When it keeps them, it is believed again.
func TestBalanceLiar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 100)
		time.Sleep(5 * time.Second)
		liar := c.nodes["HospitalC"]
		liar.stop() // its keeper says that it is there, and no more
		c.mu.Lock()
		kept := maps.Clone(liar.pinned)
		c.mu.Unlock()
		liar.destroy()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ; ctx.Err() == nil; sleep(ctx, time.Minute) {
				liar.keep(ctx, liar.msp, nil, nil)
			}
		}()
		if len(kept) == 0 || c.counts()[1] == 0 {
			t.Fatal("the liar had nothing to keep")
		}
		time.Sleep(30 * time.Minute)
		c.want("the liar is made up for", map[int]int{2: 100})
		s := c.nodes["HospitalA"].status()
		if s.Keepers[2].State != "not believed" || s.Keepers[2].Lacked < maxLooks || s.Keepers[2].Lacks == "" {
			t.Errorf("status %+v", s.Keepers)
		}
		c.mu.Lock()
		maps.Copy(liar.pinned, kept)
		c.mu.Unlock()
		time.Sleep(10 * time.Minute)
		s = c.nodes["HospitalA"].status()
		if s.Keepers[2].State != "here" {
			t.Errorf("status after it kept them: %+v", s.Keepers)
		}
	})
}

// TestBalanceSilent: a keeper that never says a word holds nobody up, and its hospital
// gets nothing to keep but what is its own.
func TestBalanceSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four[:3]...)
		defer c.end()
		c.nodes["HospitalD"] = &node{consortium: c, msp: "HospitalD", pinned: map[string]bool{}, stop: func() {}}
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 60)
		c.seal("HospitalD", 60)
		time.Sleep(5 * time.Minute)
		if counts := c.counts(); counts[0]+counts[1] > 0 {
			t.Errorf("payloads by copies %v", counts)
		}
		if n := c.nodes["HospitalD"].size(); n != 60 {
			t.Errorf("D has %d payloads", n)
		}
	})
}

// TestBalanceUnsure: surplus stays while a holder's node does not give what it is asked
// for.
func TestBalanceUnsure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := anHour
		rules.Max = 4
		c := newConsortium(t, rules, four...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 20)
		time.Sleep(5 * time.Minute)
		c.want("four keep it", map[int]int{4: 20})
		c.mu.Lock()
		c.rules.Max = 2
		c.mu.Unlock()
		for _, h := range four[1:] {
			c.nodes[h].set(true) // nodes, and not keepers
		}
		time.Sleep(3 * time.Hour)
		for _, h := range four[1:] {
			c.nodes[h].set(false)
		}
		c.want("nodes gave nothing", map[int]int{4: 20})
		time.Sleep(10 * time.Minute)
		c.want("nodes give blocks", map[int]int{2: 20})
	})
}

// TestBalanceOlder: on a ledger from before keepers everything is kept.
func TestBalanceOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour)
		n := &node{consortium: c, msp: "HospitalA", pinned: map[string]bool{}, memory: &memory{}}
		c.nodes = map[string]*node{"HospitalA": n, "HospitalB": {consortium: c, msp: "HospitalB", pinned: map[string]bool{}}}
		r, err := New(Config{Feed: n.feed, Store: n, Memory: n.memory, Own: n.msp})
		if err != nil {
			t.Fatal(err)
		}
		unknown := func(context.Context) (ledger.Consortium, error) {
			return ledger.Consortium{}, ledger.Errorf(ledger.ErrInvalid, "no transaction %q", ledger.ReplicaKeepers)
		}
		b, err := NewBalancer(BalanceConfig{Own: n.msp, Replicator: r, Store: n, Memory: n.memory, Read: n.read, Keepers: unknown, Keep: n.keep, Ask: n.ask})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { r.Run(ctx) })
		group.Go(func() { b.Run(ctx) })
		c.seal("HospitalB", 30)
		time.Sleep(10 * time.Second)
		if n.size() != 30 {
			t.Errorf("%d of 30 payloads are kept", n.size())
		}
		cancel()
		group.Wait()
	})
}

// TestBook: what is stored is loaded alike; versions and ends are counted; receipts
// replace each other, and count for their transaction only.
func TestBook(t *testing.T) {
	m := &memory{}
	b, err := loadBook(m)
	if err != nil {
		t.Fatal(err)
	}
	tx := func(i byte) string { return hex.EncodeToString(slices.Repeat([]byte{i}, 32)) }
	x, y, z := cidOf("x"), cidOf("y"), cidOf("z")
	b.register(ledger.Payload{CID: x, Size: 5, Home: "HospitalA", Tx: tx(1)})
	b.register(ledger.Payload{CID: y, Size: 6, Home: "HospitalA", Tx: tx(1)})
	b.register(ledger.Payload{CID: z, Size: 7, Home: "HospitalB", Tx: tx(2)})
	b.register(ledger.Payload{CID: x, Size: 5, Home: "HospitalB", Tx: tx(3)})
	marks := func(cids ...string) string {
		var all []ledger.PayloadMark
		for _, cid := range cids {
			all = append(all, ledger.MarkOf(cid))
		}
		return base64.StdEncoding.EncodeToString(ledger.PackMarks(all))
	}
	b.receipt(ledger.PinReceipt{Tx: tx(1), Keeper: "HospitalC", Payloads: marks(x, y, z)})
	b.receipt(ledger.PinReceipt{Tx: tx(2), Keeper: "HospitalC", Payloads: marks(z)})
	b.receipt(ledger.PinReceipt{Tx: tx(1), Keeper: "HospitalC", Payloads: marks(y)})
	b.receipt(ledger.PinReceipt{Tx: tx(9), Keeper: "HospitalC", Payloads: marks(x)})
	b.end(ledger.End{CID: x, Home: "HospitalA"})
	b.end(ledger.End{CID: z, Home: "HospitalB"})
	b.next = 77
	for i := range 2 {
		got := map[string][2][]string{}
		for p := range b.each {
			got[p.id()] = [2][]string{b.homes(p), b.names(p.have)}
		}
		want := map[string][2][]string{x: {{"HospitalB"}, nil}, y: {{"HospitalA"}, {"HospitalC"}}}
		if fmt.Sprint(got) != fmt.Sprint(want) || b.find(x).registrations[0].size != 5 || b.find(z) != nil || b.next != 77 {
			t.Errorf("loaded %d times: %v at %d", i, got, b.next)
		}
		if err := b.store(m); err != nil {
			t.Fatal(err)
		}
		if b, err = loadBook(m); err != nil {
			t.Fatal(err)
		}
	}
	data, _ := m.Load(bookName)
	for _, bad := range [][]byte{{}, data[:5], data[:len(data)-1], append([]byte{9}, data[1:]...)} {
		m.Store(bookName, bad)
		if _, err := loadBook(m); err == nil {
			t.Errorf("a book of %d bytes is taken", len(bad))
		}
	}
}

// TestIdleKeeper: with 100 thousand payloads that rest, the looks of the default leeway
// take less than a twentieth of a processor, by far, and a bounded amount of memory.
func TestIdleKeeper(t *testing.T) {
	const payloads = 100_000
	c := newConsortium(t, ledger.DefaultCopyRules)
	n := &node{consortium: c, msp: "HospitalA", pinned: map[string]bool{}, memory: &memory{}, stop: func() {}}
	c.nodes["HospitalA"] = n
	for _, msp := range four {
		c.words[msp] = ledger.Keeper{MSP: msp, Node: msp, Time: ledger.FormatTime(time.Now())}
	}
	for range payloads / 100 {
		c.seal("HospitalA", 100)
	}
	r, err := New(Config{Feed: n.feed, Store: n, Memory: n.memory, Own: n.msp})
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBalancer(BalanceConfig{Own: n.msp, Replicator: r, Store: n, Memory: n.memory, Read: n.read, Keepers: n.keepers, Keep: n.keep, Ask: n.ask})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Look(t.Context()); err != nil { // reads the ledger, and gives the receipts
		t.Fatal(err)
	}
	if err := b.Look(t.Context()); err != nil { // reads the receipts
		t.Fatal(err)
	}
	const looks = 5
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := processorTime(t)
	for range looks {
		if err := b.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look := (processorTime(t) - began) / looks
	runtime.ReadMemStats(&after)
	share := float64(look) / float64(b.interval())
	t.Logf("%d payloads: a look takes %v of processor, every %v: %.4f %%; %d KiB allocated in a look", payloads, look, b.interval(), 100*share,
		(after.TotalAlloc-before.TotalAlloc)/looks>>10)
	if share > 0.05 {
		t.Errorf("the keeper takes %.1f %% of a processor", 100*share)
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	again, err := loadBook(n.memory)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("the book takes %d bytes of memory a payload", used/payloads)
	if used > 32<<20 || used < payloads*int64(pageSize) || len(again.pages) != payloads {
		t.Errorf("the book takes %d KiB and has %d pages", used>>10, len(again.pages))
	}
	runtime.KeepAlive(b)
	runtime.KeepAlive(again)
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
