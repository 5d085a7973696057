package search

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/index"
)

// indexing compares writes of index entries with a raw batch put. The put has as many
// keys of the same length, values of the same size and as many concurrent submitters.
// Only the index entries need the ends of chains, labels, encryption and padding.
func (r *run) indexing(ctx context.Context) error {
	const submitters, each = 4, index.MaxBatch
	key := index.NewScopeKey()
	var writers []*index.Writer
	for i := range submitters {
		writers = append(writers, indexWriter(r.members[i%3]))
	}
	n := 0
	ours := func(ctx context.Context) error {
		n++
		_, _, err := bench.Concurrently(ctx, submitters, submitters, func(ctx context.Context, i int) error {
			_, err := writers[i].Put(ctx, key, recordItems(each/32, 32, fmt.Sprintf("%d-%d", n, i)))
			return err
		})
		return err
	}
	bare := func(ctx context.Context) error {
		_, _, err := bench.Concurrently(ctx, submitters, submitters, func(ctx context.Context, i int) error {
			return r.members[i%3].Bare.PutMany(ctx, assets(each))
		})
		return err
	}
	times, used, err := bench.AlternateUsing(ctx, r.writeRounds, r.Usage, ours, bare)
	if err != nil {
		return fmt.Errorf("indexing: %w", err)
	}
	r.entries += (r.writeRounds + 1) * submitters * each
	row := bench.Compare("indexing", "entries/s", rate(submitters*each, times[0].Median()), rate(submitters*each, times[1].Median()), bench.AtLeast(0.7))
	row.Spread, row.N, row.Note = times[0].Spread(), len(times[0]), "bare: asset:PutMany of as many keys and bytes, fabric-gateway alone; 4 submitters of 1024 entries; processor time of 1000 entries"
	row.Processor, row.BareProcessor = used[0].Each(submitters*each/1000), used[1].Each(submitters*each/1000)
	r.report.Add(row)
	return nil
}

// asset returns a random asset with the sizes of an index entry. Its key is as long as an
// entry's key in the world state.
func asset() (key, value string) {
	var label [ledger.LabelSize]byte
	var text [ledger.EntryValueSize]byte
	rand.Read(label[:])
	rand.Read(text[:])
	return ledger.IndexKey("HospitalA", label[:]), base64.StdEncoding.EncodeToString(text[:])[:ledger.EntryValueSize]
}

func assets(n int) map[string]string {
	all := make(map[string]string, n)
	for range n {
		key, value := asset()
		all[key] = value
	}
	return all
}

