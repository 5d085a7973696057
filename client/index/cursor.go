package index

import (
	"fmt"
	"math"
	"slices"
)

// The first round asks a chain of which nothing is known for a short run from its start,
// and for a few counters far beyond it. The far ones tell its length within a factor, so
// that the next round can ask for all the rest, without a guess. Where a hint says how
// long the chain was, the first round asks for all of that and only lookahead beyond:
// most chains have not grown, and every label costs the peer. One that has grown is
// galloped along in the next round.
const (
	firstWindow = 6    // counters asked for in order, beyond what is known
	lookahead   = 2    // counters past the end that must be absent too, so that one or two withheld entries do not pass for the end
	maxWindow   = 2048 // of one chain in one round
	fanout      = 12   // probes into a gap between the longest known and the shortest possible length
)

var farProbes = []uint64{31, 1023}

const (
	unknown = math.MaxUint64
	maxHint = 1 << 32 // a longer one is nonsense, and would overflow
)

// A cursor follows one chain of one term. It finds the chain's length, and reads its
// postings if asked to.
//
// What it relies on: counters of a chain have no holes. So a valid value at p says that
// all before p exist, and a hole below the length is an entry that the peer withholds or
// has altered. Only values that authenticate count: a peer can make a chain look short,
// but not long.
type cursor struct {
	keys  *termKeys
	msp   string
	slot  int
	chain []byte

	read  bool               // the postings are wanted, not only the length
	got   map[uint64]Posting // valid values
	bad   map[uint64]error   // counters without one: nil error when absent
	next  uint64             // all counters before it are in got or bad
	lo    uint64             // the chain is at least so long
	hi    uint64             // and at most so long, or unknown
	asked bool

	hint   uint64
	hinted bool // somebody has seen the chain's end before; without it, hint is 0

	confirmed map[uint64]bool // holes that were asked for a second time
}

func newCursor(keys *termKeys, msp string, slot int, read bool) *cursor {
	return &cursor{
		keys: keys, msp: msp, slot: slot, chain: chainName(msp, slot), read: read,
		got: make(map[uint64]Posting), bad: make(map[uint64]error), hi: unknown,
	}
}

// wanted returns the counters to ask for in this round, at most budget, none when the
// cursor is done.
func (c *cursor) wanted(budget int) []uint64 {
	var want []uint64
	add := func(p uint64) {
		if len(want) >= budget || slices.Contains(want, p) {
			return
		}
		if _, ok := c.got[p]; ok {
			return
		}
		if _, ok := c.bad[p]; ok {
			return
		}
		want = append(want, p)
	}
	run := func(from, to uint64) {
		for p := from; p < to && len(want) < budget; p++ {
			if _, ok := c.got[p]; !ok {
				if _, ok := c.bad[p]; !ok {
					want = append(want, p)
				}
			}
		}
	}

	if c.read {
		end := c.lo
		if !c.asked {
			end = min(c.hint, maxWindow)
		}
		run(c.next, end)
	}
	switch {
	case !c.asked:
		if c.hint > 0 {
			add(c.hint - 1)
		}
		if c.hinted || !c.read {
			run(c.hint, c.hint+1+c.beyond())
			break
		}
		for p := range uint64(firstWindow) {
			add(c.hint + p)
		}
		for _, p := range farProbes {
			add(c.hint + p)
		}
	case c.hi == unknown: // even the farthest probe exists
		run(c.lo, c.lo+firstWindow)
		for step := uint64(1); step <= 1<<24; step *= 2 {
			add(c.lo + step - 1)
		}
	case c.lo < c.hi:
		gap := c.hi - c.lo
		if gap <= 4*fanout || (c.read && gap <= 512) {
			run(c.lo, c.hi)
			break
		}
		for p := range uint64(firstWindow) {
			add(c.lo + p)
		}
		for i := uint64(1); i < fanout; i++ {
			add(c.lo + gap*i/fanout)
		}
	}
	if c.asked && c.lo == c.hi {
		run(c.hi, c.hi+1+c.beyond())
	}
	if len(want) == 0 {
		want = c.unconfirmed(budget)
	}
	return want
}

// beyond is how many counters past the first absent one must be absent too. A writer
// needs none: it puts its entries at the end that it was shown, and if its peer has
// hidden what is there, the endorsers refuse. So it asks, and shows its peer, less.
func (c *cursor) beyond() uint64 {
	if c.read {
		return lookahead
	}
	return 0
}

// ended reports that the end of the chain is known.
func (c *cursor) ended() bool {
	if !c.asked || c.lo != c.hi {
		return false
	}
	for p := c.hi; p <= c.hi+c.beyond(); p++ {
		if _, ok := c.bad[p]; !ok {
			return false
		}
	}
	return true
}

// unconfirmed returns the holes to ask for once more: a peer that is just catching up is
// not a liar.
func (c *cursor) unconfirmed(budget int) []uint64 {
	var want []uint64
	for p, err := range c.bad {
		if p < c.lo && err == nil && !c.confirmed[p] && len(want) < budget {
			want = append(want, p)
		}
	}
	slices.Sort(want)
	return want
}

// take records the answer for a counter that was wanted.
func (c *cursor) take(p uint64, label Label, value []byte) {
	c.asked = true
	if _, again := c.bad[p]; again {
		if c.confirmed == nil {
			c.confirmed = make(map[uint64]bool)
		}
		c.confirmed[p] = true
		delete(c.bad, p)
	}
	if value == nil {
		c.bad[p] = nil
		return
	}
	posting, err := c.keys.open(label, value)
	if err != nil {
		c.bad[p] = err
		return
	}
	c.got[p] = posting
	c.lo = max(c.lo, p+1)
}

// settle draws conclusions at the end of a round.
func (c *cursor) settle() {
	c.hi = unknown
	for p := range c.bad {
		if p >= c.lo {
			c.hi = min(c.hi, p)
		}
	}
	for c.next < c.lo {
		if _, ok := c.got[c.next]; !ok {
			if _, ok := c.bad[c.next]; !ok {
				break
			}
		}
		c.next++
	}
}

// done reports that the length is known and, for a reading cursor, all postings are here.
func (c *cursor) done() bool {
	return c.ended() && (!c.read || c.next == c.lo) && len(c.unconfirmed(1)) == 0
}

// problems reports what the peer's answers prove to be wrong.
func (c *cursor) problems() []error {
	var ps []uint64
	for p, err := range c.bad {
		if err != nil || p < c.lo {
			ps = append(ps, p)
		}
	}
	slices.Sort(ps)
	var out []error
	for _, p := range ps {
		err := c.bad[p]
		if err == nil {
			err = fmt.Errorf("entry withheld: %w", ErrTampered)
		}
		out = append(out, &Problem{MSP: c.msp, Slot: c.slot, Counter: p, Err: err})
	}
	return out
}

// A Problem is an entry that should be there and is not, or does not authenticate:
// [ErrTampered]; or one that a newer version wrote: [ErrLayout]. The other entries are
// not affected.
type Problem struct {
	MSP     string // whose entry
	Slot    int
	Counter uint64
	Err     error
}

func (p *Problem) Error() string {
	return fmt.Sprintf("index of %s, slot %d, entry %d: %v", p.MSP, p.Slot, p.Counter, p.Err)
}

// Unwrap gives the reason.
func (p *Problem) Unwrap() error { return p.Err }
