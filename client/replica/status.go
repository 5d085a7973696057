package replica

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// States of payloads at a hospital's node, as ipfs-cluster names them.
const (
	Pinned  = "pinned"
	Remote  = "remote"                // other hospitals keep it
	Waiting = "pin_queued"            // it will be pinned
	Pinning = "pinning"               // it is being fetched
	Failed  = "pin_error"             // fetching it failed, or it was refused
	Lost    = "unexpectedly_unpinned" // the node has lost it; it will be pinned again
	Surplus = "unpin_queued"          // other hospitals keep it; it will be unpinned
)

// A Status is what a look has found.
type Status struct {
	Time     time.Time        `json:"time"`
	Rules    ledger.CopyRules `json:"rules"`
	Payloads int              `json:"payloads"` // in a version of a record
	Copies   map[int]int      `json:"copies"`   // number of payloads by receipts of hospitals that are not lost
	Under    int              `json:"under"`    // payloads with fewer copies than there should be
	Examples []string         `json:"examples"` // some of those
	States   map[string]int   `json:"states"`   // number of payloads by their state at the own node
	Keepers  []KeeperStatus   `json:"keepers"`
}

// A KeeperStatus is what is known of a hospital's keeper.
type KeeperStatus struct {
	MSP      string `json:"msp"`
	Heard    string `json:"heard"` // time of its last word
	State    string `json:"state"` // "here", "away", "lost", "not believed", or "no node" of its own
	Receipts int    `json:"receipts"`
	Asked    int    `json:"asked"`            // blocks, since the own keeper started
	Lacked   int    `json:"lacked"`           // of those
	Silent   bool   `json:"silent,omitempty"` // its node has not answered
	Lacks    string `json:"lacks,omitempty"`  // a payload
}

// maxUnder is how many payloads with too few copies are named.
const maxUnder = 20

const statusName = "replica/status"

// LoadStatus returns what the last look has found.
//
// Errors:
//   - ErrNotFound if there was none.
//   - ErrInvalid if the saved state is damaged.
func LoadStatus(m Memory) (s Status, err error) {
	found, err := loadItem(m, statusName, &s)
	if err == nil && !found {
		err = ledger.Errorf(ledger.ErrNotFound, "copies were not compared yet")
	}
	return s, err
}

func (b *Balancer) status(c ledger.Consortium, placement Placement, f finding) Status {
	q := b.c.Replicator.queue()
	s := Status{Time: time.Now().UTC(), Rules: c.Rules, Payloads: len(b.book.index), Copies: f.copies, Under: f.lacking,
		Examples: append([]string{}, f.under...), States: f.states, Keepers: []KeeperStatus{}}
	s.States[Waiting], s.States[Pinning], s.States[Failed] = q.queued+len(b.missing), q.pinning, q.failed+q.refused
	for _, k := range c.Keepers {
		away, lost := placement.state(k.MSP)
		ks := KeeperStatus{MSP: k.MSP, Heard: k.Time, State: "here", Receipts: f.receipts[k.MSP]}
		switch {
		case k.MSP != b.c.Own && b.nodes[k.MSP] == "":
			ks.State = "no node"
		case !b.believed(k.MSP):
			ks.State = "not believed"
		case lost:
			ks.State = "lost"
		case away:
			ks.State = "away"
		}
		if a := b.suspects[k.MSP]; a != nil {
			ks.Asked, ks.Lacked, ks.Silent, ks.Lacks = a.asked, a.failed, a.silent > 0, a.cid
		}
		s.Keepers = append(s.Keepers, ks)
	}
	return s
}

// Metrics gives a status as metrics, in the text format of Prometheus.
func (s Status) Metrics(own string) []byte {
	var text bytes.Buffer
	head := func(name, kind, help string) {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, help, kind)
	}
	head("chartseal_payloads", "gauge", "Payloads of records by the number of hospitals that keep them.")
	for _, n := range slices.Sorted(maps.Keys(s.Copies)) {
		fmt.Fprintf(&text, "chartseal_payloads{keeper=%q,copies=\"%d\"} %d\n", own, n, s.Copies[n])
	}
	head("chartseal_payloads_under_replicated", "gauge", "Payloads with fewer copies than there should be.")
	fmt.Fprintf(&text, "chartseal_payloads_under_replicated{keeper=%q} %d\n", own, s.Under)
	head("chartseal_keeper_payloads", "gauge", "Payloads by their state at the keeper's node.")
	for _, state := range slices.Sorted(maps.Keys(s.States)) {
		fmt.Fprintf(&text, "chartseal_keeper_payloads{keeper=%q,state=%q} %d\n", own, state, s.States[state])
	}
	head("chartseal_keeper_here", "gauge", "1 if a hospital's keeper was heard of lately and is believed.")
	for _, k := range s.Keepers {
		here := 0
		if k.State == "here" {
			here = 1
		}
		fmt.Fprintf(&text, "chartseal_keeper_here{keeper=%q,hospital=%q} %d\n", own, k.MSP, here)
	}
	head("chartseal_keeper_silent", "gauge", "1 if a hospital's node did not answer when it was asked last.")
	for _, k := range s.Keepers {
		silent := 0
		if k.Silent {
			silent = 1
		}
		fmt.Fprintf(&text, "chartseal_keeper_silent{keeper=%q,hospital=%q} %d\n", own, k.MSP, silent)
	}
	head("chartseal_keeper_lacked_total", "counter", "Blocks that a hospital's node lacked although it has given a receipt.")
	for _, k := range s.Keepers {
		fmt.Fprintf(&text, "chartseal_keeper_lacked_total{keeper=%q,hospital=%q} %d\n", own, k.MSP, k.Lacked)
	}
	head("chartseal_keeper_timestamp_seconds", "gauge", "When the keeper has compared copies last.")
	fmt.Fprintf(&text, "chartseal_keeper_timestamp_seconds{keeper=%q} %d\n", own, s.Time.Unix())
	return text.Bytes()
}
