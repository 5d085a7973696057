package contract

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Access keeps the access log. A wrapped key is handed out only after its access entry is
// committed.
type Access struct {
	contractapi.Contract
	consortium
}

// Request writes an access entry for each target: the caller asks for its wrapped key,
// for a purpose. A target is a record id, or the [ledger.ScopeTarget] of a scope. All
// entries have the same id, see [ledger.AccessID].
//
// Requests conflict with nothing, not even with changes of their targets: they read keys
// that are written once, and write keys that contain the transaction's id.
//
// Errors:
//   - ErrDenied unless the caller is a clinical user or custodian of a hospital.
//   - ErrNotFound if a target does not exist.
//   - ErrErased if a target is a record that was erased.
//   - ErrInvalid if a target or the purpose is malformed, a target is given twice, or
//     there are none or too many.
func (c *Access) Request(ctx *Context, targets []string, purpose string) error {
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return err
	}
	if err := count("targets", len(targets), ledger.MaxRecordsPerCall); err != nil {
		return err
	}
	if _, known := ledger.Purposes[purpose]; !known {
		return refuse(ledger.ErrInvalid, "purpose %.32q is not a code of HL7 PurposeOfUse", purpose)
	}
	at := make([]string, len(targets))
	seen := make(map[string]bool, len(targets))
	for i, t := range targets {
		if at[i], err = checkTarget(t); err != nil {
			return err
		}
		if seen[t] {
			return refuse(ledger.ErrInvalid, "target %s is given twice", t)
		}
		seen[t] = true
	}
	for _, t := range targets { // a scope is never erased
		at = append(at, ledger.ErasedKey(t))
	}
	values, err := ctx.many(at)
	if err != nil {
		return err
	}
	now, err := ctx.time()
	if err != nil {
		return err
	}
	id := ledger.AccessID(now, ctx.GetStub().GetTxID())
	var b batch
	for i, t := range targets {
		if len(values[i]) == 0 {
			return refuse(ledger.ErrNotFound, "no record or scope %s", t)
		}
		if tombstone := values[len(targets)+i]; len(tombstone) > 0 {
			return erased(t, tombstone)
		}
		b.raw(ledger.AccessKey(t, id), ledger.AccessValue(ledger.AccessEntry{Actor: who.actor(), Purpose: purpose}))
		b.mark(ledger.AccessActorKey(who.actor(), id, t))
		b.mark(ledger.AccessTimeKey(id, t))
	}
	return c.write(ctx, &b)
}

// handOut gives a wrapped key to the actor of a recent access entry for the target. Its
// key names it in the private data.
//
// An entry in this peer's state is committed: a proposal that was only endorsed, or that
// was found invalid, wrote nothing.
func (c consortium) handOut(ctx *Context, target, accessID, key string) (ledger.Envelope, error) {
	var none ledger.Envelope
	who, err := c.admit(ctx, clinicians)
	if err != nil {
		return none, err
	}
	if err := checkAccessID(accessID); err != nil {
		return none, err
	}
	at := ledger.AccessKey(target, accessID)
	value, err := ctx.many([]string{at})
	if err != nil {
		return none, err
	}
	if len(value[0]) == 0 {
		return none, refuse(ledger.ErrDenied, "no access entry %s for %s on this peer", accessID, target)
	}
	entry, err := readAccess(at, value[0])
	switch {
	case err != nil:
		return none, err
	case entry.Actor != who.actor():
		return none, refuse(ledger.ErrDenied, "access entry %s does not belong to %s", accessID, who.actor())
	}
	if err := c.recent(ctx, entry); err != nil {
		return none, err
	}
	data, err := ctx.wrappedKey(key)
	if err != nil {
		return none, err
	}
	return ledger.Envelope{Data: base64.StdEncoding.EncodeToString(data), ServedBy: c.msp}, nil
}

// recent checks the age of an entry by the server's clock, if it has one. See
// [Config.Clock].
func (c consortium) recent(ctx *Context, entry ledger.AccessEntry) error {
	made, err := ledger.ParseTime(entry.Time)
	if err != nil {
		return broken("read an access entry's time", err)
	}
	var now time.Time
	if c.clock != nil {
		now = c.clock()
	} else if now, err = ctx.now(); err != nil {
		return err
	}
	switch age := now.Sub(made); {
	case age > ledger.AccessWindow:
		return refuse(ledger.ErrDenied, "access entry %s is older than %v: ask again (and check the clock)", entry.ID, ledger.AccessWindow)
	case age < -ledger.AccessWindowFuture:
		return refuse(ledger.ErrDenied, "access entry %s is more than %v in the future: check the clock", entry.ID, ledger.AccessWindowFuture)
	}
	return nil
}

// wrappedKey reads a whole wrapped key. It checks a shared beginning against its hash.
func (ctx *Context) wrappedKey(key string) ([]byte, error) {
	value, err := ctx.privateData(key)
	if err != nil {
		return nil, err
	}
	whole, err := ledger.JoinEnvelope(value, ctx.privateData)
	if errors.Is(err, ledger.ErrTampered) {
		return nil, refuse(ledger.ErrTampered, "wrapped key %s: %v", key, err)
	}
	return whole, err
}

// notHere is what a peer says when it has the hash of private data, from the block, and
// not yet the data. Fabric has no code for it.
const notHere = "private data matching public hash version is not available"

// privateData reads a wrapped key or a shared beginning. A peer can have the hash of a
// value before the value arrives from another hospital's peer. Its answer is then
// ErrUnavailable and not ErrNotFound.
func (ctx *Context) privateData(key string) ([]byte, error) {
	data, err := ctx.GetStub().GetPrivateData(ledger.HospitalKeys, key)
	switch {
	case err != nil && !strings.Contains(err.Error(), notHere):
		return nil, broken("read private data", err)
	case err == nil && len(data) > 0:
		return data, nil
	case err == nil:
		there, err := ctx.hasPrivate(key)
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, refuse(ledger.ErrNotFound, "no wrapped key %s", key)
		}
	}
	return nil, refuse(ledger.ErrUnavailable, "wrapped key %s is not on this peer yet: ask again, or ask another hospital's peer", key)
}

// hasPrivate tells whether a key has private data. Every peer knows that from the hash,
// with or without the data.
func (ctx *Context) hasPrivate(key string) (bool, error) {
	hash, err := ctx.GetStub().GetPrivateDataHash(ledger.HospitalKeys, key)
	if err != nil {
		return false, broken("read the hash of private data", err)
	}
	return len(hash) > 0, nil
}
