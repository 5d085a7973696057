// Package scope finds what one person can search: the keys of a scope that they can
// unwrap, and the view of the index that these keys give.
package scope

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/cache"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/trust"
)

// A Ledger is the part of the ledger that holds search scopes.
type Ledger interface {
	Scopes(ctx context.Context) ([]ledger.Scope, error)

	// Searchable tells what a search of the named scope covers, when Scopes and
	// SearchEntries refuse to list all scopes. No such scope is an empty list.
	Searchable(ctx context.Context, name string) (ledger.Searchable, error)

	// CreateScope makes a scope with epoch 1, whose wrapped key is envelope;
	// ledger.ErrExists if the name is taken.
	CreateScope(ctx context.Context, name string, envelope []byte) error

	// RollScope starts epoch, which must be the one after the current.
	RollScope(ctx context.Context, name string, epoch int, envelope []byte) error

	// RetireScope states that the caller's hospital has moved its entries of all epochs
	// up to this one, which must be past, to a newer epoch. The signature is the
	// caller's, in text form.
	RetireScope(ctx context.Context, name string, epoch int, signature string) error

	// Retirements lists the hospitals' statements of RetireScope about a scope.
	Retirements(ctx context.Context, name string) ([]ledger.Retirement, error)
}

// A Reader finds scopes and unwraps their keys for one person.
type Reader struct {
	Ledger interface {
		Ledger
		access.Log
		trust.Ledger
	}
	Trust      *trust.Directory
	Identities []age.Identity
	Memory     trust.Memory
	Recent     cache.Cache[ledger.Scope] // by name
}

// Scope returns a scope as the ledger has it now.
//
// Errors:
//   - ledger.ErrNotFound if there is none of this name.
func (r *Reader) Scope(ctx context.Context, name string) (ledger.Scope, error) {
	all, err := r.Ledger.Scopes(ctx)
	if TooMany(err) {
		var s ledger.Searchable
		s, err = r.Ledger.Searchable(ctx, name)
		all = s.Scopes
	}
	if err != nil {
		return ledger.Scope{}, err
	}
	return Named(all, name)
}

// TooMany reports whether the chaincode itself could not answer, as when there are more
// scopes than fit into a list.
func TooMany(err error) bool {
	var refusal *ledger.Error
	return errors.Is(err, ledger.ErrUnavailable) && errors.As(err, &refusal)
}

// Named returns the scope of a name.
//
// Errors:
//   - ledger.ErrNotFound if there is none; the message lists those that there are.
func Named(all []ledger.Scope, name string) (ledger.Scope, error) {
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	known := "there are none"
	if len(names) > 0 {
		known = "there are " + strings.Join(names, ", ")
	}
	return ledger.Scope{}, ledger.Errorf(ledger.ErrNotFound, "no scope %s; %s", name, known)
}

// Keys are the keys of a scope that this person can unwrap, by epoch.
type Keys struct {
	Scope   ledger.Scope
	keys    map[int]index.ScopeKey
	refused map[int]error // why the others could not be unwrapped
}

// Current is the key to write with.
func (k *Keys) Current() (index.ScopeKey, error) {
	if key, ok := k.keys[k.Scope.Epoch]; ok {
		return key, nil
	}
	return index.ScopeKey{}, k.refused[k.Scope.Epoch]
}

// newestFirst are the keys to search with, and the epochs that they are of.
func (k *Keys) newestFirst() (keys []index.ScopeKey, epochs map[index.ScopeKey]int) {
	epochs = make(map[index.ScopeKey]int)
	for e := k.Scope.Epoch; e >= 1; e-- {
		if key, ok := k.keys[e]; ok {
			keys = append(keys, key)
			epochs[key] = e
		}
	}
	return keys, epochs
}

// rememberedKeys is how scope keys are kept between runs. Time is that of the epoch which
// was current then: if the ledger has another time for that epoch, it is another ledger,
// and the keys are worthless.
type rememberedKeys struct {
	Epoch int            `json:"epoch"`
	Time  string         `json:"time"`
	Keys  map[int][]byte `json:"keys"`
}

// CurrentKeys unwraps the current key of a scope, whose epoch may be a cached answer.
func (r *Reader) CurrentKeys(ctx context.Context, name, purpose string) (*Keys, error) {
	s, err := r.Recent.Get(ctx, name, func() (ledger.Scope, error) { return r.Scope(ctx, name) })
	if err != nil {
		return nil, err
	}
	return r.Unwrap(ctx, s, purpose, true)
}

