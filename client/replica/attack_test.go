package replica

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// attackerTx is a transaction of HospitalD.
var attackerTx = strings.Repeat("d", 64)

// honest gives the number of a home's payloads by the number of nodes that have them,
// except that of HospitalD.
func (c *consortium) honest(home string) map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[int]int{}
	for _, s := range c.said {
		for _, p := range s.payloads {
			if p.Home != home {
				continue
			}
			n := 0
			for h, other := range c.nodes {
				if h != "HospitalD" && other.pinned[p.CID] {
					n++
				}
			}
			counts[n]++
		}
	}
	return counts
}

// registered gives the payloads that a hospital has registered.
func (c *consortium) registered(home string) (all []ledger.Payload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.said {
		for _, p := range s.payloads {
			if p.Home == home {
				all = append(all, p)
			}
		}
	}
	return all
}

// registerAgain registers payloads of another hospital as HospitalD's, with a size.
func (c *consortium) registerAgain(payloads []ledger.Payload, size int64) {
	again := slices.Clone(payloads)
	for i := range again {
		again[i].Home, again[i].Tx, again[i].Size = "HospitalD", attackerTx, size
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, said{payloads: again})
}

// keeperOf gives what a hospital's status says of another's keeper.
func (c *consortium) keeperOf(hospital, other string) KeeperStatus {
	keepers := c.nodes[hospital].status().Keepers
	i := slices.IndexFunc(keepers, func(k KeeperStatus) bool { return k.MSP == other })
	if i < 0 {
		return KeeperStatus{}
	}
	return keepers[i]
}

// TestForeignHome: a hospital registers what another has sealed, says that it keeps it,
// and keeps nothing. No honest copy goes, whether it names its own node or the other's.
func TestForeignHome(t *testing.T) {
	for _, names := range []string{"HospitalD", "HospitalA", ""} {
		synctest.Test(t, func(t *testing.T) {
			c := newConsortium(t, anHour, four...)
			defer c.end()
			time.Sleep(10 * time.Minute)
			c.seal("HospitalA", 50)
			time.Sleep(3 * time.Hour)
			before := c.honest("HospitalA")
			d := c.nodes["HospitalD"]
			d.stop()
			d.destroy()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			payloads := c.registered("HospitalA")
			c.registerAgain(payloads, 1)
			d.keep(ctx, names, payloads, nil)
			go func() {
				for ; ctx.Err() == nil; sleep(ctx, time.Minute) {
					d.keep(ctx, names, nil, nil)
				}
			}()
			for range 36 {
				time.Sleep(5 * time.Minute)
				if now := c.honest("HospitalA"); now[0] > 0 || now[1] > before[1] {
					t.Fatalf("D names %q: honest copies %v, before %v", names, now, before)
				}
			}
			if now := c.honest("HospitalA"); now[1] > 0 {
				t.Errorf("D names %q and is not made up for: honest copies %v", names, now)
			}
			want := "no node"
			if names == "HospitalD" {
				want = "not believed"
			}
			if got := c.keeperOf("HospitalB", "HospitalD").State; got != want {
				t.Errorf("D names %q and is %q", names, got)
			}
			if got := c.keeperOf("HospitalB", "HospitalA").State; got != "here" {
				t.Errorf("D names %q, and A is %q", names, got)
			}
		})
	}
}

// TestForeignSize: a hospital registers what another has sealed with a size that is too
// large or too small. It is fetched again all the same.
func TestForeignSize(t *testing.T) {
	for _, size := range []int64{1 << 40, 1} {
		synctest.Test(t, func(t *testing.T) {
			rules := anHour
			rules.Max = 3
			rules.Sizes = []ledger.SizeRule{{Above: 1 << 30, Min: 1, Max: 1}}
			c := newConsortium(t, rules, four...)
			c.size = 2
			defer c.end()
			time.Sleep(10 * time.Minute)
			c.seal("HospitalA", 50)
			time.Sleep(10 * time.Minute)
			c.registerAgain(c.registered("HospitalA"), size)
			time.Sleep(10 * time.Minute)
			b := c.nodes["HospitalB"]
			had := b.size()
			b.destroy()
			time.Sleep(5 * time.Hour)
			if b.size() != had || had == 0 {
				t.Errorf("size %d: B had %d payloads, and has %d after it lost its store: %v", size, had, b.size(), b.status().States)
			}
			if few := c.honest("HospitalA"); few[0]+few[1] > 0 {
				t.Errorf("size %d: honest copies %v", size, few)
			}
		})
	}
}

