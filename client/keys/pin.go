package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
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
		key, err := trust.ParseKey(k)
		if err != nil {
			return err
		}
		p.keys[ledger.AttributeName{Name: k.Name, Version: k.Version}] = key
	}
	for _, v := range versions {
		p.asked[v] = true
	}
	return nil
}
