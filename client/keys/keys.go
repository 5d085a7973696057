// Package keys is what happens between attribute authorities, the ledger and people: an
// authority publishes its public keys ([Publish]) and tells where it is ([Announce]); a
// person asks all authorities for their attribute keys ([Requester]) and accepts only
// keys that fit the public ones that the ledger pins.
//
// It moves keys and checks them. Who gets which key is decided by package abe/authority,
// where keys are kept by package client/wallet.
package keys

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// Announce puts the address of the caller's authority and the recipient of its hospital's
// custodian on the ledger, unless they are there. An empty custodian keeps the announced
// one. It reports whether anything changed.
func Announce(ctx context.Context, l client.Ledger, a ledger.Announcement) (changed bool, err error) {
	announced, err := l.Authorities(ctx)
	if err != nil {
		return false, fmt.Errorf("announce authority: %w", err)
	}
	for _, old := range announced {
		if old.MSP != l.MSP() {
			continue
		}
		if a.Custodian == "" {
			a.Custodian = old.Custodian
		}
		if old.URL == a.URL && old.Custodian == a.Custodian {
			return false, nil
		}
	}
	if err := l.Announce(ctx, a); err != nil {
		return false, fmt.Errorf("announce authority: %w", err)
	}
	return true, nil
}

// Publish puts the public keys of those of the named attributes on the ledger that are
// not there, in version 1, and returns their names. Attributes that were published before
// must have been so under the same master key: if not, it fails with ErrTampered before
// it writes anything, since keys issued from this master key would open nothing.
func Publish(ctx context.Context, l client.Ledger, master *abe.MasterKey, names []string) (published []string, err error) {
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
		key, err := publicKey(master, name, 1)
		if err != nil {
			return nil, fmt.Errorf("publish keys: %w", err)
		}
		missing = append(missing, key)
	}
	if err := compare(ctx, l, master, there); err != nil {
		return nil, fmt.Errorf("publish keys: %w", err)
	}
	for batch := range slices.Chunk(missing, ledger.MaxKeysPerCall) {
		if err := l.PublishKeys(ctx, batch); err != nil {
			return published, fmt.Errorf("publish keys: %w", err)
		}
		for _, k := range batch {
			published = append(published, k.Name)
		}
	}
	return published, nil
}

// compare holds published keys against the master key.
func compare(ctx context.Context, l client.Ledger, master *abe.MasterKey, names []string) error {
	for batch := range slices.Chunk(names, ledger.MaxKeysPerCall) {
		pinned, err := l.AttributeKeys(ctx, batch)
		if err != nil {
			return err
		}
		for _, p := range pinned {
			if err := made(master, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// made checks that a published key is the master key's.
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

// Issuable is [Versions] for whoever issues from the master key: every version must come
// with the public key that the master key gives it, which only the authority can have
// made. So a peer cannot announce versions that are not published, whose keys would be
// good after the rotations that are to shut their holders out. What does not fit is
// ErrTampered.
func Issuable(l client.Ledger, master *abe.MasterKey) func(ctx context.Context, names []string) (map[string]int, error) {
	return func(ctx context.Context, names []string) (map[string]int, error) {
		claimed, err := Versions(l)(ctx, names)
		if err != nil {
			return nil, err
		}
		versions := make(map[string]int, len(claimed))
		for batch := range slices.Chunk(slices.Sorted(maps.Keys(claimed)), ledger.MaxKeysPerCall) {
			pinned, err := l.AttributeKeys(ctx, batch)
			if err != nil {
				return nil, err
			}
			for _, p := range pinned {
				if err := made(master, p); err != nil {
					return nil, err
				}
				versions[p.Name] = p.Version
			}
		}
		return versions, nil
	}
}

// Versions gives the published versions of attributes, as the own peer tells them.
func Versions(l client.Ledger) func(ctx context.Context, names []string) (map[string]int, error) {
	return func(ctx context.Context, names []string) (map[string]int, error) {
		all, err := l.Attributes(ctx)
		if err != nil {
			return nil, err
		}
		versions := make(map[string]int, len(names))
		for _, a := range all {
			if slices.Contains(names, a.Name) {
				versions[a.Name] = a.Version
			}
		}
		return versions, nil
	}
}