// TestEndedHome: when the first home ends its version, another one becomes the home. What
// is surplus then is kept for the leeway, however long nothing else has changed.
func TestEndedHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 20)
		payloads := c.registered("HospitalA")
		time.Sleep(10 * time.Minute)
		c.registerAgain(payloads, 1)
		time.Sleep(10 * time.Hour)
		if n := c.nodes["HospitalD"].size(); n != 20 {
			t.Errorf("D has %d of the payloads that it has registered", n)
		}
		var ends []ledger.End
		for _, p := range payloads {
			ends = append(ends, ledger.End{CID: p.CID, Home: "HospitalA"})
		}
		c.mu.Lock()
		c.said = append(c.said, said{ends: ends})
		c.mu.Unlock()
		time.Sleep(50 * time.Minute)
		if n := c.nodes["HospitalA"].size(); n != 20 {
			t.Errorf("before the leeway has passed, A has released %d payloads", 20-n)
		}
		time.Sleep(2 * time.Hour)
		if n := c.nodes["HospitalA"].size(); n == 20 || n == 0 {
			t.Errorf("after the leeway, A has %d payloads of 20", n)
		}
		for _, p := range payloads {
			c.mu.Lock()
			copies := 0
			for _, n := range c.nodes {
				if n.pinned[p.CID] {
					copies++
				}
			}
			if copies != 2 || !c.nodes["HospitalD"].pinned[p.CID] {
				t.Errorf("%s has %d copies", p.CID, copies)
			}
			c.mu.Unlock()
		}
	})
}

// TestEvade: a node that keeps nothing takes back the receipts about which it was just
// asked. It is not believed all the same.
func TestEvade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 100)
		time.Sleep(5 * time.Minute)
		d := c.nodes["HospitalD"]
		d.stop()
		d.destroy()
		all := c.registered("HospitalA")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		d.keep(ctx, "HospitalD", all, nil)
		go func() {
			for ; ctx.Err() == nil; sleep(ctx, 20*time.Second) {
				asked := map[string]bool{} // its node sees what it is asked for
				for _, h := range four[:3] {
					asked[c.keeperOf(h, "HospitalD").Lacks] = true
				}
				there := slices.DeleteFunc(slices.Clone(all), func(p ledger.Payload) bool { return asked[p.CID] })
				d.keep(ctx, "HospitalD", nil, all)
				d.keep(ctx, "HospitalD", there, nil)
			}
		}()
		time.Sleep(time.Hour)
		if few := c.honest("HospitalA"); few[0]+few[1] > 0 {
			t.Errorf("honest copies %v; A says of D %+v", few, c.keeperOf("HospitalA", "HospitalD"))
		}
	})
}

// TestSilentNode: a node that answers nobody, whose keeper says that it is there, counts
// as away after the leeway, so that there are as many others as the fewest.
func TestSilentNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := anHour
		rules.Min = 2
		c := newConsortium(t, rules, four...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 50)
		time.Sleep(10 * time.Minute)
		d := c.nodes["HospitalD"]
		d.stop()
		d.set(true)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ; ctx.Err() == nil; sleep(ctx, time.Minute) {
				d.keep(ctx, "HospitalD", nil, nil)
			}
		}()
		time.Sleep(50 * time.Minute)
		if c.honest("HospitalA")[1] == 0 {
			t.Error("somebody has stepped in before the leeway has passed, or D keeps nothing")
		}
		time.Sleep(20 * time.Minute)
		if few := c.honest("HospitalA"); few[0]+few[1] > 0 || !c.keeperOf("HospitalA", "HospitalD").Silent {
			t.Errorf("honest copies %v; A says of D %+v", few, c.keeperOf("HospitalA", "HospitalD"))
		}
	})
}

