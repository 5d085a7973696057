package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// release unpins payloads that other hospitals keep. First it asks their nodes for a
// block of each, and takes back the own receipts. It asks for no longer than half the
// time between two looks.
//
// Errors:
//   - Any error of Keep and Store. Blocks that nodes do not give are logged.
func (b *Balancer) release(ctx context.Context, placement Placement, surplus []ledger.PayloadMark) error {
	var cids []string
	var payloads []ledger.Payload
	failed := map[string]bool{} // hospitals whose nodes give nothing
	began := time.Now()
	for _, m := range surplus {
		if ctx.Err() != nil || time.Since(began) > b.interval()/2 {
			break
		}
		if p := &b.book.pages[b.book.index[m]]; b.isKept(ctx, placement, p, failed) {
			cids, payloads = append(cids, p.id()), append(payloads, p.receipted())
		}
	}
	if len(cids) == 0 {
		return ctx.Err()
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

// isKept asks the holders that have given receipts for a payload for a block of it. It
// tells whether each gives one.
func (b *Balancer) isKept(ctx context.Context, placement Placement, p *page, failed map[string]bool) bool {
	holders, _ := placement.Holders(p.mark(), b.book.homes(p)[0], p.registrations[0].size)
	for _, h := range holders {
		if away, _ := placement.state(h); away || !p.have.has(slices.Index(b.book.hospitals, h)) {
			continue // it does not count as a copy
		}
		if failed[h] {
			return false
		}
		err := b.c.Ask(ctx, b.nodes[h], p.id())
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			b.c.Log.Warn("surplus is kept, as a hospital's node does not give what it should", "hospital", h, "cid", p.id(), "error", err.Error())
		}
		if errors.Is(err, ledger.ErrNotFound) {
			b.suspect(h).cid = p.id() // the next look asks again
		} else {
			failed[h] = true
		}
		return false
	}
	return true
}

// nodesName is the name of the hospitals of nodes, by peer ID.
const nodesName = "replica/nodes"

// nodesOf gives the nodes of hospitals that name one of their own. A hospital that names
// another's would be asked for what that one keeps. A node belongs to the first hospital
// that named it, and to nobody if two did so before the first look.
func (b *Balancer) nodesOf(c ledger.Consortium) (map[string]string, error) {
	owners := make(map[string]string)
	if _, err := loadItem(b.c.Memory, nodesName, &owners); err != nil {
		return nil, err
	}
	known := len(owners)
	if b.c.Node != "" {
		owners[b.c.Node] = b.c.Own
	}
	named := make(map[string]int)
	for _, k := range c.Keepers {
		named[k.Node]++
	}
	nodes := make(map[string]string, len(c.Keepers))
	for _, k := range c.Keepers {
		if k.MSP == b.c.Own || k.Node == "" {
			continue
		}
		if owners[k.Node] == "" && named[k.Node] == 1 {
			owners[k.Node] = k.MSP
		}
		if owners[k.Node] == k.MSP {
			nodes[k.MSP] = k.Node
			continue
		}
		b.c.Log.Warn("receipts of a hospital are not believed: it names a node that another hospital names too", "hospital", k.MSP, "node", k.Node)
	}
	if len(owners) == known {
		return nodes, nil
	}
	return nodes, storeItem(b.c.Memory, nodesName, owners)
}

// A suspect is what is known of a hospital whose node was asked for blocks.
type suspect struct {
	asked, failed int    // blocks, since the keeper started
	cid           string // a payload that it lacks
	looks         int    // in a row in which it lacked one
	silent        int    // looks in a row in which it has not answered
}

// maxLooks is in how many looks in a row a node may lack a block, and is believed.
const maxLooks = 3

func (b *Balancer) suspect(msp string) *suspect {
	s := b.suspects[msp]
	if s == nil {
		s = &suspect{}
		b.suspects[msp] = s
	}
	return s
}

func (b *Balancer) believed(msp string) bool {
	if msp == b.c.Own {
		return true
	}
	s := b.suspects[msp]
	return b.nodes[msp] != "" && (s == nil || s.looks < maxLooks)
}

// check asks other hospitals' nodes for blocks, except those whose keepers were not heard
// of: each would take some seconds not to answer.
func (b *Balancer) check(ctx context.Context, placement Placement, asked map[string][]string, count bool) {
	for msp, s := range b.suspects {
		p := b.book.find(s.cid)
		if s.cid != "" && (p == nil || !p.have.has(slices.Index(b.book.hospitals, msp))) {
			s.cid = "" // it does not say so any more; that it lacked something still counts
		}
	}
	for msp, cids := range asked {
		if b.nodes[msp] == "" || placement.isAbsent(msp) || ctx.Err() != nil {
			continue
		}
		s := b.suspect(msp)
		if s.cid != "" {
			cids = append(cids, s.cid)
		}
		silent := s.silent
		b.askFor(ctx, msp, s, cids)
		if silent > 0 && !count {
			s.silent = min(s.silent, silent)
		}
	}
}

func (b *Balancer) askFor(ctx context.Context, msp string, s *suspect, cids []string) {
	lacks, answered := "", true
	for i := 0; i < len(cids) && answered; i++ { // the others would wait as long
		cid := cids[i]
		err := b.c.Ask(ctx, b.nodes[msp], cid)
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
			answered = false
			b.c.Log.Warn("a hospital's node gives no block", "hospital", msp, "cid", cid, "error", err.Error())
		}
	}
	if s.silent++; answered {
		s.silent = 0
	}
	if lacks == "" {
		if answered {
			s.cid, s.looks = "", 0
		}
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
