package importer

import (
	"context"
	"errors"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
)

// retries bounds the retries of a batch after a service did not answer, or refused ids
// that nobody can see.
const retries = 6

// batch seals items of one rule. A failure of an item or a rule becomes rows; an error
// ends the job.
func (r *run) batch(ctx context.Context, items []*item) error {
	rule := items[0].rule
	if err := r.brokenRule(rule); err != nil {
		return r.failAll(items, err)
	}
	ask := true // a new journal may be in the place of a lost one
	for tries := 0; ; tries++ {
		if ask {
			var err error
			if items, err = r.present(ctx, items); err != nil {
				if err := r.pause(ctx, err, tries); err != nil {
					return err
				}
				continue
			}
			ask = false
		}
		if len(items) == 0 {
			return nil
		}
		request, attempts := r.request(items)
		sealed, err := r.Client.Seal(ctx, request)
		left, fatal := r.sealed(items, sealed)
		switch {
		case fatal != nil:
			return fatal
		case err == nil && len(left) > 0:
			return ledger.Errorf(ledger.ErrTampered, "%d of %d records were confirmed", len(sealed), len(items))
		case err == nil:
			return r.flush(ctx, false)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		ask = true
		failed := make(map[*item]error)
		for _, a := range attempts {
			if err := a.failed(); err != nil {
				failed[a.item] = err
			}
		}
		items = nil
		for _, i := range left {
			if failed[i] == nil {
				items = append(items, i)
			} else if err := r.fail(i, failed[i]); err != nil {
				return err
			}
		}
		switch {
		case len(failed) > 0: // their failure was the cause
			tries--
		case retriable(err):
			if err := r.pause(ctx, err, tries); err != nil {
				return err
			}
		case ofRule(err):
			r.mu.Lock()
			r.broken[rule] = err
			r.mu.Unlock()
			return r.failAll(items, err)
		case len(items) > 1: // find the item that is the cause
			half := len(items) / 2
			if err := r.batch(ctx, items[:half]); err != nil {
				return err
			}
			return r.batch(ctx, items[half:])
		default:
			return r.failAll(items, err)
		}
	}
}

func (r *run) request(items []*item) (client.SealRequest, []*attempt) {
	rule := items[0].rule
	var attempts []*attempt
	q := client.SealRequest{Policy: rule.Policy, Scope: r.scopeOf(rule), Keywords: rule.Keywords, PatientRecipient: rule.PatientKey,
		Index: index.ModeBatched, KeepEntries: r.Flush != nil}
	if q.Scope == "" {
		q.Index = ""
	}
	for _, i := range items {
		a := &attempt{item: i}
		attempts = append(attempts, a)
		q.Sources = append(q.Sources, a.source(r.patients.of(i)))
	}
	return q, attempts
}

// sealed notes the items that were sealed and returns the others.
func (r *run) sealed(items []*item, sealed []client.Sealed) ([]*item, error) {
	byID := make(map[string]client.Sealed, len(sealed))
	for _, s := range sealed {
		byID[s.ID] = s
	}
	done, left := partition(items, func(i *item) bool { _, ok := byID[i.id]; return ok })
	for _, i := range done {
		s := byID[i.id]
		row := r.row(i, StatusSealed)
		row.Kind, row.Policy, row.Entries = s.Kind, s.Policy, s.Terms
		if i.kind == "" && holdsSeveral(s.Kind) && i.several != "" { // which inspect could not tell
			row.Warnings = append(row.Warnings, i.several)
		}
		row.Warnings = append(row.Warnings, s.Warnings...)
		if err := r.tell(row, func(sum *Summary) {
			sum.Sealed++
			if s.Bare {
				sum.Bare++
			}
			sum.Entries += s.Terms
			sum.Bytes += s.Size
			sum.Read += i.section.length
			r.unflushed += s.Terms
		}); err != nil {
			return left, err
		}
	}
	return left, r.Journal.add(done)
}

// present asks the ledger which items earlier attempts have registered, under any secret
// of the job, and returns the others. Those that are there are indexed if they are not.
func (r *run) present(ctx context.Context, items []*item) ([]*item, error) {
	var ids []string
	of := make(map[string]*item)
	for _, secret := range append([][]byte{r.Journal.Header.Secret}, r.Secrets...) {
		for _, i := range items {
			id := recordID(secret, i.key(), i.sum)
			if of[id] == nil {
				ids = append(ids, id)
				of[id] = i
			}
		}
	}
	found, err := r.Ledger.Records(ctx, ids)
	if err != nil {
		return items, err
	}
	there, foreign := make(map[*item]bool, len(found)), make(map[*item]error)
	var unindexed []string
	for _, f := range found {
		i := of[f.ID]
		if i == nil {
			return items, ledger.Errorf(ledger.ErrTampered, "the peer gave record %s, which nobody asked for", f.ID)
		}
		if by := f.Versions[0].Author; f.Earlier == 0 && by != r.Journal.Header.Actor {
			foreign[i] = ledger.Errorf(ledger.ErrTampered, "%s has taken the id of its record %s", by, f.ID)
			continue
		}
		there[i] = true
		i.id = f.ID
		if r.scopeOf(i.rule) != "" {
			unindexed = append(unindexed, f.ID)
		}
	}
	if r.Reindex != nil && len(unindexed) > 0 {
		if err := r.Reindex(ctx, unindexed); err != nil {
			return items, err
		}
	}
	bad, items := partition(items, func(i *item) bool { return foreign[i] != nil && !there[i] })
	for _, i := range bad {
		if err := r.fail(i, foreign[i]); err != nil {
			return items, err
		}
	}
	done, left := partition(items, func(i *item) bool { return there[i] })
	for _, i := range done {
		if err := r.tell(r.row(i, StatusPresent), func(s *Summary) { s.Before++; s.Read += i.section.length }); err != nil {
			return left, err
		}
	}
	return left, r.Journal.add(done)
}

// partition keeps the order of the items.
func partition(items []*item, is func(*item) bool) (yes, no []*item) {
	for _, i := range items {
		if is(i) {
			yes = append(yes, i)
		} else {
			no = append(no, i)
		}
	}
	return yes, no
}

func (r *run) failAll(items []*item, err error) error {
	for _, i := range items {
		if err := r.fail(i, err); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) brokenRule(rule *Rule) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken[rule]
}

// retriable reports whether an error has nothing to do with the records. After an unknown
// outcome the same ids are looked up and sent again if they are missing. The ledger takes
// each id only once, whichever attempt arrives first.
func retriable(err error) bool {
	return errors.Is(err, client.ErrUnavailable) || errors.Is(err, client.ErrUnknownOutcome) || errors.Is(err, client.ErrConflict) ||
		errors.Is(err, client.ErrExists)
}

// ofRule reports whether every record of the rule would fail with the error.
func ofRule(err error) bool {
	return errors.Is(err, client.ErrNotSatisfied) || errors.Is(err, client.ErrDenied) || errors.Is(err, client.ErrNotFound)
}

// pause waits before the next attempt. It returns the cause if there is none.
func (r *run) pause(ctx context.Context, cause error, tries int) error {
	if !retriable(cause) || tries >= retries {
		return cause
	}
	wait := r.Backoff
	if wait <= 0 {
		wait = 500 * time.Millisecond
	}
	t := time.NewTimer(wait << tries)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// flushEntries is the number of waiting index entries that causes a flush.
const flushEntries = 16 << 10

// flush writes index entries once there are many, or all of them.
func (r *run) flush(ctx context.Context, all bool) error {
	if r.Flush == nil {
		return nil
	}
	r.mu.Lock()
	due := all || r.unflushed >= flushEntries
	if due {
		r.unflushed = 0
	}
	r.mu.Unlock()
	if !due {
		return nil
	}
	indexed, err := r.Flush(ctx, all)
	r.count(func(s *Summary) { s.Indexed += indexed })
	return err
}
