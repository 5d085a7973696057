package client

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/trust"
)

// CompactOptions refine the compaction of a scope.
type CompactOptions struct {
	// Settle is how long after a roll a program may still seal with the key of the epoch
	// before, because it read that key earlier. Old epochs are retired only after that.
	Settle time.Duration

	Progress func(done int) // records examined so far; may be nil
}

// A Compacted is the result of a compaction.
type Compacted struct {
	Scope   string `json:"scope"`
	Epoch   int    `json:"epoch"`   // the current one, which now has all entries
	Records int    `json:"records"` // of the own hospital that this run has examined
	Indexed int    `json:"indexed"` // of these, the records whose entries were in an older epoch
	Retired int    `json:"retired"` // last epoch that searches skip for the own hospital; 0 when none is retired yet

	// Unopened are the ids of records whose envelope this person cannot open, or whose
	// envelope does not hold all keywords. Nothing is retired as long as there are any.
	Unopened []string `json:"unopened"`
}

// compaction is the progress of a compaction, as it is remembered between runs.
type compaction struct {
	Time     string   `json:"time"` // of the epoch; another time means another ledger
	Bookmark string   `json:"bookmark"`
	Last     []string `json:"last"` // records of the next page that are done; the page may have grown since
	Unopened []string `json:"unopened"`
}

// CompactScope moves the index entries of the own hospital's records from older epochs of
// a scope to the current one, and then retires the older epochs, so that searches skip
// them. It is for the hospital's custodian, who can open all envelopes. Each envelope
// leaves an access entry with the purpose RECORDMGT. CompactScope may be interrupted at
// any time and called again.
//
// Errors:
//   - ErrNotFound if there is no such scope.
//   - ErrNotSatisfied if the caller cannot unwrap the scope's current key.
//   - ErrDenied if the ledger refuses the caller.
//   - ErrUnavailable if the ledger does not answer.
func (c *Client) CompactScope(ctx context.Context, name string, o CompactOptions) (Compacted, error) {
	done, err := c.compact(ctx, name, o)
	if err != nil {
		return done, fmt.Errorf("compact scope %s: %w", name, err)
	}
	return done, nil
}

func (c *Client) compact(ctx context.Context, name string, o CompactOptions) (Compacted, error) {
	done := Compacted{Scope: name, Unopened: []string{}}
	scope, err := c.scopes.Scope(ctx, name)
	if err != nil {
		return done, err
	}
	keys, err := c.scopes.Unwrap(ctx, scope, access.Managing, true)
	if err != nil {
		return done, err
	}
	key, err := keys.Current()
	if err != nil {
		return done, err
	}
	done.Epoch = keys.Scope.Epoch
	if over, err := c.compacted(ctx, keys.Scope, &done); over || err != nil {
		return done, err
	}
	item := fmt.Sprintf("compact/%s-%d.json", name, done.Epoch)
	at := compaction{Time: keys.Scope.Time}
	if text, err := c.memory.Load(item); err == nil {
		var known compaction
		if json.Unmarshal(text, &known) == nil && known.Time == at.Time {
			at = known
		}
	}
	retry := at.Unopened
	at.Unopened = nil
	for ids := range slices.Chunk(retry, ledger.MaxRecordsPerCall) {
		if err := c.compactRecords(ctx, keys.Scope, key, ids, &at, &done); err != nil {
			return done, err
		}
	}
	for {
		page, err := c.ledger.AuditRecords(ctx, ledger.RecordQuery{Bookmark: at.Bookmark, PageSize: ledger.MaxRecordsPerCall})
		if err != nil {
			return done, err
		}
		if err := c.compactPage(ctx, keys.Scope, key, page.Versions, &at, &done); err != nil {
			return done, err
		}
		if page.Bookmark != "" {
			at.Bookmark, at.Last = page.Bookmark, nil
		}
		text, err := json.Marshal(at)
		if err != nil {
			return done, err
		}
		if err := c.memory.Store(item, text); err != nil {
			return done, err
		}
		if o.Progress != nil {
			o.Progress(done.Records)
		}
		if page.Bookmark == "" {
			break
		}
	}
	if _, err := c.FlushIndex(ctx, FlushOptions{All: true, Size: index.MaxBatch}); err != nil {
		return done, err
	}
	done.Unopened = append(done.Unopened, at.Unopened...)
	return done, c.retire(ctx, keys.Scope, o, &done)
}

// compacted reports whether the hospital has retired all older epochs already.
func (c *Client) compacted(ctx context.Context, s ledger.Scope, done *Compacted) (bool, error) {
	all, err := c.ledger.Retirements(ctx, s.Name)
	if err != nil {
		return false, err
	}
	for _, r := range all {
		if r.MSP == c.ledger.MSP() {
			done.Retired = r.Epoch
		}
	}
	return done.Retired >= s.Epoch-1, nil
}

