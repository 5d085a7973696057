package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A calm says since when the placement is as it is.
type calm struct {
	Placement string    `json:"placement"`
	Since     time.Time `json:"since"`
	Looks     int       `json:"looks"` // that found it so
}

const calmName = "replica/calm"

// stable tells whether nothing has changed for the leeway: neither the rules nor which
// hospitals have keepers, nor which of them are away. A clock that jumps ahead makes
// nothing stable at once.
func (b *Balancer) stable(placement Placement) (bool, error) {
	var c calm
	if _, err := loadItem(b.c.Memory, calmName, &c); err != nil {
		return false, err
	}
	now := time.Now()
	is := fmt.Sprint(placement.rules, placement.keepers)
	if c.Placement != is || c.Since.After(now) {
		c = calm{Placement: is, Since: now}
	}
	c.Looks++
	return c.Looks > stableLooks && now.Sub(c.Since) >= placement.rules.Absence(), storeItem(b.c.Memory, calmName, c)
}

// releaseAsks is how many payloads each holder is asked for before some are unpinned.
const releaseAsks = 8

// release unpins payloads that other hospitals keep. First it asks their nodes for some
// of them, and takes back the own receipts.
func (b *Balancer) release(ctx context.Context, c ledger.Consortium, placement Placement, surplus []ledger.PayloadMark) error {
	nodes := nodesOf(c)
	by := map[string][]string{} // payloads that each hospital should have
	var cids []string
	var payloads []ledger.Payload
	for _, m := range surplus {
		p := &b.book.pages[b.book.index[m]]
		holders, _ := placement.Holders(m, b.book.names(p.homes), p.size)
		for _, h := range holders {
			by[h] = append(by[h], p.id())
		}
		cids, payloads = append(cids, p.id()), append(payloads, p.payload(""))
	}
	for h, there := range by {
		if away, _ := placement.state(h); away {
			continue // it does not count as a copy
		}
		if nodes[h] == "" {
			return fmt.Errorf("%d payloads are kept for other hospitals, as the keeper of %s does not say what its node is", len(cids), h)
		}
		rand.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
		for _, cid := range there[:min(len(there), releaseAsks)] {
			if err := b.c.Ask(ctx, nodes[h], cid); err != nil {
				return fmt.Errorf("%d payloads are kept for other hospitals, as %s should have %s: %w", len(cids), h, cid, err)
			}
		}
	}
	if err := b.c.Keep(ctx, b.c.Node, nil, payloads); err != nil {
		return err
	}
	unpinned, err := unpinAll(ctx, b.c.Store, cids)
	if len(unpinned) > 0 {
		b.c.Log.Info("unpinned what other hospitals keep", "payloads", len(unpinned), "first", unpinned[0])
	}
	return err
}

func nodesOf(c ledger.Consortium) map[string]string {
	nodes := make(map[string]string, len(c.Keepers))
	for _, k := range c.Keepers {
		nodes[k.MSP] = k.Node
	}
	return nodes
}

// A suspect is what is known of a hospital whose node was asked for blocks.
type suspect struct {
	asked, failed int    // blocks, since the keeper started
	cid           string // a payload that it lacks
	looks         int    // in a row in which it lacked one
	silent        bool   // it has not answered in the last look
}

// maxLooks is in how many looks in a row a node may lack a block, and is believed.
const maxLooks = 3

func (b *Balancer) believed(msp string) bool {
	s := b.suspects[msp]
	return s == nil || s.looks < maxLooks
}

// check asks other hospitals' nodes for blocks.
func (b *Balancer) check(ctx context.Context, c ledger.Consortium, asked map[string][]string) {
	nodes := nodesOf(c)
	for msp, s := range b.suspects {
		p := b.book.find(s.cid)
		if s.cid != "" && (p == nil || !p.have.has(slices.Index(b.book.hospitals, msp))) {
			s.cid, s.looks = "", 0 // it does not say so any more
		}
	}
	for msp, cids := range asked {
		if nodes[msp] == "" || ctx.Err() != nil {
			continue
		}
		s := b.suspects[msp]
		if s == nil {
			s = &suspect{}
			b.suspects[msp] = s
		}
		if s.cid != "" {
			cids = append(cids, s.cid)
		}
		b.askFor(ctx, msp, nodes[msp], s, cids)
	}
}

func (b *Balancer) askFor(ctx context.Context, msp, node string, s *suspect, cids []string) {
	lacks := ""
	s.silent = false
	for _, cid := range cids {
		err := b.c.Ask(ctx, node, cid)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			s.asked++
		case errors.Is(err, ledger.ErrNotFound):
			s.asked++
			s.failed++
			lacks = cid
			b.c.Log.Warn("a hospital's node lacks a payload for which it has given a receipt", "hospital", msp, "cid", cid, "error", err.Error())
		default:
			s.silent = true
			b.c.Log.Warn("a hospital's node gives no block", "hospital", msp, "cid", cid, "error", err.Error())
		}
		if s.silent {
			return // the others would wait as long
		}
	}
	if lacks == "" {
		s.cid, s.looks = "", 0
		return
	}
	if s.cid, s.looks = lacks, s.looks+1; s.looks == maxLooks {
		b.c.Log.Error("receipts of a hospital are not believed any more: others make up for it", "hospital", msp, "cid", lacks)
	}
}

// asksPerLook is for how many payloads a hospital's node is asked in a look.
const asksPerLook = 4

// A sampler chooses payloads of each hospital at random, each as likely as any other.
type sampler struct{ seen map[string]int }

func newSampler() sampler { return sampler{map[string]int{}} }

func (s sampler) offer(chosen map[string][]string, msp, cid string) {
	s.seen[msp]++
	if len(chosen[msp]) < asksPerLook {
		chosen[msp] = append(chosen[msp], cid)
	} else if i := rand.IntN(s.seen[msp]); i < asksPerLook {
		chosen[msp][i] = cid
	}
}
