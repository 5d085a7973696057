package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Balancer keeps each payload at the hospitals of its [Placement]. It looks 24 times in
// the leeway of the rules:
//
//   - It tells the ledger that the keeper is there, if its node works, and which pins are
//     new or gone. A pin of a damaged payload without a good copy counts as gone.
//   - It has pinned what should be and is not: because it fell to this hospital, or
//     because its node has lost it.
//   - It asks the other hospitals' nodes for blocks of payloads that they say to have.
//     One that lacks a block in three looks is not believed until it lacks none. Neither
//     is one that names no node, or that of another hospital. One that does not answer
//     for the leeway counts as away.
//   - It unpins what was not this hospital's to keep for the leeway, if as many other
//     hospitals as there are to be copies have given receipts and were heard of, and
//     their nodes give a block of it.
//
// On a ledger from before keepers it does nothing, and everything is kept. While nobody
// can tell whether the ledger was read up to its end, as a hospital is down, nothing is
// unpinned, and all the rest goes on.
type Balancer struct {
	c       BalanceConfig
	started time.Time
	book    *book
	rules   ledger.CopyRules
	older   bool // the ledger knows no keepers

	missing  []ledger.PayloadMark // to be queued
	suspects map[string]*suspect  // by MSP
	nodes    map[string]string    // peer IDs by MSP
	counted  time.Time            // when surplus was counted last

	mu    sync.Mutex
	fresh []ledger.Payload // pinned, and without a receipt
}

// A BalanceConfig configures a Balancer. All fields but Node, Log and Report are
// required.
type BalanceConfig struct {
	Own        string // MSP
	Node       string // peer ID of the own node, which others ask for blocks
	Replicator *Replicator
	Store      Unpinner
	Memory     Memory
	Log        *slog.Logger // nil means silence

	Read ReadLedger

	// Keepers returns the rules and keepers. It is ErrInvalid on a ledger that knows
	// none, and only there, as it has no arguments.
	Keepers func(ctx context.Context) (ledger.Consortium, error)

	// Keep says that the keeper is there, and adds payloads to its receipts and takes
	// some out.
	Keep func(ctx context.Context, node string, pinned, unpinned []ledger.Payload) error

	// Ask asks another hospital's node for a block of a payload. It is ErrNotFound if the
	// node does not have it.
	Ask func(ctx context.Context, node, cid string) error

	// Report gets the state after each look. It may be nil.
	Report func(Status)
}

const (
	looksPerLeeway = 24
	surplusLooks   = 12   // that have found surplus, before it is unpinned
	maxFresh       = 1e5  // pins without a receipt that are remembered; a look finds the others
	maxQueued      = 2000 // payloads that the Balancer lets wait in the queue
	maxReleased    = 1000 // payloads that are unpinned in a look
	defaultLook    = time.Hour
	firstRetry     = 2 * time.Second
	lastRetry      = time.Minute
)

// NewBalancer returns a Balancer.
//
// Errors:
//   - ErrInvalid if the saved book is damaged.
//   - Any error of the Memory.
func NewBalancer(c BalanceConfig) (*Balancer, error) {
	if c.Own == "" || c.Replicator == nil || c.Store == nil || c.Memory == nil || c.Read == nil || c.Keepers == nil || c.Keep == nil || c.Ask == nil {
		return nil, errors.New("new balancer: a field is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	book, err := loadBook(c.Memory)
	if err != nil {
		return nil, fmt.Errorf("new balancer: %w", err)
	}
	b := &Balancer{c: c, started: time.Now(), book: book, suspects: make(map[string]*suspect)}
	c.Replicator.c.Pinned = b.pinned
	c.Replicator.hold()
	return b, nil
}

// pinned notes new pins.
func (b *Balancer) pinned(payloads []ledger.Payload) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.fresh) < maxFresh {
		b.fresh = append(b.fresh, payloads...)
	}
}

// Run looks until ctx ends, and puts receipts for new pins on the ledger each second.
// Failures are logged, and tried again.
func (b *Balancer) Run(ctx context.Context) {
	for retry := firstRetry; ctx.Err() == nil; {
		pause := b.interval()
		if err := b.Look(ctx); err != nil && ctx.Err() == nil {
			b.c.Log.Warn("copies not compared, trying again", "error", err.Error())
			pause, retry = min(pause, retry), min(2*retry, lastRetry)
		} else {
			retry = firstRetry
			pause = b.interval() // the rules may be new
		}
		for next := time.Now().Add(pause); ctx.Err() == nil && time.Now().Before(next); {
			sleep(ctx, min(time.Second, pause))
			if b.older {
				continue
			}
			b.feed()
			if err := b.flush(ctx, false); err != nil && ctx.Err() == nil {
				b.c.Log.Warn("receipts not on the ledger yet, trying again", "error", err.Error())
				sleep(ctx, 10*time.Second)
			}
		}
	}
}

func (b *Balancer) interval() time.Duration {
	if b.rules.Max == 0 || b.older {
		return defaultLook
	}
	return max(b.rules.Absence()/looksPerLeeway, time.Second)
}

