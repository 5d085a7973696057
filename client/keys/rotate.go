package keys

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// Rotate publishes the next version of each named attribute's public key, or of all that
// the caller's authority has published when none is named, and returns the new versions
// in the order of names.
//
// From then on sealers use the new version. The authority's server issues it to whoever
// asks and is entitled; people who are not any more keep what they have, which opens what
// was sealed to earlier versions and nothing else. Rotation takes no record back: that
// takes sealing it again.
//
// A name that is not published is ErrNotFound, and keys of another master key are
// ErrTampered; nothing is published then. When it fails later, the versions that it
// returns have been published, in transactions of up to ledger.MaxKeysPerCall.
func Rotate(ctx context.Context, l client.Ledger, master *abe.MasterKey, names ...string) (rotated []ledger.AttributeName, err error) {
	all, err := l.Attributes(ctx)
	if err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	current := make(map[string]int)
	var own []string
	for _, a := range all {
		if strings.HasPrefix(a.Name, master.Authority()+":") {
			current[a.Name] = a.Version
			own = append(own, a.Name)
		}
	}
	if len(names) == 0 {
		names = own
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) == 0 {
		return nil, ledger.Errorf(ledger.ErrNotFound, "rotate keys: %s has published no attributes", master.Authority())
	}
	var next []ledger.AttributeKey
	for _, name := range names {
		if current[name] == 0 {
			return nil, ledger.Errorf(ledger.ErrNotFound, "rotate keys: %s has not published %s", master.Authority(), name)
		}
		key, err := publicKey(master, name, current[name]+1)
		if err != nil {
			return nil, fmt.Errorf("rotate keys: %w", err)
		}
		next = append(next, key)
	}
	if err := compare(ctx, l, master, names); err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	for batch := range slices.Chunk(next, ledger.MaxKeysPerCall) {
		if err := l.PublishKeys(ctx, batch); err != nil {
			return rotated, fmt.Errorf("rotate keys: %w", err)
		}
		for _, k := range batch {
			rotated = append(rotated, ledger.AttributeName{Name: k.Name, Version: k.Version})
		}
	}
	return rotated, nil
}