// NewestKey unwraps the key of a scope's current epoch, which it asks the ledger for.
func (r *Reader) NewestKey(ctx context.Context, name, purpose string) (index.ScopeKey, error) {
	s, err := r.Scope(ctx, name)
	if err != nil {
		return index.ScopeKey{}, err
	}
	keys, err := r.Unwrap(ctx, s, purpose, true)
	if err != nil {
		return index.ScopeKey{}, err
	}
	return keys.Current()
}

// Unwrap unwraps the key of the current epoch, or of all. A key that is not remembered
// costs an access entry. It fails only if the ledger does; the keys that this person
// cannot unwrap are in refused.
func (r *Reader) Unwrap(ctx context.Context, s ledger.Scope, purpose string, onlyCurrent bool) (*Keys, error) {
	name := s.Name
	k := &Keys{Scope: s, keys: make(map[int]index.ScopeKey), refused: make(map[int]error)}
	r.recall(k)
	first := 1
	if onlyCurrent {
		first = s.Epoch
	}
	var missing []int
	for e := first; e <= s.Epoch; e++ {
		if _, ok := k.keys[e]; !ok {
			missing = append(missing, e)
		}
	}
	if len(missing) == 0 {
		return k, nil
	}
	entries, err := r.Ledger.RequestAccess(ctx, []string{ledger.ScopeTarget(name)}, purpose)
	if err != nil {
		return nil, fmt.Errorf("ask for the key of scope %s: %w", name, err)
	}
	slices.Reverse(missing)
	learnt := false
	for _, e := range missing {
		key, err := r.fetch(ctx, s, e, entries[0].ID)
		switch {
		case err == nil:
			k.keys[e], learnt = key, true
		case errors.Is(err, abe.ErrNotSatisfied), errors.Is(err, ledger.ErrNotFound):
			k.refused[e] = fmt.Errorf("scope %s epoch %d: %w", name, e, err)
		default:
			return nil, fmt.Errorf("scope %s epoch %d: %w", name, e, err)
		}
	}
	if learnt {
		return k, r.remember(k)
	}
	return k, nil
}

// fetch unwraps the key of an epoch.
func (r *Reader) fetch(ctx context.Context, s ledger.Scope, epoch int, accessID string) (key index.ScopeKey, err error) {
	data, err := access.AwaitPrivate(ctx, func() ([]byte, error) { return r.Ledger.ScopeKey(ctx, s.Name, epoch, accessID) })
	if err != nil {
		return key, err
	}
	k, err := envelope.OpenScopeKey(data, s.Name, epoch, r.Identities...)
	if err != nil {
		return key, access.Entitlement(err)
	}
	header, err := envelope.ReadHeader(data)
	if err != nil {
		return key, err
	}
	claim := trust.ScopeKey{Scope: s.Name, Epoch: epoch, Owner: s.Owner, Digest: k.Digest, Signature: header.Signature}
	if claim.Policy, err = header.Policy(); err != nil {
		return key, err
	}
	if err := r.Trust.ConfirmScopeKey(ctx, claim, accessID, data); err != nil {
		return key, err
	}
	return index.ParseScopeKey(k.Key)
}

func (r *Reader) recall(k *Keys) {
	if known, ok := r.remembered(k.Scope.Name); ok && known.Epoch == k.Scope.Epoch && known.Time == k.Scope.Time {
		k.keys = known.parse()
	}
}

// remembered returns false when nothing is remembered of the scope.
func (r *Reader) remembered(scope string) (known rememberedKeys, ok bool) {
	text, err := r.Memory.Load(scopeItem(scope))
	return known, err == nil && json.Unmarshal(text, &known) == nil
}

func (k rememberedKeys) parse() map[int]index.ScopeKey {
	keys := make(map[int]index.ScopeKey)
	for e, raw := range k.Keys {
		if key, err := index.ParseScopeKey(raw); err == nil {
			keys[e] = key
		}
	}
	return keys
}

func (r *Reader) remember(k *Keys) error {
	known := rememberedKeys{Epoch: k.Scope.Epoch, Time: k.Scope.Time, Keys: make(map[int][]byte)}
	for e, key := range k.keys {
		known.Keys[e] = key[:]
	}
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return r.Memory.Store(scopeItem(k.Scope.Name), text)
}

func scopeItem(name string) string { return "scope/" + name + ".json" }