// retire retires the older epochs once no search can miss anything by skipping them.
func (c *Client) retire(ctx context.Context, s ledger.Scope, o CompactOptions, done *Compacted) error {
	rolled, err := ledger.ParseTime(s.Time)
	if err != nil {
		return ledger.Errorf(ErrTampered, "scope %s is of %q", s.Name, s.Time)
	}
	waits, err := c.IndexStatus()
	if err != nil {
		return err
	}
	if len(done.Unopened) > 0 || time.Since(rolled) < o.Settle || waits.Entries > 0 {
		return nil
	}
	err = c.retireEpoch(ctx, s.Name, s.Epoch-1)
	if err == nil || errors.Is(err, ErrExists) {
		done.Retired = s.Epoch - 1
		return nil
	}
	return err
}

// compactPage compacts the records whose first version is on a page.
func (c *Client) compactPage(ctx context.Context, s ledger.Scope, key index.ScopeKey, page []ledger.RecordVersion, at *compaction, done *Compacted) error {
	var ids []string
	for _, v := range page {
		if v.Home == c.ledger.MSP() && v.Version == 1 && !slices.Contains(at.Last, v.ID) {
			ids = append(ids, v.ID)
		}
	}
	at.Last = append(at.Last, ids...)
	return c.compactRecords(ctx, s, key, ids, at, done)
}

func (c *Client) compactRecords(ctx context.Context, s ledger.Scope, key index.ScopeKey, ids []string, at *compaction, done *Compacted) error {
	if len(ids) == 0 {
		return nil
	}
	done.Records += len(ids)
	records, err := c.ledger.Records(ctx, ids)
	if err != nil {
		return err
	}
	records = slices.DeleteFunc(records, func(r ledger.Record) bool { return r.Erasure != nil })
	if len(records) == 0 {
		return nil
	}
	targets := make([]string, len(records))
	for i, r := range records {
		targets[i] = r.ID
	}
	accesses, err := c.ledger.RequestAccess(ctx, targets, access.Managing)
	if err != nil {
		return err
	}
	digest := sha256.New()
	fmt.Fprint(digest, s.Name, "/", s.Epoch, "/", ids)
	waiting := outbox.Job{ID: outbox.ID(digest.Sum(nil)[:16])} // the same for the same page: a run after an interruption adds nothing twice
	for _, r := range records {
		entries, err := c.anew(ctx, s, key, r.Current(), accesses[0].ID)
		if errors.Is(err, ErrNotSatisfied) || errors.Is(err, ErrNotFound) || errors.Is(err, errIncomplete) {
			at.Unopened = append(at.Unopened, r.ID)
			continue
		}
		if err != nil {
			return fmt.Errorf("record %s: %w", r.ID, err)
		}
		if len(entries) > 0 {
			done.Indexed++
			v := r.Current()
			waiting.Entries = append(waiting.Entries, entries...)
			waiting.Records = append(waiting.Records, outbox.Record{ID: v.ID, Version: v.Version, CID: v.CID, Commitment: v.Commitment})
		}
	}
	if len(waiting.Entries) == 0 {
		return nil
	}
	if err := c.flusher.Box.Prepare(&waiting); err != nil {
		return err
	}
	return c.flusher.Box.Registered(waiting.ID)
}

// anew makes the entries of a record in the current epoch, none if they are there already
// or belong to another scope.
func (c *Client) anew(ctx context.Context, s ledger.Scope, key index.ScopeKey, v ledger.RecordVersion, accessID string) ([]index.Pending, error) {
	m, facts, err := c.indexedFacts(ctx, v, accessID)
	if err != nil {
		return nil, err
	}
	if m.Scope != s.Name || m.Epoch >= s.Epoch {
		return nil, nil
	}
	if incomplete(m) {
		return nil, errIncomplete
	}
	record, err := ledger.ParseRecordID(v.ID)
	if err != nil {
		return nil, err
	}
	return key.Pend(facts.Items(record, uint32(v.Version), index.Add))
}

// retireEpoch puts a signed retirement on the ledger, unless it is there.
func (c *Client) retireEpoch(ctx context.Context, scope string, epoch int) error {
	all, err := c.ledger.Retirements(ctx, scope)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.MSP == c.ledger.MSP() && r.Epoch >= epoch && c.trust.CheckRetirement(ctx, r) == nil {
			return nil
		}
	}
	if err := c.author.Prepare(ctx); err != nil {
		return err
	}
	r := ledger.Retirement{Scope: scope, MSP: c.ledger.MSP(), Epoch: epoch}
	signature, err := c.author.Signer.Sign(trust.RetirementStatement(c.ledger.Channel(), r))
	if err != nil {
		return err
	}
	return c.ledger.RetireScope(ctx, scope, epoch, signature.String())
}