// flush puts receipts for new pins on the ledger. With always set it does so, too, if
// there are none, to say that the keeper is there.
func (b *Balancer) flush(ctx context.Context, always bool) error {
	b.mu.Lock()
	fresh := b.fresh
	b.fresh = nil
	b.mu.Unlock()
	if len(fresh) == 0 && !always {
		return nil
	}
	err := b.c.Keep(ctx, b.c.Node, fresh, nil)
	if err != nil {
		b.pinned(fresh)
	}
	return err
}

// feed queues some of what is missing, when there is room.
func (b *Balancer) feed() {
	q := b.c.Replicator.queue()
	room := maxQueued - q.queued - q.pinning
	if room <= 0 || len(b.missing) == 0 {
		return
	}
	next := b.missing[:min(room, len(b.missing))]
	b.missing = b.missing[len(next):]
	var payloads [][]ledger.Payload
	for _, m := range next {
		if i, known := b.book.index[m]; known {
			registered := b.book.payloads(&b.book.pages[i])
			isOwn := func(p ledger.Payload) bool { return p.Home == b.c.Own }
			if own := slices.IndexFunc(registered, isOwn); own > 0 { // which has no budget
				registered[0], registered[own] = registered[own], registered[0]
			}
			payloads = append(payloads, registered)
		}
	}
	b.c.Replicator.want(payloads)
}

// Look compares once what should be with what is, and begins to change what differs.
//
// Errors:
//   - Any error of the functions of the configuration, Store and Memory.
func (b *Balancer) Look(ctx context.Context) error {
	consortium, err := b.c.Keepers(ctx)
	if err := b.know(err); err != nil || b.older {
		return err
	}
	// The list comes first: a keeper whose node does not work is not there, and a receipt
	// for what is pinned meanwhile is found in the book.
	b.c.Replicator.beginCount()
	listed, silence := b.c.Store.Pinned(ctx)
	if silence == nil {
		silence = b.flush(ctx, true)
	}
	if silence == nil {
		if consortium, err = b.c.Keepers(ctx); err != nil { // with the own word
			return err
		}
	}
	b.rules = consortium.Rules
	if b.nodes, err = b.nodesOf(consortium); err != nil {
		return err
	}
	patient := time.Since(b.started) < Away(b.rules)
	placement := b.placement(consortium, patient)
	b.c.Replicator.keepOnly(func(p ledger.Payload) bool {
		holders, _ := placement.Holders(ledger.MarkOf(p.CID), p.Home, p.Size)
		return p.Home == "" || p.Home == b.c.Own || slices.Contains(holders, b.c.Own)
	})
	if silence != nil {
		return silence
	}
	whole, err := b.book.read(ctx, b.c.Read)
	if err != nil {
		return errors.Join(fmt.Errorf("read the ledger: %w", err), b.book.store(b.c.Memory))
	}
	count := whole && b.counts(patient)
	found := b.compare(placement, listed, b.damaged(), count)
	b.missing = found.missing
	b.c.Replicator.recount(found.bytes) // before the budgets are asked for room
	b.feed()
	b.check(ctx, placement, found.asked, count)
	if !whole {
		b.c.Log.Warn("nothing is unpinned, as a hospital's peer does not say whether there are more blocks")
	}
	if whole && !patient && len(found.surplus) > 0 {
		if err := b.release(ctx, placement, found.surplus); err != nil {
			b.c.Log.Warn("surplus is kept until the next look", "error", err.Error())
		}
	}
	if len(found.unreceipted)+len(found.gone) > 0 {
		err = errors.Join(err, b.c.Keep(ctx, b.c.Node, found.unreceipted, found.gone))
	}
	status := b.status(consortium, placement, found)
	if b.c.Report != nil {
		b.c.Report(status)
	}
	return errors.Join(err, b.book.store(b.c.Memory), storeItem(b.c.Memory, statusName, status), ctx.Err())
}

// know notes whether the ledger knows keepers. It returns other errors.
func (b *Balancer) know(err error) error {
	before := b.older
	if b.older = errors.Is(err, ledger.ErrInvalid); b.older && !before {
		b.c.Log.Warn("the chaincode is of a release before keepers: everything is kept, and no receipts are given", "error", err.Error())
	}
	if b.older {
		b.c.Replicator.keepOnly(nil)
		return nil
	}
	return err
}

// placement gives the present placement.
func (b *Balancer) placement(c ledger.Consortium, patient bool) Placement {
	var now time.Time
	for _, k := range c.Keepers {
		if k.MSP == b.c.Own {
			now, _ = ledger.ParseTime(k.Time)
		}
	}
	p := NewPlacement(c, now, b.believed, patient)
	for i := range p.keepers {
		if s := b.suspects[p.keepers[i].msp]; s != nil && s.silent >= looksPerLeeway {
			p.keepers[i].away = true
		}
	}
	return p
}

