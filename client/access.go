package client

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

func checkPurpose(purpose string) (string, error) {
	if purpose == "" {
		return defaultPurpose, nil
	}
	if _, ok := ledger.Purposes[purpose]; !ok {
		return "", ledger.Errorf(ErrInvalid, "%q is not a purpose of use, such as TREAT or ETREAT", purpose)
	}
	return purpose, nil
}

// An AccessLog is the part of the ledger that hands out wrapped keys for access entries.
type AccessLog interface {
	// RequestAccess commits one access entry a target, in the order of targets, before it
	// returns.
	RequestAccess(ctx context.Context, targets []string, purpose string) ([]ledger.AccessEntry, error)

	// Envelope returns the wrapped key of a version to the actor of the access entry, and
	// the number of the version's newest seal, of which it is. It fails with
	// [ErrUnavailable] as long as the private data has not reached the peer that is
	// asked.
	Envelope(ctx context.Context, id string, version int, accessID string) (data []byte, seal int, err error)
}

// An accessor fetches wrapped keys, each for an access entry that it commits first. It is
// the only way of a Client to a wrapped key.
type accessor struct {
	ledger interface {
		Records(ctx context.Context, ids []string) ([]ledger.Record, error)
		AccessLog
	}
	entries accessEntries
}

// A handedOut is an envelope that the ledger gave for an access entry.
type handedOut struct {
	version  ledger.RecordVersion
	newest   int // version of the record
	access   ledger.AccessEntry
	envelope []byte
}

// handOut commits an access entry for a record and fetches the envelope of a version,
// zero being the current one.
func (a *accessor) handOut(ctx context.Context, id string, version int, purpose string) (handedOut, error) {
	h, err := a.wanted(ctx, id, version, purpose)
	if err == nil {
		err = a.request(ctx, &h)
	}
	return h, err
}

// handOutAgain is handOut for a reader whose access entry for the record and the purpose
// may still serve.
func (a *accessor) handOutAgain(ctx context.Context, id string, version int, purpose string) (handedOut, error) {
	h, err := a.wanted(ctx, id, version, purpose)
	if err != nil {
		return h, err
	}
	if own, known := a.entries.recall(id, h.access.Purpose); known {
		var seal int
		if h.envelope, seal, err = a.ledger.Envelope(ctx, id, h.version.Version, own.ID); err == nil && seal == h.version.Seal {
			h.access = own
			return h, nil
		}
		a.entries.forget(id, h.access.Purpose) // a new entry will show what is wrong
	}
	return h, a.request(ctx, &h)
}

// wanted checks everything that can be refused without an access entry.
func (a *accessor) wanted(ctx context.Context, id string, version int, purpose string) (h handedOut, err error) {
	if h.access.Purpose, err = checkPurpose(purpose); err != nil {
		return h, err
	}
	h.version, h.newest, err = a.find(ctx, id, version)
	return h, err
}

func (a *accessor) request(ctx context.Context, h *handedOut) error {
	entries, err := a.ledger.RequestAccess(ctx, []string{h.version.ID}, h.access.Purpose)
	if err != nil {
		return err
	}
	h.access = entries[0]
	h.version, h.envelope, err = a.envelope(ctx, h.version, h.access.ID)
	return err
}

// envelope fetches the envelope of a version for an access entry that is committed
// already. If the version is sealed again meanwhile, it returns what the version is now.
func (a *accessor) envelope(ctx context.Context, v ledger.RecordVersion, accessID string) (ledger.RecordVersion, []byte, error) {
	for again := 0; ; again++ {
		var seal int
		data, err := awaitPrivate(ctx, func() (data []byte, err error) {
			data, seal, err = a.ledger.Envelope(ctx, v.ID, v.Version, accessID)
			return data, err
		})
		if err != nil || seal == v.Seal {
			return v, data, err
		}
		if again == 3 {
			return v, nil, ledger.Errorf(ErrTampered, "the ledger has seal %d of it, and the peer hands out the key of seal %d", v.Seal, seal)
		}
		if v, err = a.version(ctx, v.ID, v.Version); err != nil {
			return v, nil, err
		}
	}
}

// version returns what the ledger says of a version; zero is the current one.
func (a *accessor) version(ctx context.Context, id string, version int) (ledger.RecordVersion, error) {
	v, _, err := a.find(ctx, id, version)
	return v, err
}

// find is version with the number of the newest version.
func (a *accessor) find(ctx context.Context, id string, version int) (none ledger.RecordVersion, newest int, err error) {
	records, err := a.ledger.Records(ctx, []string{id})
	if err != nil {
		return none, 0, err
	}
	if len(records) != 1 || records[0].ID != id {
		return none, 0, ledger.Errorf(ErrNotFound, "there is no such record on the ledger")
	}
	r := records[0]
	if r.Erasure != nil {
		return none, 0, erased(*r.Erasure)
	}
	home := r.Versions[0].Home
	for _, v := range r.Versions {
		if version == v.Version || version == 0 && v.Version == r.Current().Version {
			if v.Home != home {
				return none, 0, ledger.Errorf(ErrTampered, "its home is %s, and the ledger has a version of %s", home, v.Home)
			}
			return v, r.Current().Version, nil
		}
	}
	return none, 0, ledger.Errorf(ErrNotFound, "it has no version %d; the current one is %d", version, records[0].Current().Version)
}

func erased(e ledger.Erasure) error {
	return ledger.Errorf(ErrErased, "it was erased by %s on %.10s: %s", e.Actor, e.Time, ledger.ErasureReasons[e.Reason])
}

// awaitPrivate fetches a wrapped key. Private data travels apart from the block and may
// reach the own peer a little after it.
func awaitPrivate(ctx context.Context, fetch func() ([]byte, error)) ([]byte, error) {
	const attempts = 6
	wait := 100 * time.Millisecond
	for i := 1; ; i++ {
		data, err := fetch()
		// Wait only if the chaincode itself says that the key is missing, not if a peer
		// is away.
		var refusal *ledger.Error
		if err == nil || i == attempts || !errors.Is(err, ErrUnavailable) || !errors.As(err, &refusal) {
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

// entitlement turns the refusal of all identities into ErrNotSatisfied.
func entitlement(err error) error {
	var refused *abe.NotSatisfiedError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("not entitled: %w", refused)
	case errors.Is(err, age.ErrIncorrectIdentity):
		return fmt.Errorf("not entitled: none of the held keys opens it: %w", ErrNotSatisfied)
	}
	return err
}

// reuse is how long an access entry serves. It ends well before the ledger refuses the
// entry, because clocks differ.
const reuse = ledger.AccessWindow * 3 / 4

// accessEntries are the entries that this Client has committed and may still use. They
// are kept in this process only, so that every run of a program leaves its own trace. The
// zero value is ready, and safe for concurrent use.
type accessEntries struct {
	mu      sync.Mutex
	entries map[accessKey]ownAccess
}

type accessKey struct{ target, purpose string }

type ownAccess struct {
	entry ledger.AccessEntry
	since time.Time // monotonic
}

func (a *accessEntries) recall(target, purpose string) (ledger.AccessEntry, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	own, ok := a.entries[accessKey{target, purpose}]
	return own.entry, ok && time.Since(own.since) < reuse
}

func (a *accessEntries) remember(target string, e ledger.AccessEntry) {
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

func (a *accessEntries) forget(target, purpose string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.entries, accessKey{target, purpose})
}
