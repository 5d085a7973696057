package search

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/chartseal/chartseal/client/bench"
)

const preface = `# Search and import: benchmark

Made by

    make bench-search%s

in one run of %s on a network of its own, three hospitals and a regulator (four BFT orderers, four peers, three kubo nodes) and
the benchmark itself, all on one machine: %s.

Ours and its yardstick are measured in turns (ours, bare, bare, ours, ...), so that whatever else the machine does falls on both; figures
are medians unless they say otherwise, and the spread is half the distance between the quartiles. Everything is counted that a
caller waits for: a search fetches what it may search, reads the index and checks the record of each hit on the ledger.

- *asset:Get of one key* is fabric-gateway alone, asking the same peer for one key, of a contract without rules that only
  the benchmarks' chaincode program has.
- *asset:PutMany* is fabric-gateway alone, putting as many keys of the same length with values of the same size, by as many submitters.
  What it leaves out is what is ours: finding the ends of chains, labels, encryption, padding.
- The index is filled with random labels and values in transactions of 4096. To a peer these are what all entries are.

`

// document writes the table as a page.
func (r *run) document(took time.Duration) error {
	var b strings.Builder
	quick := ""
	if r.Quick {
		quick = " QUICK=1"
	}
	fmt.Fprintf(&b, preface, quick, took.Round(time.Second), bench.Machine())
	if err := r.report.Markdown(&b); err != nil {
		return err
	}
	return os.WriteFile(r.Table, []byte(b.String()), 0o644)
}