// A deadStore is that of a hospital whose node does not answer.
type deadStore struct {
	*node
	dead *atomic.Bool
}

func (s deadStore) Pinned(ctx context.Context) ([]string, error) {
	if s.dead.Load() {
		return nil, ledger.ErrUnavailable
	}
	return s.node.Pinned(ctx)
}

// A lateStore takes some time to list its pins.
type lateStore struct{ *node }

func (s lateStore) Pinned(ctx context.Context) ([]string, error) {
	all, err := s.node.Pinned(ctx)
	sleep(ctx, 3*time.Second)
	return all, err
}

// joinWith starts a hospital's keeper on a store, with what change makes of its
// configuration. The store of the node itself is n.
func (c *consortium) joinWith(msp string, store func(n *node) Unpinner, change func(*Config, *BalanceConfig)) (*node, *Replicator) {
	n := &node{consortium: c, msp: msp, pinned: map[string]bool{}, memory: &memory{}}
	c.mu.Lock()
	c.nodes[msp] = n
	c.mu.Unlock()
	config := Config{Feed: n.feed, Store: n, Memory: n.memory, Own: msp}
	balance := BalanceConfig{Own: msp, Node: msp, Store: store(n), Memory: n.memory, Read: n.read, Keepers: n.keepers, Keep: n.keep, Ask: n.ask,
		Report: func(s Status) { n.mu.Lock(); defer n.mu.Unlock(); n.last = s }}
	if change != nil {
		change(&config, &balance)
	}
	r, err := New(config)
	if err != nil {
		c.t.Fatal(err)
	}
	balance.Replicator = r
	b, err := NewBalancer(balance)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	var group sync.WaitGroup
	group.Go(func() { r.Run(ctx) })
	group.Go(func() { b.Run(ctx) })
	n.stop = func() { cancel(); group.Wait() }
	return n, r
}

// TestDeadNode: a keeper whose node is dead is not there: others make up for it.
func TestDeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four[:3]...)
		defer c.end()
		var dead atomic.Bool
		d, _ := c.joinWith("HospitalD", func(n *node) Unpinner { return deadStore{n, &dead} }, nil)
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 60)
		time.Sleep(10 * time.Minute)
		if d.size() == 0 {
			t.Fatal("D keeps nothing")
		}
		d.destroy()
		d.set(true)
		dead.Store(true)
		time.Sleep(2 * time.Hour)
		if few := c.honest("HospitalA"); few[0]+few[1] > 0 || c.keeperOf("HospitalA", "HospitalD").State != "lost" {
			t.Errorf("copies %v; A says of D %+v", few, c.keeperOf("HospitalA", "HospitalD"))
		}
	})
}

// TestBusyBudget: a store that was destroyed is filled again although other hospitals
// seal all the time, and although the home itself does.
func TestBusyBudget(t *testing.T) {
	for _, busy := range []string{"", "HospitalC", "HospitalA"} {
		synctest.Test(t, func(t *testing.T) {
			rules := anHour
			rules.Max = 3
			c := newConsortium(t, rules, "HospitalA", "HospitalC")
			defer c.end()
			b, r := c.joinWith("HospitalB", func(n *node) Unpinner { return lateStore{n} }, func(c *Config, _ *BalanceConfig) {
				c.Budget, c.Budgets = 100, map[string]int64{"HospitalC": 1 << 40}
				if busy == "HospitalA" {
					c.Budget = 4000
				}
			})
			time.Sleep(10 * time.Minute)
			c.seal("HospitalA", 80)
			payloads := c.registered("HospitalA")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if busy != "" {
				go func() {
					for ; ctx.Err() == nil; sleep(ctx, 3*time.Second) {
						c.seal(busy, 1)
					}
				}()
			}
			time.Sleep(10 * time.Minute)
			b.destroy()
			time.Sleep(2 * time.Hour)
			has := 0
			c.mu.Lock()
			for _, p := range payloads {
				if b.pinned[p.CID] {
					has++
				}
			}
			c.mu.Unlock()
			r.mu.Lock()
			defer r.mu.Unlock()
			if has != 80 {
				t.Errorf("%q is busy: B has %d of A's 80 payloads; the account is %+v", busy, has, r.member("HospitalA"))
			}
		})
	}
}

