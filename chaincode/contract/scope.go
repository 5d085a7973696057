package contract

import (
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Scope keeps search domains: their epochs and their wrapped keys. The policy of a scope
// is inside its wrapped key, where the chaincode cannot read it.
type Scope struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions lists the reads for the metadata.
func (*Scope) GetEvaluateTransactions() []string {
	return []string{"List", "Key", "Retired", "Searchable"}
}

// Create makes a scope at epoch 1. The transient map has its wrapped key.
//
// Errors:
//   - ErrDenied unless the caller is an admin or custodian of a hospital.
//   - ErrExists if a scope has the name.
//   - ErrInvalid if the name or the wrapped key is malformed.
func (c *Scope) Create(ctx *Context, name string) error {
	who, err := c.admit(ctx, custodians)
	if err != nil {
		return err
	}
	_, exists, err := ctx.scope(name)
	if err != nil {
		return err
	}
	if exists {
		return refuse(ledger.ErrExists, "scope %s exists already", name)
	}
	return c.start(ctx, ledger.Scope{Name: name, Epoch: 1, Owner: who.msp})
}

// Roll starts the next epoch of a scope under a new key. Only the owner may roll: a new
// key can lock every other hospital out of the scope.
//
// Errors:
//   - ErrDenied unless the caller is an admin or custodian of the hospital that created
//     the scope.
//   - ErrNotFound if there is no such scope.
//   - ErrExists if the scope has reached the epoch.
//   - ErrInvalid if the epoch is not the next one, or the wrapped key is malformed.
func (c *Scope) Roll(ctx *Context, name string, epoch int) error {
	who, s, err := c.existing(ctx, name, epoch)
	switch {
	case err != nil:
		return err
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

// existing admits a custodian and reads the scope that a transaction changes.
func (c *Scope) existing(ctx *Context, name string, epoch int) (caller, ledger.Scope, error) {
	who, err := c.admit(ctx, custodians)
	if err != nil {
		return caller{}, ledger.Scope{}, err
	}
	if err := checkVersion("epoch", epoch); err != nil {
		return caller{}, ledger.Scope{}, err
	}
	s, found, err := ctx.scope(name)
	if err == nil && !found {
		err = refuse(ledger.ErrNotFound, "no scope %s", name)
	}
	return who, s, err
}

// scope reads the current epoch of a scope and tells whether there is one.
func (ctx *Context) scope(name string) (s ledger.Scope, found bool, err error) {
	if err := checkScopeName(name); err != nil {
		return s, false, err
	}
	found, err = ctx.get(ledger.ScopeStateKey(name), &s)
	return s, found, err
}

// start writes an epoch with its wrapped key from the transient map.
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
	b.own(s.Owner)
	b.raw(ledger.ScopeEpochKey(s.Name, s.Epoch), ledger.ScopeValue(s))
	b.own(s.Owner)
	b.changeSearchable(ctx)
	b.wrapped(ledger.ScopeKeyKey(s.Name, s.Epoch), envelope)
	return c.write(ctx, &b)
}

// Retire records that the caller's hospital has rewritten its index entries of all epochs
// up to this one, so that searchers skip those epochs. It speaks for the caller's MSP
// alone: no hospital can hide the entries of another. The latest retirement may be
// repeated with a new signature, which replaces the stored one.
//
// Errors:
//   - ErrDenied unless the caller is an admin or custodian of a hospital.
//   - ErrNotFound if there is no such scope.
//   - ErrExists if the hospital has retired the epoch already.
//   - ErrInvalid if the epoch is not a past one, or the signature is not the caller's.
func (c *Scope) Retire(ctx *Context, name string, epoch int, signature string) error {
	who, s, err := c.existing(ctx, name, epoch)
	if err != nil {
		return err
	}
	if err := checkSignature(who, signature); err != nil {
		return err
	}
	if epoch >= s.Epoch {
		return refuse(ledger.ErrInvalid, "scope %s is at epoch %d, and only earlier ones can be retired", name, s.Epoch)
	}
	at := ledger.ScopeRetiredKey(name, who.msp)
	var before ledger.Retirement
	found, err := ctx.get(at, &before)
	if err != nil {
		return err
	}
	again := before.Epoch == epoch && signature != "" && signature != before.Signature
	if found && before.Epoch >= epoch && !again {
		return refuse(ledger.ErrExists, "%s has retired epoch %d of scope %s already", who.msp, before.Epoch, name)
	}
	now, err := ctx.time()
	if err != nil {
		return err
	}
	var b batch
	b.put(at, ledger.Retirement{Scope: name, MSP: who.msp, Epoch: epoch, Actor: who.actor(), Time: now, Signature: signature})
	b.own(who.msp)
	b.changeSearchable(ctx)
	return c.write(ctx, &b)
}

// Retired gives the latest retirement of each hospital, in the order of MSP IDs. Every
// member of the channel may call it.
//
// Errors:
//   - ErrInvalid if the name is malformed.
func (c *Scope) Retired(ctx *Context, name string) ([]ledger.Retirement, error) {
	if err := checkScopeName(name); err != nil {
		return nil, err
	}
	return list[ledger.Retirement](ctx, ledger.ScopeRetiredPrefix(name))
}

// List gives every scope, in the order of names. Every member of the channel may call it.
func (c *Scope) List(ctx *Context) ([]ledger.Scope, error) {
	return list[ledger.Scope](ctx, ledger.ScopeStatePrefix)
}

// Key hands out the wrapped key of an epoch to the actor of a recent access entry for the
// scope. Its errors are those of [Record.Envelope].
func (c *Scope) Key(ctx *Context, name string, epoch int, accessID string) (ledger.Envelope, error) {
	if err := checkScopeName(name); err != nil {
		return ledger.Envelope{}, err
	}
	if err := checkVersion("epoch", epoch); err != nil {
		return ledger.Envelope{}, err
	}
	return c.handOut(ctx, ledger.ScopeTarget(name), accessID, ledger.ScopeKeyKey(name, epoch))
}
