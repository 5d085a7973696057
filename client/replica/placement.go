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
// moves. A payload's home comes before all others. If several hospitals have a record of
// it, its home is the one that registered it first, and the others are ranked like any:
// anybody who may seal can register what another hospital has stored.
type Placement struct {
	rules   ledger.CopyRules
	keepers []keeper // in the order of MSP IDs
}

// A keeper is a hospital that runs one.
type keeper struct {
	msp    string
	absent bool // not heard of for an eighth of the leeway
	away   bool // absent, or not believed
	lost   bool // not heard of for longer than the leeway, or not believed
}

// NewPlacement returns the placement of a consortium. Now is the time of the own
// keeper's last word on the ledger, which members' clocks have checked. Words of others
// may be [ledger.MaxClockSkew] ahead, and must not make the rest look absent. Hospitals
// that are not believed count as lost. While patient is set, nobody counts as away or
// lost for not having been heard of: after an outage of all, the others are about to
// come back.
func NewPlacement(c ledger.Consortium, now time.Time, believed func(msp string) bool, patient bool) Placement {
	p := Placement{rules: c.Rules}
	for _, k := range c.Keepers {
		heard, _ := ledger.ParseTime(k.Time) // the zero time is long ago
		silent := now.Sub(heard)
		absent := !patient && silent > Away(c.Rules)
		distrusted := believed != nil && !believed(k.MSP)
		p.keepers = append(p.keepers, keeper{k.MSP, absent, distrusted || absent, distrusted || absent && silent > c.Rules.Absence()})
	}
	slices.SortFunc(p.keepers, func(a, b keeper) int { return cmp.Compare(a.msp, b.msp) })
	return p
}

// Away is the time after which a keeper that was not heard of counts as away.
func Away(r ledger.CopyRules) time.Duration { return max(r.Absence()/8, 5*time.Second) }

// Holders returns the hospitals that are to keep a payload, in the order of the ranking,
// and how many copies there should be. The home keeps it in any case. If it is lost, it
// is made up for, so there may be more holders than copies. Other hospitals that have a
// record of it keep it too, and do not count.
func (p Placement) Holders(mark ledger.PayloadMark, home string, size int64) (holders []string, copies int) {
	fewest, most := p.rules.Of(size)
	here, answering := 0, 0 // of the holders
	for _, k := range p.ranking(mark, home) {
		if k.msp != home && (k.lost || here >= most && (answering >= fewest || k.away)) {
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
	return holders, min(most, max(len(p.keepers), 1))
}

// ranking gives the hospitals with the home first. One without a keeper is lost.
func (p Placement) ranking(mark ledger.PayloadMark, home string) []keeper {
	type weighted struct {
		keeper
		weight uint64
	}
	all := make([]weighted, 0, len(p.keepers)+1)
	for _, k := range p.keepers {
		all = append(all, weighted{k, weight(mark, k.msp)})
	}
	if home != "" && !slices.ContainsFunc(p.keepers, func(k keeper) bool { return k.msp == home }) {
		all = append(all, weighted{keeper{home, true, true, true}, 0})
	}
	slices.SortFunc(all, func(a, b weighted) int {
		switch {
		case a.msp == home:
			return -1
		case b.msp == home:
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

// isAbsent tells whether a keeper was not heard of for an eighth of the leeway.
func (p Placement) isAbsent(msp string) bool {
	return slices.ContainsFunc(p.keepers, func(k keeper) bool { return k.msp == msp && k.absent })
}