func rate(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// recordItems makes the terms of records. Half of the terms are unique to their record;
// the other half are shared by many records.
func recordItems(records, terms int, name string) []index.Item {
	var items []index.Item
	for i := range records {
		var id [16]byte
		rand.Read(id[:])
		p := index.Posting{Record: id, Version: 1, Op: index.Add, Kind: "bench", First: index.NoDay, Last: index.NoDay}
		for k := range terms {
			term := index.WordTerm(fmt.Sprintf("own %s %d %d", name, i, k))
			if k%2 == 1 {
				term = index.WordTerm(fmt.Sprintf("shared %d", k))
			}
			items = append(items, index.Item{Term: term, Posting: p})
		}
	}
	return items
}

// The number of writers of one frequent keyword, spread over the three hospitals. Each
// stands for a program with its own caches.
const (
	hotWriters = 16
	hotTerms   = 20 // terms of each record; one is the frequent one
	hotPuts    = 4  // records that each writer adds in a turn
)

// hot compares writers that share one keyword with writers of distinct keywords. Both
// also write unique terms.
func (r *run) hot(ctx context.Context) error {
	key := index.NewScopeKey()
	var writers []*index.Writer
	for i := range hotWriters {
		writers = append(writers, indexWriter(r.members[i%3]))
	}
	var reports, coldReports []index.Report
	turn, written := 0, 0
	put := func(hot bool) func(context.Context) error {
		return func(ctx context.Context) error {
			turn++
			out := make([]index.Report, hotWriters*hotPuts)
			_, _, err := bench.Concurrently(ctx, hotWriters, hotWriters, func(ctx context.Context, i int) error {
				for n := range hotPuts {
					items := recordItems(1, hotTerms, "")
					for k := range items {
						items[k].Term = index.WordTerm(fmt.Sprintf("distinct %d %d %d %d", turn, i, n, k))
					}
					if hot {
						items[0].Term = index.WordTerm("hot")
					}
					var err error
					if out[i*hotPuts+n], err = writers[i].Put(ctx, key, items); err != nil {
						return err
					}
				}
				return nil
			})
			if hot {
				reports = append(reports, out...)
				written += hotWriters * hotPuts
			} else {
				coldReports = append(coldReports, out...)
			}
			return err
		}
	}
	times, used, err := bench.AlternateUsing(ctx, r.hotRounds, r.Usage, put(true), put(false))
	if err != nil {
		return fmt.Errorf("16 writers of a hot keyword: %w", err)
	}
	r.entries += 2 * (r.hotRounds + 1) * hotWriters * hotPuts * index.Bucket(hotTerms)
	entries := hotWriters * hotPuts * hotTerms
	row := bench.Compare("16 writers in 3 hospitals, one hot keyword", "entries/s", rate(entries, times[0].Median()), rate(entries, times[1].Median()), bench.AtLeast(0.8))
	row.Spread, row.N = times[0].Spread(), len(times[0])
	row.Costs(used[0], hotWriters*hotPuts, used[1], hotWriters*hotPuts)
	row.Note = fmt.Sprintf("processor time of a put of 20; bare: distinct keywords; %d retries in %d transactions (distinct: %d)", collisions(reports), transactions(reports), collisions(coldReports))
	r.report.Add(row)

	// No entry is lost: another hospital reads all of them.
	if err := r.settle(ctx); err != nil {
		return err
	}
	searcher := &index.Searcher{Store: r.members[1].Ledger, MSPs: []string{"HospitalA", "HospitalB", "HospitalC"}}
	answer, err := searcher.Lookup(ctx, []index.ScopeKey{key}, index.WordTerm("hot"))
	if err != nil {
		return err
	}
	lost := bench.Just("16 writers, one hot keyword: entries lost", "entries", float64(written-len(answer.Hits[index.WordTerm("hot")])))
	lost.Require(lost.Ours == 0 && len(answer.Problems) == 0, "none")
	lost.Note = fmt.Sprintf("of %d", written)
	r.report.Add(lost)
	return nil
}

func collisions(all []index.Report) (n int) {
	for _, r := range all {
		n += r.Collisions
	}
	return n
}

func transactions(all []index.Report) (n int) {
	for _, r := range all {
		n += r.Transactions
	}
	return n
}

// hotSeals lets 16 people seal records with the same keyword at the same time. Each
// record must be found at once.
func (r *run) hotSeals(ctx context.Context) error {
	word := "hotseal"
	var clients []*client.Client
	for i := range hotWriters {
		c, err := r.members[i%3].Client()
		if err != nil {
			return err
		}
		clients = append(clients, c)
	}
	const each = 2
	sealed := make([][]client.Sealed, hotWriters)
	failed := make([]error, hotWriters)
	took, _, _ := bench.Concurrently(ctx, hotWriters, hotWriters, func(ctx context.Context, i int) error {
		for k := range each {
			one, err := clients[i].Seal(ctx, client.SealRequest{
				Sources: []client.Source{client.ReaderSource("note.txt", strings.NewReader(fmt.Sprint("note ", i, k)))},
				Policy:  policy, Scope: scope, Keywords: []string{word}, Index: index.ModeNow,
			})
			if err != nil {
				failed[i] = err
				return nil
			}
			sealed[i] = append(sealed[i], one...)
		}
		return nil
	})
	all := slices.Concat(sealed...)
	for _, s := range all {
		r.entries += index.Bucket(s.Terms)
	}
	row := bench.Just("16 people seal with one hot keyword: failed seals", "seals", float64(hotWriters*each-len(all)))
	row.Require(row.Ours == 0, "none")
	row.Note = fmt.Sprintf("%d seals in %.1f s", len(all), took.Seconds())
	for _, err := range failed {
		if err != nil {
			row.Note += ": " + err.Error()
			break
		}
	}
	r.report.Add(row)
	if err := r.settle(ctx); err != nil {
		return err
	}
	c, err := r.members[1].Client()
	if err != nil {
		return err
	}
	found, err := c.Search(ctx, index.MustParseQuery(word), client.SearchOptions{Scope: scope, Limit: 1000})
	if err != nil {
		return err
	}
	lost := bench.Just("16 people seal with one hot keyword: not found", "records", float64(len(all)-len(found.Hits)))
	lost.Require(len(all) == len(found.Hits), "none")
	r.report.Add(lost)
	return nil
}
