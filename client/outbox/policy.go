package outbox

import (
	"math"
	"time"

	"github.com/chartseal/chartseal/client/index"
)

// The defaults of a [Policy].
const (
	DefaultRecords = 8
	DefaultAge     = 15 * time.Minute
	DefaultSize    = 256
	DefaultPace    = 5 * time.Second
)

// A Policy decides which entries have waited long enough. The zero value is ready.
//
// Only whole records are written, so that no record is found by some of its terms and not
// by others. When enough records wait, the entries of the oldest are shuffled together
// and written in transactions of a few fixed sizes. Dummies fill the last one. The number
// of records is chosen for the lowest cost per entry, with few dummies and few
// transactions.
type Policy struct {
	Records int           // records whose entries hide each other; zero means DefaultRecords
	Age     time.Duration // longest wait of the oldest record; zero means DefaultAge
	Size    int           // entries of a transaction; zero means DefaultSize, or twice or four times that if it needs no more dummies
	Pace    time.Duration // longest wait for a full transaction while more entries are coming; zero means DefaultPace
}

func (p Policy) withDefaults() Policy {
	if p.Records <= 0 {
		p.Records = DefaultRecords
	}
	if p.Age <= 0 {
		p.Age = DefaultAge
	}
	if p.Pace <= 0 {
		p.Pace = DefaultPace
	}
	return p
}

// size returns the size of the next transaction when n entries are left. Entries cost the
// peers less in a larger one. The total size of all transactions tells as little about
// the number of real entries as if each had DefaultSize.
func (p Policy) size(n int) int {
	size := p.full()
	for p.Size <= 0 && size > DefaultSize && n <= size-DefaultSize {
		size /= 2
	}
	return size
}

// full returns the size of the largest transactions.
func (p Policy) full() int {
	if p.Size > 0 {
		return min(p.Size, index.MaxBatch)
	}
	return index.MaxBatch
}

// cost returns the cost of writing n entries, in units of one entry or dummy.
func (p Policy) cost(n int) float64 {
	const transaction = 64 // signatures, a proposal to several peers, consensus
	total := 0
	for n > 0 {
		size := p.size(n)
		total += size + transaction
		n -= size
	}
	return float64(total)
}

// due returns, for each job with entries to write, how many of its first entries are due.
//
// If the oldest record has waited too long, everything is due. Otherwise, if enough
// records wait, the oldest ones are due, as many as make the cost per entry lowest. The
// others wait for more records.
func (s *state) due(f Flush) map[ID]int {
	due := make(map[ID]int)
	all := f.All
	var waiting []waitingRecord
	entries := 0
	oldest := f.Now
	for _, j := range s.ordered() {
		if !j.registered || j.Now || j.dropped {
			continue
		}
		all = all || f.Now.Sub(j.Created) >= f.Policy.Age
		for _, r := range j.waitingRecords() {
			waiting = append(waiting, r)
			entries += r.entries
		}
		if j.Created.Before(oldest) {
			oldest = j.Created
		}
	}
	if f.More && !all && entries < f.Policy.full() && f.Now.Sub(oldest) < f.Policy.Pace {
		return due
	}
	records, lowest := 0, math.Inf(1)
	entries = 0
	for i, r := range waiting {
		entries += r.entries
		if i+1 < f.Policy.Records {
			continue
		}
		if cost := f.Policy.cost(entries) / float64(entries); cost <= lowest {
			records, lowest = i+1, cost
		}
	}
	if all {
		records = len(waiting)
	}
	for _, r := range waiting[:records] {
		due[r.job] = r.end
	}
	return due
}