// TestReleaseFails: surplus that cannot be released makes nobody look more often.
func TestReleaseFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, ledger.CopyRules{Min: 1, Max: 4, Leeway: "24h"}, four...)
		defer c.end()
		time.Sleep(4 * time.Hour)
		c.seal("HospitalA", 20)
		time.Sleep(2 * time.Hour)
		c.mu.Lock()
		c.rules.Max = 2
		c.mu.Unlock()
		for _, h := range four[1:] {
			c.nodes[h].set(true)
		}
		time.Sleep(30 * time.Hour)
		c.mu.Lock()
		before := len(c.said)
		c.mu.Unlock()
		time.Sleep(10 * time.Hour)
		c.mu.Lock()
		defer c.mu.Unlock()
		if n := len(c.said) - before; n > 45 {
			t.Errorf("%d transactions of 4 keepers in 10 hours, and not about 40", n)
		}
	})
}

// TestReleaseAsksForEach: of much surplus, the one payload that a holder lacks stays.
func TestReleaseAsksForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := anHour
		rules.Max = 4
		c := newConsortium(t, rules, four...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 200)
		time.Sleep(5 * time.Minute)
		d := c.nodes["HospitalD"]
		d.stop()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ; ctx.Err() == nil; sleep(ctx, time.Minute) {
				d.keep(ctx, "HospitalD", nil, nil)
			}
		}()
		placement := NewPlacement(ledger.Consortium{Rules: anHour, Keepers: hospitalsNamed(four...)}, began, nil, false)
		lacks := ""
		for _, p := range c.registered("HospitalA") {
			if holders, _ := placement.Holders(ledger.MarkOf(p.CID), "HospitalA", 1); slices.Contains(holders, "HospitalD") {
				lacks = p.CID
			}
		}
		c.mu.Lock()
		delete(d.pinned, lacks)
		c.rules.Max = 2
		c.mu.Unlock()
		for range 180 {
			time.Sleep(time.Minute)
			c.mu.Lock()
			kept := c.nodes["HospitalB"].pinned[lacks] || c.nodes["HospitalC"].pinned[lacks]
			c.mu.Unlock()
			if !kept {
				t.Fatal("the payload that D lacks was released")
			}
		}
		if n := c.nodes["HospitalB"].size(); n == 200 {
			t.Error("B has released nothing")
		}
	})
}

func hospitalsNamed(names ...string) (all []ledger.Keeper) {
	for _, name := range names {
		all = append(all, ledger.Keeper{MSP: name, Time: ledger.FormatTime(began)})
	}
	return all
}

// TestDamagedReceipt: what scrubbing has found damaged, without a good copy, has no
// receipt.
func TestDamagedReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four[:2]...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 10)
		time.Sleep(10 * time.Minute)
		b := c.nodes["HospitalB"]
		bad := c.registered("HospitalA")[3].CID
		said := func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return slices.Contains(c.pins[[2]string{c.registeredTx(bad), "HospitalB"}], ledger.MarkOf(bad))
		}
		if !said() {
			t.Fatal("B has given no receipt")
		}
		if err := storeItem(b.memory, scrubName, scrubState{Now: Scrub{Damaged: []string{bad}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if s := c.nodes["HospitalA"].status(); said() || s.Under != 1 || b.size() != 10 {
			t.Errorf("the receipt is there: %v; A says that %d have too few copies; B has %d pins", said(), s.Under, b.size())
		}
		if err := storeItem(b.memory, scrubName, scrubState{Last: &Scrub{Ended: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if s := c.nodes["HospitalA"].status(); !said() || s.Under != 0 {
			t.Errorf("it is good again: the receipt is there: %v; %d have too few copies", said(), s.Under)
		}
	})
}

// registeredTx gives the transaction that registered a payload first. The caller holds
// mu.
func (c *consortium) registeredTx(cid string) string {
	for _, s := range c.said {
		for _, p := range s.payloads {
			if p.CID == cid {
				return p.Tx
			}
		}
	}
	return ""
}

// TestKeepRefused: a ledger that refuses the keeper's word is not one from before
// keepers: nothing more is kept than before.
func TestKeepRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := anHour
		rules.Max = 1
		c := newConsortium(t, rules, four[:1]...)
		defer c.end()
		b, _ := c.joinWith("HospitalB", func(n *node) Unpinner { return n }, func(_ *Config, c *BalanceConfig) {
			c.Keep = func(context.Context, string, []ledger.Payload, []ledger.Payload) error {
				return ledger.Errorf(ledger.ErrInvalid, "%q is no peer ID of a node", "a b")
			}
		})
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 10)
		time.Sleep(10 * time.Minute)
		if b.size() != 0 {
			t.Errorf("B keeps %d payloads of A, which it should not", b.size())
		}
	})
}

