package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// CreateScope makes a search domain whose key, and so the right to search and to index,
// belongs to those who satisfy the policy. It returns the policy's canonical form. A name
// that is taken is ErrExists.
func (c *Client) CreateScope(ctx context.Context, name, policyText string) (string, error) {
	data, canonical, err := c.newScopeKey(ctx, name, 1, policyText)
	if err != nil {
		return "", fmt.Errorf("create scope %s: %w", name, err)
	}
	if err := c.ledger.CreateScope(ctx, name, data); err != nil {
		return "", fmt.Errorf("create scope %s: %w", name, err)
	}
	return canonical, nil
}

// RollScope starts the next epoch of a scope with a new key under the policy. What was
// indexed before stays searchable by those who could search it then; what is indexed from
// now on is not for those who satisfy only the old policy.
func (c *Client) RollScope(ctx context.Context, name, policyText string) (epoch int, canonical string, err error) {
	s, err := c.scope(ctx, name)
	if err != nil {
		return 0, "", err
	}
	epoch = s.Epoch + 1
	data, canonical, err := c.newScopeKey(ctx, name, epoch, policyText)
	if err == nil {
		err = c.ledger.RollScope(ctx, name, epoch, data)
	}
	if err != nil {
		return 0, "", fmt.Errorf("roll scope %s: %w", name, err)
	}
	c.scopesNow.forget(name)
	return epoch, canonical, nil
}

func (c *Client) newScopeKey(ctx context.Context, name string, epoch int, policyText string) (data []byte, canonical string, err error) {
	to, err := c.seat(ctx, policyText)
	if err != nil {
		return nil, "", err
	}
	key := index.NewScopeKey()
	data, err = envelope.ScopeKey{
		Scope: name, Epoch: epoch, Key: key[:], Policy: to.policy, Author: c.ledger.Actor(), Created: time.Now().UTC(),
	}.Seal(to.recipients(to.abe)...)
	return data, to.policy, err
}

func (c *Client) scope(ctx context.Context, name string) (ledger.Scope, error) {
	all, err := c.ledger.Scopes(ctx)
	if err != nil {
		return ledger.Scope{}, err
	}
	return named(all, name)
}

func named(all []ledger.Scope, name string) (ledger.Scope, error) {
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
// was current then: if the ledger says otherwise of that epoch it is another ledger, and
// the keys are worthless.
type rememberedKeys struct {
	Epoch int            `json:"epoch"`
	Time  string         `json:"time"`
	Keys  map[int][]byte `json:"keys"`
}

// scopeKeys unwraps the keys of a scope as it is now, see unwrapScope.
func (c *Client) scopeKeys(ctx context.Context, name, purpose string, onlyCurrent bool) (*scopeKeys, error) {
	s, err := c.scope(ctx, name)
	if err != nil {
		return nil, err
	}
	return c.unwrapScope(ctx, s, purpose, onlyCurrent)
}

// unwrapScope unwraps the keys of the wanted epochs: the current one, or all. What is not
// remembered costs an access entry. It fails only when the ledger does; what cannot be
// unwrapped is in refused.
func (c *Client) unwrapScope(ctx context.Context, s ledger.Scope, purpose string, onlyCurrent bool) (*scopeKeys, error) {
	name := s.Name
	k := &scopeKeys{scope: s, keys: make(map[int]index.ScopeKey), refused: make(map[int]error)}
	c.recallScopeKeys(k)
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
	entries, err := c.ledger.RequestAccess(ctx, []string{ledger.ScopeTarget(name)}, purpose)
	if err != nil {
		return nil, fmt.Errorf("ask for the key of scope %s: %w", name, err)
	}
	slices.Reverse(missing)
	learnt := false
	for _, e := range missing {
		key, err := c.fetchScopeKey(ctx, name, e, entries[0].ID)
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
		return k, c.rememberScopeKeys(k)
	}
	return k, nil
}

func (c *Client) fetchScopeKey(ctx context.Context, name string, epoch int, accessID string) (index.ScopeKey, error) {
	data, err := c.awaitPrivate(ctx, func() ([]byte, error) { return c.ledger.ScopeKey(ctx, name, epoch, accessID) })
	if err != nil {
		return index.ScopeKey{}, err
	}
	k, err := envelope.OpenScopeKey(data, name, epoch, c.identities...)
	if err != nil {
		return index.ScopeKey{}, entitlement(err)
	}
	// Anybody can seal a key of their own to the scope's policy, and would read what is
	// indexed under it.
	err = c.confirm(ctx, fmt.Sprintf("the key of scope %s", name), func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := w.ScopeKey(ctx, name, epoch, accessID)
		return bytes.Equal(theirs, data), err
	})
	if err != nil {
		return index.ScopeKey{}, err
	}
	return index.ParseScopeKey(k.Key)
}

func (c *Client) recallScopeKeys(k *scopeKeys) {
	if r, ok := c.rememberedKeys(k.scope.Name); ok && r.Epoch == k.scope.Epoch && r.Time == k.scope.Time {
		k.keys = r.parse()
	}
}

// rememberedKeys returns false when nothing is remembered of the scope: then it is asked
// for.
func (c *Client) rememberedKeys(scope string) (r rememberedKeys, ok bool) {
	text, err := c.memory.Load(scopeItem(scope))
	return r, err == nil && json.Unmarshal(text, &r) == nil
}

func (r rememberedKeys) parse() map[int]index.ScopeKey {
	keys := make(map[int]index.ScopeKey)
	for e, raw := range r.Keys {
		if key, err := index.ParseScopeKey(raw); err == nil {
			keys[e] = key
		}
	}
	return keys
}

func (c *Client) rememberScopeKeys(k *scopeKeys) error {
	r := rememberedKeys{Epoch: k.scope.Epoch, Time: k.scope.Time, Keys: make(map[int][]byte)}
	for e, key := range k.keys {
		r.Keys[e] = key[:]
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return c.memory.Store(scopeItem(k.scope.Name), text)
}

func scopeItem(name string) string { return "scope/" + name + ".json" }
