// Package access fetches wrapped keys of records, each for an access entry that is
// committed to the ledger first. Nothing else in a client fetches them.
package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

const defaultPurpose = "TREAT"

// Managing is the purpose of what keeps records in order: sealing them again, erasing
// them, and writing their index entries anew.
const Managing = "RECORDMGT"

// CheckPurpose returns the purpose of use of an access, TREAT if none is stated.
//
// Errors:
//   - ledger.ErrInvalid if there is no such purpose.
func CheckPurpose(purpose string) (string, error) {
	if purpose == "" {
		return defaultPurpose, nil
	}
	if _, ok := ledger.Purposes[purpose]; !ok {
		return "", ledger.Errorf(ledger.ErrInvalid, "%q is not a purpose of use, such as TREAT or ETREAT", purpose)
	}
	return purpose, nil
}

// A Log is the part of the ledger that hands out wrapped keys for access entries.
type Log interface {
	// RequestAccess commits one access entry a target, in the order of targets, before it
	// returns.
	RequestAccess(ctx context.Context, targets []string, purpose string) ([]ledger.AccessEntry, error)

	// Envelope returns the wrapped key of a version to the actor of the access entry, and
	// the number of the version's newest seal, of which it is. It fails with
	// [ledger.ErrUnavailable] as long as the private data has not reached the peer that
	// is asked.
	Envelope(ctx context.Context, id string, version int, accessID string) (data []byte, seal int, err error)
}

// An Accessor fetches wrapped keys, each for an access entry that it commits first. It is
// the only way of a client to a wrapped key.
type Accessor struct {
	Ledger interface {
		Records(ctx context.Context, ids []string) ([]ledger.Record, error)
		Log
	}
	Entries Entries
}

// A Grant is an envelope that the ledger gave for an access entry.
type Grant struct {
	Version  ledger.RecordVersion
	Newest   int // version of the record
	Access   ledger.AccessEntry
	Envelope []byte
}

// HandOut commits an access entry for a record and fetches the envelope of a version,
// zero being the current one.
func (a *Accessor) HandOut(ctx context.Context, id string, version int, purpose string) (Grant, error) {
	h, err := a.wanted(ctx, id, version, purpose)
	if err == nil {
		err = a.request(ctx, &h)
	}
	return h, err
}

// HandOutAgain is HandOut for a reader whose access entry for the record and the purpose
// may still serve.
func (a *Accessor) HandOutAgain(ctx context.Context, id string, version int, purpose string) (Grant, error) {
	h, err := a.wanted(ctx, id, version, purpose)
	if err != nil {
		return h, err
	}
	if own, known := a.Entries.recall(id, h.Access.Purpose); known {
		var seal int
		if h.Envelope, seal, err = a.Ledger.Envelope(ctx, id, h.Version.Version, own.ID); err == nil && seal == h.Version.Seal {
			h.Access = own
			return h, nil
		}
		a.Entries.Forget(id, h.Access.Purpose) // a new entry will show what is wrong
	}
	return h, a.request(ctx, &h)
}

// wanted checks everything that can be refused without an access entry.
func (a *Accessor) wanted(ctx context.Context, id string, version int, purpose string) (h Grant, err error) {
	if h.Access.Purpose, err = CheckPurpose(purpose); err != nil {
		return h, err
	}
	h.Version, h.Newest, err = a.find(ctx, id, version)
	return h, err
}

func (a *Accessor) request(ctx context.Context, h *Grant) error {
	entries, err := a.Ledger.RequestAccess(ctx, []string{h.Version.ID}, h.Access.Purpose)
	if err != nil {
		return err
	}
	h.Access = entries[0]
	h.Version, h.Envelope, err = a.Envelope(ctx, h.Version, h.Access.ID)
	return err
}

// Envelope fetches the envelope of a version for an access entry that is committed
// already. If the version is sealed again meanwhile, it returns what the version is now.
func (a *Accessor) Envelope(ctx context.Context, v ledger.RecordVersion, accessID string) (ledger.RecordVersion, []byte, error) {
	for again := 0; ; again++ {
		var seal int
		data, err := AwaitPrivate(ctx, func() (data []byte, err error) {
			data, seal, err = a.Ledger.Envelope(ctx, v.ID, v.Version, accessID)
			return data, err
		})
		if err != nil || seal == v.Seal {
			return v, data, err
		}
		if again == 3 {
			return v, nil, ledger.Errorf(ledger.ErrTampered, "the ledger has seal %d of it, and the peer hands out the key of seal %d", v.Seal, seal)
		}
		if v, err = a.Version(ctx, v.ID, v.Version); err != nil {
			return v, nil, err
		}
	}
}

