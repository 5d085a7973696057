package keys

import (
	"context"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Rotate publishes the next version of the public key of each named attribute, or of all
// attributes of the caller's authority if none is named. It returns the new versions in
// the order of their names.
//
// Sealers then use the new version. The authority's server issues it to anyone who asks
// and is still entitled. The others keep their old keys, which open only records that
// were sealed to earlier versions. Rotation does not close those records: they have to be
// sealed again.
//
// The keys are published in transactions of up to ledger.MaxKeysPerCall. If one fails,
// Rotate returns the versions of the transactions before.
//
// Errors:
//   - ErrNotFound if a name is not published. Nothing is published then.
//   - ErrTampered if a published key comes from another master key. Nothing is published
//     then.
//   - ErrDenied if the ledger refuses the caller.
//   - Any other error of the ledger.
func Rotate(ctx context.Context, l Publisher, by Signing, master *abe.MasterKey, names ...string) (rotated []ledger.AttributeName, err error) {
	if len(names) == 0 {
		own, err := l.AttributesOf(ctx, master.Authority())
		if err != nil {
			return nil, fmt.Errorf("rotate keys: %w", err)
		}
		for _, a := range own {
			names = append(names, a.Name)
		}
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) == 0 {
		return nil, ledger.Errorf(ledger.ErrNotFound, "rotate keys: %s has published no attributes", master.Authority())
	}
	current, err := Issuable(l, master)(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	var versions []ledger.AttributeName
	for _, name := range names {
		if current[name] == 0 {
			return nil, ledger.Errorf(ledger.ErrNotFound, "rotate keys: %s has not published %s", master.Authority(), name)
		}
		versions = append(versions, ledger.AttributeName{Name: name, Version: current[name]})
	}
	if rotated, err = publishNext(ctx, l, by, master, versions); err != nil {
		return rotated, fmt.Errorf("rotate keys: %w", err)
	}
	return rotated, nil
}

// publishNext publishes the versions after the given ones, and returns those that it
// published.
func publishNext(ctx context.Context, l Publisher, by Signing, master *abe.MasterKey, current []ledger.AttributeName) (published []ledger.AttributeName, err error) {
	var next []ledger.AttributeKey
	for _, a := range current {
		key, err := newKey(master, a.Name, a.Version+1)
		if err != nil {
			return nil, err
		}
		next = append(next, key)
	}
	for batch := range slices.Chunk(next, ledger.MaxKeysPerCall) {
		batch, err := by.keys(ctx, l, batch)
		if err == nil {
			err = l.PublishKeys(ctx, batch)
		}
		if err != nil {
			return published, err
		}
		for _, k := range batch {
			published = append(published, ledger.AttributeName{Name: k.Name, Version: k.Version})
		}
	}
	return published, nil
}