// TestClockAhead: a keeper whose words are ahead makes nobody look absent, not even with
// a leeway that is shorter than that.
func TestClockAhead(t *testing.T) {
	c := hospitals(5)
	c.Rules.Leeway = "10m"
	c.Keepers[4].Time = ledger.FormatTime(began.Add(ledger.MaxClockSkew))
	p := NewPlacement(c, began, nil, false)
	for _, k := range c.Keepers {
		if away, lost := p.state(k.MSP); away || lost {
			t.Errorf("%s is away: %v, lost: %v", k.MSP, away, lost)
		}
	}
}

// TestOldBook: the book of the version before is read again from the ledger.
func TestOldBook(t *testing.T) {
	m := &memory{}
	m.Store(bookName, []byte{1, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0})
	b, err := loadBook(m)
	if err != nil || b.next != 0 {
		t.Errorf("at block %d: %v", b.next, err)
	}
	m.Store(bookName, []byte{4, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0})
	if _, err := loadBook(m); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a later book: %v", err)
	}
}

// TestLostNodeIsNotAsked: a hospital that is lost, with its node, holds up no look.
func TestLostNodeIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four[1:]...)
		defer c.end()
		var asked atomic.Int64
		c.joinWith("HospitalA", func(n *node) Unpinner { return n }, func(_ *Config, b *BalanceConfig) {
			ask := b.Ask
			b.Ask = func(ctx context.Context, node, cid string) error {
				if node == "HospitalD" {
					asked.Add(1)
				}
				return ask(ctx, node, cid)
			}
		})
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 50)
		time.Sleep(time.Hour)
		if asked.Load() == 0 {
			t.Error("D is not asked")
		}
		d := c.nodes["HospitalD"]
		d.stop()
		d.set(true)
		time.Sleep(15 * time.Minute)
		asked.Store(0)
		time.Sleep(10 * time.Hour)
		if n := asked.Load(); n > 0 {
			t.Errorf("D is lost, and was asked %d times", n)
		}
	})
}

// TestWitnessDown: a hospital is lost with its peer, which is a witness of the ledger. It
// is made up for all the same, and nothing is unpinned until it is back.
func TestWitnessDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t, anHour, four...)
		defer c.end()
		time.Sleep(10 * time.Minute)
		c.seal("HospitalA", 50)
		time.Sleep(10 * time.Minute)
		before := c.honest("HospitalA")
		d := c.nodes["HospitalD"]
		d.stop()
		d.set(true)
		c.mu.Lock()
		c.down, c.rules.Max = true, 3
		c.mu.Unlock()
		time.Sleep(2 * time.Hour)
		if now := c.honest("HospitalA"); before[1] == 0 || now[3] != 50 {
			t.Errorf("honest copies %v, before %v", now, before)
		}
		c.mu.Lock()
		c.rules.Max = 2
		c.mu.Unlock()
		time.Sleep(10 * time.Hour)
		if now := c.honest("HospitalA"); now[3] != 50 {
			t.Errorf("something was unpinned: honest copies %v", now)
		}
		c.mu.Lock()
		c.down = false
		c.mu.Unlock()
		time.Sleep(2 * time.Hour)
		if now := c.honest("HospitalA"); now[2] != 50 {
			t.Errorf("nothing was unpinned: honest copies %v", now)
		}
	})
}
