package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// pins caches public keys from the ledger whose signatures it has verified. It reads
// several versions at a time, because a holder of an attribute needs all of its versions.
type pins struct {
	ctx    context.Context // of the request that the pins are read for
	ledger History
	trust  *trust.Directory
	keys   map[ledger.AttributeName]pinned
	asked  map[ledger.AttributeName]bool
}

// A pinned key is nil if err says why it is not believed.
type pinned struct {
	key *abe.PublicKey
	err error
}

func newPins(ctx context.Context, l History, d *trust.Directory) *pins {
	return &pins{ctx, l, d, make(map[ledger.AttributeName]pinned), make(map[ledger.AttributeName]bool)}
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
	if found, ok := p.keys[want]; ok {
		return found.key, found.err
	}
	return nil, fmt.Errorf("%s version %d: %w: %w", name, version, ledger.ErrTampered, errNotPinned)
}

// read asks the ledger for versions of keys.
func (p *pins) read(versions ...ledger.AttributeName) error {
	published, err := p.ledger.AttributeKeyVersions(p.ctx, versions)
	if err != nil {
		return err
	}
	i := 0
	for key, err := range p.trust.CheckKeys(p.ctx, published) {
		p.keys[ledger.AttributeName{Name: published[i].Name, Version: published[i].Version}] = pinned{key, err}
		i++
	}
	for _, v := range versions {
		p.asked[v] = true
	}
	return nil
}
