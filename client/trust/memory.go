package trust

import (
	"bytes"
	"sync"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Memory keeps small named items between runs. Pins exist nowhere else: without them
// the client loses their protection. The loss of other items only costs round trips.
// Names consist of letters, digits, '-', '.' and '/'. A Memory is safe for concurrent
// use, also by several processes. The last writer of an item wins.
type Memory interface {
	// Load returns the item.
	//
	// Errors:
	//   - ErrNotFound if there is no such item.
	Load(name string) ([]byte, error)

	Store(name string, data []byte) error
}

// NewMemory returns a Memory that lasts as long as the process.
func NewMemory() Memory { return &volatile{items: make(map[string][]byte)} }

type volatile struct {
	mu    sync.Mutex
	items map[string][]byte
}

func (v *volatile) Load(name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	data, ok := v.items[name]
	if !ok {
		return nil, ledger.Errorf(ledger.ErrNotFound, "load %s: no such item", name)
	}
	return bytes.Clone(data), nil
}

func (v *volatile) Store(name string, data []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.items[name] = bytes.Clone(data)
	return nil
}
