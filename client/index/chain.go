package index

import (
	"fmt"
	"math"
	"slices"
)

// Reading a chain takes one or two rounds as a rule. For an unknown chain, the first
// round asks for a few counters from the start, and for some far ones. The far ones tell
// the length within a factor, so that the second round can ask for all the rest. If a
// hint tells the length, the first round asks for all counters up to it, and for
// lookahead more: most chains have not grown, and every label costs the peer. If the
// chain has grown, the next round gallops.
const (
	firstWindow = 6    // counters in a row beyond the known length
	lookahead   = 2    // counters past the end that must be absent too: one or two withheld entries do not pass for the end
	maxWindow   = 2048 // of one chain in one round
	fanout      = 12   // probes between minLength and maxLength
)

var farProbes = []uint64{31, 1023}

const (
	unknown = math.MaxUint64
	maxHint = 1 << 32 // a longer one is wrong, and would overflow
)

// A chainReader reads one chain of one term: its length, and its postings if read is set.
//
// It relies on chains without holes. A valid value at counter p proves that all counters
// before p exist. So a hole below the length is an entry that the peer withholds or has
// altered. Only values that authenticate count: a peer can make a chain look shorter, but
// not longer.
type chainReader struct {
	keys  *termKeys
	msp   string
	slot  int
	chain []byte

	read                 bool               // the postings too, not only the length
	postings             map[uint64]Posting // by counter
	missing              map[uint64]error   // counters without a valid value, and why; nil when there is no value
	next                 uint64             // all counters before it are in postings or missing
	minLength, maxLength uint64             // of the chain, as far as known
	asked                bool               // some counter was answered

	hint   uint64 // earlier length; 0 when not hinted
	hinted bool

	confirmed map[uint64]bool // counters that were asked for a second time
}

func newChainReader(keys *termKeys, msp string, slot int, read bool) *chainReader {
	return &chainReader{
		keys: keys, msp: msp, slot: slot, chain: chainName(msp, slot), read: read,
		postings: make(map[uint64]Posting), missing: make(map[uint64]error), maxLength: unknown,
	}
}

// nextCounters returns the counters to ask for in this round, at most budget. It returns
// none when the reader is done.
func (c *chainReader) nextCounters(budget int) []uint64 {
	var want []uint64
	ask := func(p uint64) {
		_, found := c.postings[p]
		_, missing := c.missing[p]
		if len(want) < budget && !found && !missing {
			want = append(want, p)
		}
	}
	askOnce := func(p uint64) {
		if !slices.Contains(want, p) {
			ask(p)
		}
	}
	askRange := func(from, to uint64) {
		for p := from; p < to && len(want) < budget; p++ {
			ask(p)
		}
	}

	if c.read {
		end := c.minLength
		if !c.asked {
			end = min(c.hint, maxWindow)
		}
		askRange(c.next, end)
	}
	switch {
	case !c.asked:
		if c.hint > 0 {
			askOnce(c.hint - 1)
		}
		if c.hinted || !c.read {
			askRange(c.hint, c.hint+1+c.beyond())
			break
		}
		for p := range uint64(firstWindow) {
			askOnce(c.hint + p)
		}
		for _, p := range farProbes {
			askOnce(c.hint + p)
		}
	case c.maxLength == unknown: // even the farthest probe exists
		askRange(c.minLength, c.minLength+firstWindow)
		for step := uint64(1); step <= 1<<24; step *= 2 {
			askOnce(c.minLength + step - 1)
		}
	case c.minLength < c.maxLength:
		gap := c.maxLength - c.minLength
		if gap <= 4*fanout || (c.read && gap <= 512) {
			askRange(c.minLength, c.maxLength)
			break
		}
		for p := range uint64(firstWindow) {
			askOnce(c.minLength + p)
		}
		for i := uint64(1); i < fanout; i++ {
			askOnce(c.minLength + gap*i/fanout)
		}
	}
	if c.asked && c.minLength == c.maxLength {
		askRange(c.maxLength, c.maxLength+1+c.beyond())
	}
	if len(want) == 0 {
		want = c.unconfirmed(budget)
	}
	return want
}

// beyond returns how many counters past the first absent one must be absent too. A writer
// needs none: if its peer hides the true end of the chain, the endorsers refuse the
// transaction. So a writer shows its peer fewer labels.
func (c *chainReader) beyond() uint64 {
	if c.read {
		return lookahead
	}
	return 0
}

// ended reports whether the end of the chain is known.
func (c *chainReader) ended() bool {
	if !c.asked || c.minLength != c.maxLength {
		return false
	}
	for p := c.maxLength; p <= c.maxLength+c.beyond(); p++ {
		if _, ok := c.missing[p]; !ok {
			return false
		}
	}
	return true
}

// unconfirmed returns the holes to ask for once more: a peer may just be catching up.
func (c *chainReader) unconfirmed(budget int) []uint64 {
	var want []uint64
	for p, err := range c.missing {
		if p < c.minLength && err == nil && !c.confirmed[p] && len(want) < budget {
			want = append(want, p)
		}
	}
	slices.Sort(want)
	return want
}

// answer takes the peer's answer for a counter.
func (c *chainReader) answer(p uint64, label Label, value []byte) {
	c.asked = true
	if _, again := c.missing[p]; again {
		if c.confirmed == nil {
			c.confirmed = make(map[uint64]bool)
		}
		c.confirmed[p] = true
		delete(c.missing, p)
	}
	if value == nil {
		c.missing[p] = nil
		return
	}
	posting, err := c.keys.open(label, value)
	if err != nil {
		c.missing[p] = err
		return
	}
	c.postings[p] = posting
	c.minLength = max(c.minLength, p+1)
}

// conclude updates maxLength and next at the end of a round.
func (c *chainReader) conclude() {
	c.maxLength = unknown
	for p := range c.missing {
		if p >= c.minLength {
			c.maxLength = min(c.maxLength, p)
		}
	}
	for c.next < c.minLength {
		if _, ok := c.postings[c.next]; !ok {
			if _, ok := c.missing[c.next]; !ok {
				break
			}
		}
		c.next++
	}
}

// done reports whether the length is known and, if read is set, all postings are here.
func (c *chainReader) done() bool {
	return c.ended() && (!c.read || c.next == c.minLength) && len(c.unconfirmed(1)) == 0
}

// problems returns a Problem for each counter that the answers prove wrong.
func (c *chainReader) problems() []error {
	var ps []uint64
	for p, err := range c.missing {
		if err != nil || p < c.minLength {
			ps = append(ps, p)
		}
	}
	slices.Sort(ps)
	var out []error
	for _, p := range ps {
		err := c.missing[p]
		if err == nil {
			err = fmt.Errorf("entry withheld: %w", ErrTampered)
		}
		out = append(out, &Problem{MSP: c.msp, Slot: c.slot, Counter: p, Err: err})
	}
	return out
}

// A Problem is an entry that cannot be read. Other entries are not affected. Err is:
//   - [ErrTampered] if the entry is withheld or does not authenticate.
//   - [ErrLayout] if a newer version wrote it.
//   - [ErrInvalid] if it is authentic and malformed.
type Problem struct {
	MSP     string // of the hospital that wrote it
	Slot    int
	Counter uint64
	Err     error
}

func (p *Problem) Error() string {
	return fmt.Sprintf("index of %s, slot %d, entry %d: %v", p.MSP, p.Slot, p.Counter, p.Err)
}

// Unwrap gives the reason.
func (p *Problem) Unwrap() error { return p.Err }