// counts tells whether a look counts for surplus: not one that tries again after a
// failure, nor the first, so that restarts do not add up.
func (b *Balancer) counts(patient bool) bool {
	now := time.Now()
	if patient || now.Sub(b.counted) < b.interval()/2 {
		return false
	}
	first := b.counted.IsZero()
	b.counted = now
	return !first
}

// damaged gives the payloads of which scrubbing has found no good copy.
func (b *Balancer) damaged() map[ledger.PayloadMark]bool {
	last, now, err := LoadScrub(b.c.Memory)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		b.c.Log.Warn("nobody can tell which payloads are damaged", "error", err.Error())
	}
	if last == nil {
		last = &Scrub{}
	}
	marks := make(map[ledger.PayloadMark]bool)
	for _, cid := range slices.Concat(last.Damaged, now.Damaged) {
		marks[ledger.MarkOf(cid)] = true
	}
	return marks
}

// A finding is what a comparison has found.
type finding struct {
	missing     []ledger.PayloadMark // should be pinned, and is not
	unreceipted []ledger.Payload     // is pinned, and the ledger does not say so
	gone        []ledger.Payload     // is not pinned, and the ledger says so
	surplus     []ledger.PayloadMark // is pinned, was not ours for the leeway, and others have it
	bytes       map[string]int64     // that are pinned, by home
	asked       map[string][]string  // payloads to ask other hospitals for

	copies   map[int]int // number of payloads by copies
	under    []string    // some of those with too few copies
	lacking  int         // all of them
	states   map[string]int
	receipts map[string]int // by hospital
}

// compare compares the book with what is pinned. With count set, the look counts for
// surplus.
func (b *Balancer) compare(placement Placement, listed []string, damaged map[ledger.PayloadMark]bool, count bool) finding {
	f := finding{bytes: map[string]int64{}, asked: map[string][]string{}, copies: map[int]int{}, states: map[string]int{}, receipts: map[string]int{}}
	pins := make(map[ledger.PayloadMark]bool, len(listed))
	for _, cid := range listed {
		pins[ledger.MarkOf(cid)] = true
	}
	b.mu.Lock()
	for _, p := range b.fresh { // pinned since the list, and their receipts are about to be given
		pins[ledger.MarkOf(p.CID)] = true
	}
	b.mu.Unlock()
	unknown := map[string]bool{} // homes of payloads of unknown size
	for _, h := range b.book.hospitals {
		f.bytes[h] = 0
	}
	sampler := newSampler()
	for p := range b.book.each {
		cid := p.id()
		mark := ledger.MarkOf(cid)
		homes, have := b.book.homes(p), b.book.names(p.have)
		holders, copies := placement.Holders(mark, homes[0], p.registrations[0].size)
		ours := slices.Contains(holders, b.c.Own) || slices.Contains(homes, b.c.Own)
		pinned, said := pins[mark], slices.Contains(have, b.c.Own)
		good := pinned && !damaged[mark]
		there, answering := 0, 0 // receipts of hospitals that are not lost, and of other holders that are not away
		for _, h := range have {
			f.receipts[h]++
			away, lost := placement.state(h)
			holds := slices.Contains(holders, h)
			if !lost && (holds || !slices.Contains(homes, h)) {
				there++
			}
			if !away && h != b.c.Own && holds {
				answering++
			}
			if h != b.c.Own {
				sampler.offer(f.asked, h, cid)
			}
		}
		if next := p.surplus.next(pinned && !ours, count); next != p.surplus {
			p.surplus, b.book.changed = next, true
		}
		switch {
		case pinned && !ours:
			f.states[Surplus]++
			if answering >= copies && p.surplus.due(placement.rules.Absence()) && len(f.surplus) < maxReleased {
				f.surplus = append(f.surplus, mark)
			}
		case pinned:
			f.states[Pinned]++
		case ours:
			f.missing = append(f.missing, mark)
			if said {
				f.states[Lost]++
			}
		default:
			f.states[Remote]++
		}
		switch {
		case good && !said:
			f.unreceipted = append(f.unreceipted, p.receipted())
		case !good && said:
			f.gone = append(f.gone, p.receipted())
		}
		if size := p.registrations[0].size; pinned {
			f.bytes[homes[0]] += size
			unknown[homes[0]] = unknown[homes[0]] || size == 0
		}
		f.copies[there]++
		if there < copies {
			if f.lacking++; len(f.under) < maxUnder {
				f.under = append(f.under, cid)
			}
		}
	}
	for h := range unknown {
		if unknown[h] {
			delete(f.bytes, h)
		}
	}
	return f
}

// next is after a look that finds that a payload is surplus, or is not. A clock that
// jumps ahead makes nothing due at once.
func (s surplus) next(is, count bool) surplus {
	now := uint32(time.Now().Unix())
	switch {
	case !is:
		return surplus{}
	case !count:
		return s
	case s.looks == 0 || s.since > now:
		return surplus{1, now}
	}
	return surplus{min(s.looks+1, surplusLooks), s.since}
}

func (s surplus) due(leeway time.Duration) bool {
	return s.looks >= surplusLooks && time.Since(time.Unix(int64(s.since), 0)) >= leeway
}
