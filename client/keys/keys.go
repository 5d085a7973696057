// Package keys moves attribute keys from authorities to people, over the ledger. An
// authority publishes its public keys ([Publish]) and its address ([Announce]), rotates
// keys ([Rotate]), and replaces a stolen master secret ([Replace]). A person asks all
// authorities for attribute keys ([Requester]), or gets them as a file ([Issue],
// [Parse]).
//
// An authority signs its public keys and its address with its enrolment key. A person
// accepts only attribute keys that match signed public keys on the ledger, and asks only
// at signed addresses. An authority issues only versions whose public keys come from its
// own master key. The package believes the own peer about which authorities exist.
//
// Package abe/authority decides who gets which key, and package client/wallet stores
// keys.
package keys

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Publish puts version 1 of the public key of each named attribute on the ledger, signed,
// unless the attribute is published already, and returns the names of the new ones. If it
// fails, it returns the names that it published before.
//
// Errors:
//   - ErrTampered if an attribute was published under another master key: keys issued
//     from this one would open nothing. Nothing is written then.
//   - ErrDenied if the ledger refuses the caller.
//   - Any other error of the ledger.
func Publish(ctx context.Context, l Publisher, by Signing, master *abe.MasterKey, names []string) (published []string, err error) {
	current, err := Versions(l)(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("publish keys: %w", err)
	}
	var there []string
	var missing []ledger.AttributeKey
	for _, name := range names {
		if current[name] > 0 {
			there = append(there, name)
			continue
		}
		key, err := newKey(master, name, 1)
		if err != nil {
			return nil, fmt.Errorf("publish keys: %w", err)
		}
		missing = append(missing, key)
	}
	if err := compare(ctx, l, master, there); err != nil {
		return nil, fmt.Errorf("publish keys: %w", err)
	}
	for batch := range slices.Chunk(missing, ledger.MaxKeysPerCall) {
		batch, err := by.keys(ctx, l, batch)
		if err == nil {
			err = l.PublishKeys(ctx, batch)
		}
		if err != nil {
			return published, fmt.Errorf("publish keys: %w", err)
		}
		for _, k := range batch {
			published = append(published, k.Name)
		}
	}
	return published, nil
}

// compare checks that the published keys of attributes come from the master key.
//
// Errors:
//   - ErrNotFound if an attribute is not published.
func compare(ctx context.Context, l Catalog, master *abe.MasterKey, names []string) error {
	versions, err := Issuable(l, master)(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if versions[name] == 0 {
			return ledger.Errorf(ledger.ErrNotFound, "attribute %s is not published", name)
		}
	}
	return nil
}

// made checks that a published key comes from the master key.
func made(master *abe.MasterKey, p ledger.AttributeKey) error {
	own, err := publicKey(master, p.Name, p.Version)
	if err != nil {
		return err
	}
	if own.Key != p.Key {
		return ledger.Errorf(ledger.ErrTampered, "the ledger's key of %s version %d was not made by this master key", p.Name, p.Version)
	}
	return nil
}

// newKey makes the public key of a version that is not published yet. A peer that hides
// the newest versions must not get one published anew that a replaced secret made.
func newKey(master *abe.MasterKey, name string, version int) (ledger.AttributeKey, error) {
	if master.Past(name, version) {
		return ledger.AttributeKey{}, ledger.Errorf(ledger.ErrTampered, "the peer tells of no version %d of %s, which was published before the master secret was replaced", version, name)
	}
	return publicKey(master, name, version)
}

func publicKey(master *abe.MasterKey, name string, version int) (ledger.AttributeKey, error) {
	key, err := master.PublicKey(name, version)
	if err != nil {
		return ledger.AttributeKey{}, err
	}
	b, err := key.MarshalBinary()
	if err != nil {
		return ledger.AttributeKey{}, err
	}
	return ledger.AttributeKey{Name: name, Version: version, Key: base64.StdEncoding.EncodeToString(b)}, nil
}

// Issuable is [Versions] for an authority that issues keys. It accepts a version only if
// the peer presents the public key that the master key gives to it. Nobody else can
// compute that key. Otherwise a peer could announce versions that are not published yet,
// and their holders would keep access after the rotations that should end it.
//
// Errors of the returned function:
//   - ErrTampered if a published key does not come from the master key.
//   - Any error of the ledger.
func Issuable(l Catalog, master *abe.MasterKey) func(ctx context.Context, names []string) (map[string]int, error) {
	return func(ctx context.Context, names []string) (map[string]int, error) {
		return current(ctx, l, names, func(k ledger.AttributeKey) error { return made(master, k) })
	}
}

// Versions returns a function that looks up the current versions of attributes at the own
// peer. It leaves out attributes that are not published. It asks for the names and reads
// no list, which another authority could make too long.
func Versions(l Catalog) func(ctx context.Context, names []string) (map[string]int, error) {
	return func(ctx context.Context, names []string) (map[string]int, error) {
		return current(ctx, l, names, func(ledger.AttributeKey) error { return nil })
	}
}

// current reads the current versions of attributes, and checks each key.
func current(ctx context.Context, l Catalog, names []string, check func(ledger.AttributeKey) error) (map[string]int, error) {
	published, err := l.CurrentKeys(ctx, names)
	if err != nil {
		return nil, err
	}
	versions := make(map[string]int, len(published))
	for _, k := range published {
		if err := check(k); err != nil {
			return nil, err
		}
		versions[k.Name] = k.Version
	}
	return versions, nil
}
