package keys

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// pins caches public keys from the ledger. It reads several versions at a time, because a
// holder of an attribute needs all of its versions.
type pins struct {
	ctx    context.Context // of the request that the pins are read for
	ledger History
	keys   map[ledger.AttributeName]*abe.PublicKey
	asked  map[ledger.AttributeName]bool
}

func newPins(ctx context.Context, l History) *pins {
	return &pins{ctx, l, make(map[ledger.AttributeName]*abe.PublicKey), make(map[ledger.AttributeName]bool)}
}

var errNotPinned = errors.New("the ledger has no such public key")

// get implements authority.Pinned. A key that is not on the ledger is ErrTampered.
func (p *pins) get(name string, version int) (*abe.PublicKey, error) {
	want := ledger.AttributeName{Name: name, Version: version}
	if !p.asked[want] {
		// An authority answers with a run of versions of each name, in rising order.
		const run = 64
		var ask []ledger.AttributeName
		for v := version; v < min(version+run, ledger.MaxVersions+1); v++ {
			ask = append(ask, ledger.AttributeName{Name: name, Version: v})
		}
		if err := p.read(ask...); err != nil {
			return nil, err
		}
	}
	if key := p.keys[want]; key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("%s version %d: %w: %w", name, version, ledger.ErrTampered, errNotPinned)
}

// read asks the ledger for versions of keys.
func (p *pins) read(versions ...ledger.AttributeName) error {
	pinned, err := p.ledger.AttributeKeyVersions(p.ctx, versions)
	if err != nil {
		return err
	}
	for _, k := range pinned {
		if err := p.add(k); err != nil {
			return err
		}
	}
	for _, v := range versions {
		p.asked[v] = true
	}
	return nil
}

func (p *pins) add(k ledger.AttributeKey) error {
	b, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil {
		return ledger.Errorf(ledger.ErrTampered, "published key of %s is not base64", k.Name)
	}
	key, err := abe.ParsePublicKey(b)
	if err != nil {
		return fmt.Errorf("published key of %s: %w: %w", k.Name, ledger.ErrTampered, err)
	}
	if key.Name() != k.Name || key.Version() != k.Version {
		return ledger.Errorf(ledger.ErrTampered, "published key of %s is for another attribute", k.Name)
	}
	p.keys[ledger.AttributeName{Name: k.Name, Version: k.Version}] = key
	return nil
}
