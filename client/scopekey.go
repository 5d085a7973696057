package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/trust"
)

// A ScopeLedger is the part of the ledger that holds search scopes.
type ScopeLedger interface {
	Scopes(ctx context.Context) ([]ledger.Scope, error)

	// Searchable tells what a search of the named scope covers, when Scopes and
	// SearchEntries refuse to list all scopes. No such scope is an empty list.
	Searchable(ctx context.Context, name string) (ledger.Searchable, error)

	// CreateScope makes a scope with epoch 1, whose wrapped key is envelope; ErrExists if
	// the name is taken.
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

// A scopeReader finds scopes and unwraps their keys for one person.
type scopeReader struct {
	ledger interface {
		ScopeLedger
		AccessLog
		trust.Ledger
	}
	trust      *trust.Directory
	identities []age.Identity
	memory     trust.Memory
	recent     cache[ledger.Scope] // by name
}

// scope returns a scope as the ledger has it now.
//
// Errors:
//   - ErrNotFound if there is none of this name.
func (r *scopeReader) scope(ctx context.Context, name string) (ledger.Scope, error) {
	all, err := r.ledger.Scopes(ctx)
	if tooMany(err) {
		var s ledger.Searchable
		s, err = r.ledger.Searchable(ctx, name)
		all = s.Scopes
	}
	if err != nil {
		return ledger.Scope{}, err
	}
	return scopeNamed(all, name)
}

// tooMany reports whether the chaincode itself could not answer, as when there are more
// scopes than fit into a list.
func tooMany(err error) bool {
	var refusal *ledger.Error
	return errors.Is(err, ErrUnavailable) && errors.As(err, &refusal)
}

func scopeNamed(all []ledger.Scope, name string) (ledger.Scope, error) {
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
	return ledger.Scope{}, ledger.Errorf(ErrNotFound, "no scope %s; %s", name, known)
}

// scopeKeys are the keys of a scope that this person can unwrap, by epoch.
type scopeKeys struct {
	scope   ledger.Scope
	keys    map[int]index.ScopeKey
	refused map[int]error // why the others could not be unwrapped
}

// current is the key to write with.
func (k *scopeKeys) current() (index.ScopeKey, error) {
	if key, ok := k.keys[k.scope.Epoch]; ok {
		return key, nil
	}
	return index.ScopeKey{}, k.refused[k.scope.Epoch]
}

// newestFirst are the keys to search with, and the epochs that they are of.
func (k *scopeKeys) newestFirst() (keys []index.ScopeKey, epochs map[index.ScopeKey]int) {
	epochs = make(map[index.ScopeKey]int)
	for e := k.scope.Epoch; e >= 1; e-- {
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

// currentKeys unwraps the current key of a scope, whose epoch may be a cached answer.
func (r *scopeReader) currentKeys(ctx context.Context, name, purpose string) (*scopeKeys, error) {
	s, err := r.recent.get(ctx, name, func() (ledger.Scope, error) { return r.scope(ctx, name) })
	if err != nil {
		return nil, err
	}
	return r.unwrap(ctx, s, purpose, true)
}

// newestKey unwraps the key of a scope's current epoch, which it asks the ledger for.
func (r *scopeReader) newestKey(ctx context.Context, name, purpose string) (index.ScopeKey, error) {
	s, err := r.scope(ctx, name)
	if err != nil {
		return index.ScopeKey{}, err
	}
	keys, err := r.unwrap(ctx, s, purpose, true)
	if err != nil {
		return index.ScopeKey{}, err
	}
	return keys.current()
}

// unwrap unwraps the key of the current epoch, or of all. A key that is not remembered
// costs an access entry. It fails only if the ledger does; the keys that this person
// cannot unwrap are in refused.
func (r *scopeReader) unwrap(ctx context.Context, s ledger.Scope, purpose string, onlyCurrent bool) (*scopeKeys, error) {
	name := s.Name
	k := &scopeKeys{scope: s, keys: make(map[int]index.ScopeKey), refused: make(map[int]error)}
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
	entries, err := r.ledger.RequestAccess(ctx, []string{ledger.ScopeTarget(name)}, purpose)
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
		case errors.Is(err, ErrNotSatisfied), errors.Is(err, ErrNotFound):
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
func (r *scopeReader) fetch(ctx context.Context, s ledger.Scope, epoch int, accessID string) (key index.ScopeKey, err error) {
	data, err := awaitPrivate(ctx, func() ([]byte, error) { return r.ledger.ScopeKey(ctx, s.Name, epoch, accessID) })
	if err != nil {
		return key, err
	}
	k, err := envelope.OpenScopeKey(data, s.Name, epoch, r.identities...)
	if err != nil {
		return key, entitlement(err)
	}
	header, err := envelope.ReadHeader(data)
	if err != nil {
		return key, err
	}
	claim := trust.ScopeKey{Scope: s.Name, Epoch: epoch, Owner: s.Owner, Digest: k.Digest, Signature: header.Signature}
	if claim.Policy, err = sealedTo(header); err != nil {
		return key, err
	}
	if err := r.trust.ConfirmScopeKey(ctx, claim, accessID, data); err != nil {
		return key, err
	}
	return index.ParseScopeKey(k.Key)
}

func (r *scopeReader) recall(k *scopeKeys) {
	if known, ok := r.remembered(k.scope.Name); ok && known.Epoch == k.scope.Epoch && known.Time == k.scope.Time {
		k.keys = known.parse()
	}
}

// remembered returns false when nothing is remembered of the scope.
func (r *scopeReader) remembered(scope string) (known rememberedKeys, ok bool) {
	text, err := r.memory.Load(scopeItem(scope))
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

func (r *scopeReader) remember(k *scopeKeys) error {
	known := rememberedKeys{Epoch: k.scope.Epoch, Time: k.scope.Time, Keys: make(map[int][]byte)}
	for e, key := range k.keys {
		known.Keys[e] = key[:]
	}
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return r.memory.Store(scopeItem(k.scope.Name), text)
}

func scopeItem(name string) string { return "scope/" + name + ".json" }
