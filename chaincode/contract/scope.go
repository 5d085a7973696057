package contract

import (
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Scope keeps search domains. What a scope's key opens is decided by its policy, which is
// inside its wrapped key.
type Scope struct {
	contractapi.Contract
	house
}

// GetEvaluateTransactions names the reads, for the metadata.
func (*Scope) GetEvaluateTransactions() []string { return []string{"List", "Key", "Retired"} }

// Create makes a scope at epoch 1, with its wrapped key from the transient map. Errors:
// ErrDenied unless the caller is an admin or custodian of a hospital, ErrExists,
// ErrInvalid.
func (c *Scope) Create(ctx *Context, name string) error {
	who, err := c.admit(ctx, custodians)
	if err != nil {
		return err
	}
	if err := checkScopeName(name); err != nil {
		return err
	}
	exists, err := ctx.get(ledger.ScopeStateKey(name), &ledger.Scope{})
	if err != nil {
		return err
	}
	if exists {
		return refuse(ledger.ErrExists, "scope %s exists already", name)
	}
	return c.start(ctx, ledger.Scope{Name: name, Epoch: 1, Owner: who.msp})
}

// Roll starts the next epoch of a scope under a new key. Only the owner may: whoever else
// could, could lock everybody out of the scope with a key that nobody unwraps. Errors:
// ErrDenied unless the caller is an admin or custodian of the hospital that created the
// scope, ErrNotFound, ErrExists when the epoch is there already, ErrInvalid.
func (c *Scope) Roll(ctx *Context, name string, epoch int) error {
	who, err := c.admit(ctx, custodians)
	if err != nil {
		return err
	}
	if err := checkScopeName(name); err != nil {
		return err
	}
	if err := checkVersion("epoch", epoch); err != nil {
		return err
	}
	var s ledger.Scope
	found, err := ctx.get(ledger.ScopeStateKey(name), &s)
	switch {
	case err != nil:
		return err
	case !found:
		return refuse(ledger.ErrNotFound, "no scope %s", name)
	case s.Owner != who.msp:
		return refuse(ledger.ErrDenied, "scope %s belongs to %s, which alone may roll it", name, s.Owner)
	case epoch <= s.Epoch:
		return refuse(ledger.ErrExists, "scope %s is at epoch %d already", name, s.Epoch)
	case epoch != s.Epoch+1:
		return refuse(ledger.ErrInvalid, "scope %s is at epoch %d: the next is not %d", name, s.Epoch, epoch)
	}
	s.Epoch = epoch
	return c.start(ctx, s)
}

// start writes an epoch.
func (c *Scope) start(ctx *Context, s ledger.Scope) error {
	envelope, err := ctx.envelope()
	if err != nil {
		return err
	}
	if s.Time, err = ctx.time(); err != nil {
		return err
	}
	var b batch
	b.raw(ledger.ScopeStateKey(s.Name), ledger.ScopeValue(s))
	b.raw(ledger.ScopeEpochKey(s.Name, s.Epoch), ledger.ScopeValue(s))
	b.changeSearchable(ctx)
	b.wrapped(ledger.ScopeKeyKey(s.Name, s.Epoch), envelope)
	return ctx.write(&b)
}

// Retire notes that the caller's hospital has written its index entries of all epochs up
// to this one anew, so that searchers need not ask for the old ones. It speaks for the
// caller's MSP alone: no hospital can hide what another has indexed, and its own it could
// delete anyway. Errors: ErrDenied unless the caller is an admin or custodian of a
// hospital, ErrNotFound, ErrExists when it has retired the epoch already, ErrInvalid when
// the epoch is not a past one.
func (c *Scope) Retire(ctx *Context, name string, epoch int) error {
	who, err := c.admit(ctx, custodians)
	if err != nil {
		return err
	}
	if err := checkScopeName(name); err != nil {
		return err
	}
	if err := checkVersion("epoch", epoch); err != nil {
		return err
	}
	var s ledger.Scope
	found, err := ctx.get(ledger.ScopeStateKey(name), &s)
	switch {
	case err != nil:
		return err
	case !found:
		return refuse(ledger.ErrNotFound, "no scope %s", name)
	case epoch >= s.Epoch:
		return refuse(ledger.ErrInvalid, "scope %s is at epoch %d, and only earlier ones can be retired", name, s.Epoch)
	}
	at := ledger.ScopeRetiredKey(name, who.msp)
	var before ledger.Retirement
	if found, err = ctx.get(at, &before); err != nil {
		return err
	}
	if found && before.Epoch >= epoch {
		return refuse(ledger.ErrExists, "%s has retired epoch %d of scope %s already", who.msp, before.Epoch, name)
	}
	now, err := ctx.time()
	if err != nil {
		return err
	}
	var b batch
	b.put(at, ledger.Retirement{Scope: name, MSP: who.msp, Epoch: epoch, Actor: who.actor(), Time: now})
	b.changeSearchable(ctx)
	return ctx.write(&b)
}

// Retired gives what hospitals have retired of a scope, in the order of their MSP IDs. It
// is open to every member of the channel. Errors: ErrInvalid.
func (c *Scope) Retired(ctx *Context, name string) ([]ledger.Retirement, error) {
	if err := checkScopeName(name); err != nil {
		return nil, err
	}
	return list[ledger.Retirement](ctx, ledger.ScopeRetiredPrefix(name))
}

// List gives every scope, in the order of names. It is open to every member of the
// channel.
func (c *Scope) List(ctx *Context) ([]ledger.Scope, error) {
	return list[ledger.Scope](ctx, ledger.ScopeStatePrefix)
}

// Key hands out the wrapped key of an epoch, to the actor of a recent access entry for
// the scope. For its errors see [Record.Envelope].
func (c *Scope) Key(ctx *Context, name string, epoch int, accessID string) (ledger.Envelope, error) {
	if err := checkScopeName(name); err != nil {
		return ledger.Envelope{}, err
	}
	if err := checkVersion("epoch", epoch); err != nil {
		return ledger.Envelope{}, err
	}
	return c.handOut(ctx, ledger.ScopeTarget(name), accessID, ledger.ScopeKeyKey(name, epoch))
}
