package client

import (
	"bytes"
	"fmt"
	"sync"
)

// volatile is a Memory that ends with the process.
type volatile struct {
	mu    sync.Mutex
	items map[string][]byte
}

func newVolatile() *volatile { return &volatile{items: make(map[string][]byte)} }

func (v *volatile) Load(name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	data, ok := v.items[name]
	if !ok {
		return nil, fmt.Errorf("load %s: %w", name, ErrNotFound)
	}
	return bytes.Clone(data), nil
}

func (v *volatile) Store(name string, data []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.items[name] = bytes.Clone(data)
	return nil
}
