package search

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/chartseal/chartseal/client/bench"
)

const preface = `# Search and import: benchmark

*For engineers who compare costs.*

This page was made by

    make bench-search%s

in one run of %s. The benchmark brought up a network of its own, with three hospitals and a regulator (four BFT orderers, four peers, three
kubo nodes). Everything ran on one machine: %s.

Chartseal and its yardstick are measured in turns (ours, bare, bare, ours, and so on), so that other load on the machine affects both. Figures
are medians unless they say otherwise. The spread is half the distance between the quartiles. A figure includes all that a
caller waits for: a search fetches the scopes' keys, reads the index and checks the record of each hit on the ledger.

- *asset:Get of one key* is fabric-gateway alone. It asks the same peer for one key, of a contract without rules that only the
  benchmarks' chaincode program has.
- *asset:PutMany* is fabric-gateway alone. It puts as many keys of the same length, with values of the same size, by as many submitters.
  It leaves out Chartseal's own work: finding the ends of chains, labels, encryption, padding.
- The index is filled with random labels and values in transactions of 4096. To a peer, all entries look like that.

`

// document writes the table as a page of documentation.
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
