package replica

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Placement says which hospitals keep a payload. It depends on the ledger only, so all
// keepers agree without asking each other.
//
// The hospitals of a payload are ranked by rendezvous hashing (highest random weight; D.
// Thaler and C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM
// Transactions on Networking 6(1), 1998): each has a weight, a hash of the payload and
// the hospital, and the heaviest come first. A hospital that joins takes its share of the
// payloads from the others, and one that leaves hands its share out. No other payload
// moves. A payload's home comes before all others.
type Placement struct {
	rules   ledger.CopyRules
	keepers []keeper // in the order of MSP IDs
}

// A keeper is a hospital that runs one.
type keeper struct {
	msp  string
	away bool // not heard of for an eighth of the leeway
	lost bool // not heard of for longer than the leeway, or not believed
}

// NewPlacement returns the placement of a consortium. The time is that of the newest word
// of a keeper on the ledger, so that no clock counts. Hospitals that are not believed
// count as lost. While patient is set, nobody counts as away or lost for not having been
// heard of: after an outage of all, the others are about to come back.
func NewPlacement(c ledger.Consortium, believed func(msp string) bool, patient bool) Placement {
	p := Placement{rules: c.Rules}
	var now time.Time
	heard := make([]time.Time, len(c.Keepers))
	for i, k := range c.Keepers {
		heard[i], _ = ledger.ParseTime(k.Time) // the zero time is long ago
		if heard[i].After(now) {
			now = heard[i]
		}
	}
	for i, k := range c.Keepers {
		silent := now.Sub(heard[i])
		absent, leeway := !patient, c.Rules.Absence()
		distrusted := believed != nil && !believed(k.MSP)
		p.keepers = append(p.keepers, keeper{k.MSP, distrusted || absent && silent > Away(c.Rules), distrusted || absent && silent > leeway})
	}
	slices.SortFunc(p.keepers, func(a, b keeper) int { return cmp.Compare(a.msp, b.msp) })
	return p
}

// Away is the time after which a keeper that was not heard of counts as away.
func Away(r ledger.CopyRules) time.Duration { return max(r.Absence()/8, 5*time.Second) }

// Holders returns the hospitals that are to keep a payload, in the order of the ranking,
// and how many copies there should be. Homes are the hospitals that have a record of it,
// and keep it in any case. Those that are lost are made up for, so there may be more
// holders than copies.
func (p Placement) Holders(mark ledger.PayloadMark, homes []string, size int64) (holders []string, copies int) {
	fewest, most := p.rules.Of(size)
	here, answering := 0, 0 // of the holders
	for _, k := range p.ranking(mark, homes) {
		home := slices.Contains(homes, k.msp)
		if !home && (k.lost || here >= most && (answering >= fewest || k.away)) {
			continue
		}
		holders = append(holders, k.msp)
		if !k.lost {
			here++
		}
		if !k.away {
			answering++
		}
	}
	return holders, min(most, max(len(p.keepers), len(homes)))
}

// ranking gives the hospitals with the homes first. A home without a keeper is lost.
func (p Placement) ranking(mark ledger.PayloadMark, homes []string) []keeper {
	type weighted struct {
		keeper
		home   bool
		weight uint64
	}
	all := make([]weighted, 0, len(p.keepers)+len(homes))
	for _, k := range p.keepers {
		all = append(all, weighted{k, slices.Contains(homes, k.msp), weight(mark, k.msp)})
	}
	for _, h := range homes {
		if !slices.ContainsFunc(p.keepers, func(k keeper) bool { return k.msp == h }) {
			all = append(all, weighted{keeper{h, true, true}, true, weight(mark, h)})
		}
	}
	slices.SortFunc(all, func(a, b weighted) int {
		if a.home != b.home {
			if a.home {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.msp, b.msp))
	})
	ranked := make([]keeper, len(all))
	for i, w := range all {
		ranked[i] = w.keeper
	}
	return ranked
}

// weight is that of a hospital for a payload.
func weight(mark ledger.PayloadMark, msp string) uint64 {
	sum := sha256.Sum256(append(mark[:], msp...))
	return binary.BigEndian.Uint64(sum[:])
}

// state tells whether a keeper is away or lost. A hospital without a keeper is both.
func (p Placement) state(msp string) (away, lost bool) {
	i, found := slices.BinarySearchFunc(p.keepers, msp, func(k keeper, msp string) int { return cmp.Compare(k.msp, msp) })
	if !found {
		return true, true
	}
	return p.keepers[i].away, p.keepers[i].lost
}
