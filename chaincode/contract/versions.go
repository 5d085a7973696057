package contract

import (
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// records reads the versions of records. A record always gets its share of
// ledger.MaxHistory, so no record with many versions makes the others unreadable, and a
// call reads a bounded number of keys whatever the records are.
//
// It first reads two versions of every record, since most have no more, and then twice as
// many of each record that had all of them, up to its share. Only for a record that still
// has more does it look for the newest version.
func (ctx *Context) records(ids []string) ([]ledger.Record, error) {
	share := min(ledger.MaxHistory/len(ids), ledger.MaxVersions)
	versions := make([][]ledger.RecordVersion, len(ids))
	open := make([]int, len(ids))
	for i := range ids {
		open[i] = i
	}
	for from, to := 1, 2; len(open) > 0 && from <= share; from, to = to+1, min(2*to, share) {
		got, err := ctx.versions(ids, open, func(int) (int, int) { return from, to })
		if err != nil {
			return nil, err
		}
		var more []int
		for j, i := range open {
			versions[i] = append(versions[i], got[j]...)
			if len(got[j]) == to-from+1 {
				more = append(more, i)
			}
		}
		open = more
	}
	earlier, err := ctx.longer(ids, open, share, versions)
	if err != nil {
		return nil, err
	}
	records := make([]ledger.Record, 0, len(ids))
	for i, v := range versions {
		if len(v) > 0 {
			records = append(records, ledger.Record{ID: ids[i], Home: v[0].Home, Versions: v, Earlier: earlier[i]})
		}
	}
	return records, ctx.newestSeals(records)
}

// newestSeals completes records with the newest seals of their versions, and with their
// erasures.
func (ctx *Context) newestSeals(records []ledger.Record) error {
	at := make([]string, 0, 2*len(records))
	for _, r := range records {
		at = append(at, ledger.SealsKey(r.ID), ledger.ErasedKey(r.ID))
	}
	if len(at) == 0 {
		return nil
	}
	values, err := ctx.many(at)
	if err != nil {
		return err
	}
	var again []*ledger.RecordVersion
	var seals []string
	for i := range records {
		r := &records[i]
		numbers, err := readSeals(values[2*i])
		if err != nil {
			return err
		}
		for j := range r.Versions {
			v := &r.Versions[j]
			if n := numbers.Of(v.Version); n > 0 {
				again, seals = append(again, v), append(seals, ledger.SealKey(v.ID, v.Version, n))
			}
		}
		if erased := values[2*i+1]; len(erased) > 0 {
			e, err := readErasure(ledger.ErasedKey(r.ID), erased)
			if err != nil {
				return err
			}
			r.Erasure = &e
		}
	}
	return ctx.seal(again, seals)
}

// seal completes versions with their newest seals, given by their keys.
func (ctx *Context) seal(versions []*ledger.RecordVersion, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	values, err := ctx.many(keys)
	if err != nil {
		return err
	}
	for i, v := range versions {
		s, err := readSeal(keys[i], values[i])
		if err != nil {
			return err
		}
		*v = v.Again(s)
	}
	return nil
}

// named reads versions by their names and keys, as [Context.newestSeals] completes
// them. It leaves out unknown versions and those of erased records.
func (ctx *Context) named(names []ledger.VersionName, keys []string) ([]ledger.RecordVersion, error) {
	if len(keys) == 0 {
		return []ledger.RecordVersion{}, nil
	}
	at := slices.Clone(keys)
	for _, n := range names {
		at = append(at, ledger.SealsKey(n.ID), ledger.ErasedKey(n.ID))
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	versions := make([]ledger.RecordVersion, 0, len(names))
	var again []*ledger.RecordVersion
	var seals []string
	for i, n := range names {
		ends := values[len(keys)+2*i:]
		if len(values[i]) == 0 || len(ends[1]) > 0 {
			continue
		}
		v, err := readVersion(keys[i], values[i])
		if err != nil {
			return nil, err
		}
		numbers, err := readSeals(ends[0])
		if err != nil {
			return nil, err
		}
		versions = append(versions, v) // never beyond its capacity, so pointers into it hold
		if number := numbers.Of(n.Version); number > 0 {
			again, seals = append(again, &versions[len(versions)-1]), append(seals, ledger.SealKey(n.ID, n.Version, number))
		}
	}
	return versions, ctx.seal(again, seals)
}

// longer completes the versions of records that have their share already. If all
// versions together are too many, it keeps the newest of each, and gives the number of
// those that it left out.
func (ctx *Context) longer(ids []string, open []int, share int, versions [][]ledger.RecordVersion) (earlier []int, err error) {
	earlier = make([]int, len(ids))
	newest, err := ctx.newest(ids, open, share)
	if err != nil {
		return nil, err
	}
	total := 0
	for i, v := range versions {
		total += max(len(v), newest[i])
	}
	if total > ledger.MaxHistory {
		for _, i := range open {
			earlier[i] = newest[i] - share
		}
	}
	got, err := ctx.versions(ids, open, func(i int) (int, int) { return max(share, earlier[i]) + 1, newest[i] })
	if err != nil {
		return nil, err
	}
	for j, i := range open {
		versions[i] = append(versions[i][min(share, earlier[i]):], got[j]...)
	}
	return earlier, nil
}

// newest finds the newest version of records that have a version known. The versions of a
// record have no gap, so it halves the range in which the newest one lies.
func (ctx *Context) newest(ids []string, open []int, known int) ([]int, error) {
	low, high := make([]int, len(ids)), make([]int, len(ids))
	for _, i := range open {
		low[i], high[i] = known, ledger.MaxVersions
	}
	for {
		var at []string
		var asked []int
		for _, i := range open {
			if low[i] < high[i] {
				at, asked = append(at, ledger.RecordKey(ids[i], middle(low[i], high[i]))), append(asked, i)
			}
		}
		if len(at) == 0 {
			return low, nil
		}
		values, err := ctx.many(at)
		if err != nil {
			return nil, err
		}
		for j, i := range asked {
			if m := middle(low[i], high[i]); len(values[j]) > 0 {
				low[i] = m
			} else {
				high[i] = m - 1
			}
		}
	}
}

func middle(low, high int) int { return (low + high + 1) / 2 }

// versions reads a range of versions, from first to last, of each open record. It leaves
// out those that do not exist.
func (ctx *Context) versions(ids []string, open []int, bounds func(i int) (first, last int)) ([][]ledger.RecordVersion, error) {
	var at []string
	ends := make([]int, len(open))
	for j, i := range open {
		first, last := bounds(i)
		for v := first; v <= last; v++ {
			at = append(at, ledger.RecordKey(ids[i], v))
		}
		ends[j] = len(at)
	}
	out := make([][]ledger.RecordVersion, len(open))
	if len(at) == 0 {
		return out, nil
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	begin := 0
	for j, end := range ends {
		if out[j], err = readAll(at[begin:end], values[begin:end], readVersion); err != nil {
			return nil, err
		}
		begin = end
	}
	return out, nil
}