// Version returns what the ledger says of a version; zero is the current one.
func (a *Accessor) Version(ctx context.Context, id string, version int) (ledger.RecordVersion, error) {
	v, _, err := a.find(ctx, id, version)
	return v, err
}

// find is Version with the number of the newest version.
func (a *Accessor) find(ctx context.Context, id string, version int) (none ledger.RecordVersion, newest int, err error) {
	records, err := a.Ledger.Records(ctx, []string{id})
	if err != nil {
		return none, 0, err
	}
	if len(records) != 1 || records[0].ID != id {
		return none, 0, ledger.Errorf(ledger.ErrNotFound, "there is no such record on the ledger")
	}
	r := records[0]
	if r.Erasure != nil {
		return none, 0, Erased(*r.Erasure)
	}
	home := r.Versions[0].Home
	for _, v := range r.Versions {
		if version == v.Version || version == 0 && v.Version == r.Current().Version {
			if v.Home != home {
				return none, 0, ledger.Errorf(ledger.ErrTampered, "its home is %s, and the ledger has a version of %s", home, v.Home)
			}
			return v, r.Current().Version, nil
		}
	}
	return none, 0, ledger.Errorf(ledger.ErrNotFound, "it has no version %d; the current one is %d", version, records[0].Current().Version)
}

// Erased is the error of a record that was erased.
func Erased(e ledger.Erasure) error {
	return ledger.Errorf(ledger.ErrErased, "it was erased by %s on %.10s: %s", e.Actor, e.Time, ledger.ErasureReasons[e.Reason])
}

// AwaitPrivate fetches a wrapped key. Private data travels apart from the block and may
// reach the own peer a little after it.
func AwaitPrivate(ctx context.Context, fetch func() ([]byte, error)) ([]byte, error) {
	const attempts = 6
	wait := 100 * time.Millisecond
	for i := 1; ; i++ {
		data, err := fetch()
		// Wait only if the chaincode itself says that the key is missing, not if a peer
		// is away.
		var refusal *ledger.Error
		if err == nil || i == attempts || !errors.Is(err, ledger.ErrUnavailable) || !errors.As(err, &refusal) {
			return data, err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Entitlement turns the refusal of all identities into abe.ErrNotSatisfied.
func Entitlement(err error) error {
	var refused *abe.NotSatisfiedError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("not entitled: %w", refused)
	case errors.Is(err, age.ErrIncorrectIdentity):
		return fmt.Errorf("not entitled: none of the held keys opens it: %w", abe.ErrNotSatisfied)
	}
	return err
}

// reuse is how long an access entry serves. It ends well before the ledger refuses the
// entry, because clocks differ.
const reuse = ledger.AccessWindow * 3 / 4

// Entries are the entries that this process has committed and may still use. They
// are kept in this process only, so that every run of a program leaves its own trace. The
// zero value is ready, and safe for concurrent use.
type Entries struct {
	mu      sync.Mutex
	entries map[accessKey]ownAccess
}

type accessKey struct{ target, purpose string }

type ownAccess struct {
	entry ledger.AccessEntry
	since time.Time // monotonic
}

func (a *Entries) recall(target, purpose string) (ledger.AccessEntry, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	own, ok := a.entries[accessKey{target, purpose}]
	return own.entry, ok && time.Since(own.since) < reuse
}

// Remember keeps an entry that was committed for a target.
func (a *Entries) Remember(target string, e ledger.AccessEntry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.entries, func(_ accessKey, own ownAccess) bool { return time.Since(own.since) >= reuse })
	if a.entries == nil {
		a.entries = make(map[accessKey]ownAccess)
	}
	key := accessKey{target, e.Purpose}
	if a.entries[key].entry != e { // an entry does not get younger by being used again
		a.entries[key] = ownAccess{e, time.Now()}
	}
}

// Forget makes the next reader of a target commit an entry.
func (a *Entries) Forget(target, purpose string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.entries, accessKey{target, purpose})
}
