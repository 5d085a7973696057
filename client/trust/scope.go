package trust

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A ScopeKey is the key of an epoch as a reader has opened it.
type ScopeKey struct {
	Scope     string
	Epoch     int
	Owner     string // member that made the scope, as the ledger says
	Digest    [32]byte
	Policy    string            // canonical, that it is wrapped for
	Signature *ledger.Signature // nil if it was made before there were signatures
}

// A pinnedScope is what was seen of a scope.
type pinnedScope struct {
	Owner  string `json:"owner"`
	Signed int    `json:"signed,omitempty"` // the earliest epoch that was signed
}

func scopeItem(name string) string { return "scope-owner/" + name + ".json" }

// ConfirmScopeKey checks that the custodian of a scope's owner has signed a key. This is
// needed because anyone can wrap a key of their own for a scope's policy, and could then
// read everything indexed under it.
//
// The owner is pinned when it is first seen. A witness confirms the first key that is
// seen of a scope, and every key from before there were signatures. It holds the same
// wrapped key for the access entry.
//
// Errors:
//   - ErrTampered if the signature is not of the owner's custodian, if it is missing and
//     an earlier epoch was signed, if the owner has changed, or if the witness holds
//     another key.
//   - ErrUnavailable if there are witnesses and none answers.
func (d *Directory) ConfirmScopeKey(ctx context.Context, k ScopeKey, accessID string, wrapped []byte) error {
	what := fmt.Sprintf("the key of scope %s", k.Scope)
	pinned, seen, err := d.pinnedScope(k.Scope)
	if err != nil {
		return err
	}
	now := pinned
	switch {
	case !seen:
		now.Owner = k.Owner
	case pinned.Owner != k.Owner:
		return ledger.Errorf(ledger.ErrTampered, "the ledger says that scope %s is of %s, and it was of %s", k.Scope, k.Owner, pinned.Owner)
	}
	if k.Signature == nil {
		if pinned.Signed != 0 && k.Epoch >= pinned.Signed {
			return ledger.Errorf(ledger.ErrTampered, "%s: epoch %d has no signature, but its owner has signed its keys since epoch %d", what, k.Epoch, pinned.Signed)
		}
	} else {
		statement := ScopeKeyStatement(d.Ledger.Channel(), k.Scope, k.Epoch, k.Digest, k.Policy)
		if err := d.verification(time.Time{}).bySigner(ctx, k.Owner, custodians, what, statement, *k.Signature); err != nil {
			return err
		}
		if now.Signed == 0 || k.Epoch < now.Signed {
			now.Signed = k.Epoch
		}
	}
	if !seen || k.Signature == nil {
		err := confirm(ctx, what, d.Witnesses, func(ctx context.Context, w Ledger) (bool, error) {
			theirs, err := w.ScopeKey(ctx, k.Scope, k.Epoch, accessID)
			return bytes.Equal(theirs, wrapped), err
		})
		if err != nil {
			return err
		}
	}
	if seen && now == pinned {
		return nil
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return d.Memory.Store(scopeItem(k.Scope), text)
}

// CheckRetirement checks that a hospital's custodian has signed its retirement.
//
// Errors:
//   - ErrTampered if it has not.
func (d *Directory) CheckRetirement(ctx context.Context, r ledger.Retirement) error {
	what := fmt.Sprintf("the retirement of epoch %d of scope %s by %s", r.Epoch, r.Scope, r.MSP)
	return d.verification(time.Time{}).by(ctx, r.MSP, custodians, what, RetirementStatement(d.Ledger.Channel(), r), r.Signature)
}

// ScopeSigned reports whether the key of an epoch had a signature when it was confirmed.
func (d *Directory) ScopeSigned(name string, epoch int) (bool, error) {
	p, _, err := d.pinnedScope(name)
	return p.Signed != 0 && epoch >= p.Signed, err
}

func (d *Directory) pinnedScope(name string) (p pinnedScope, seen bool, err error) {
	text, err := d.Memory.Load(scopeItem(name))
	if errors.Is(err, ledger.ErrNotFound) {
		return p, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, false, ledger.Errorf(ledger.ErrInvalid, "the pinned owner of scope %s cannot be read: %v", name, err)
	}
	return p, true, nil
}
