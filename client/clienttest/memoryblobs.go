package clienttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// MemoryBlobs stores payloads in memory, each as one raw block of any size. The zero
// value is ready for use. It is safe for concurrent use.
type MemoryBlobs struct {
	// Fail, if set, is called before each operation with its name ("put", "open", "pin",
	// "unpin"). If it returns an error, the operation fails with it.
	Fail func(operation string) error

	mu     sync.Mutex
	data   map[string][]byte
	pinned map[string]bool
}

var _ Store = (*MemoryBlobs)(nil)

func (m *MemoryBlobs) fail(operation string) error {
	if m.Fail == nil {
		return nil
	}
	return m.Fail(operation)
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// cidOf returns the CIDv1 of a raw block: version, codec, hash function, length, digest.
func cidOf(data []byte) string {
	digest := sha256.Sum256(data)
	return "b" + base32Lower.EncodeToString(append([]byte{0x01, 0x55, 0x12, 0x20}, digest[:]...))
}

// Put implements client.Blobs.
func (m *MemoryBlobs) Put(ctx context.Context, r io.Reader) (string, error) {
	if err := m.fail("put"); err != nil {
		return "", err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	id := cidOf(data)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data == nil {
		m.data, m.pinned = make(map[string][]byte), make(map[string]bool)
	}
	m.data[id], m.pinned[id] = data, true
	return id, nil
}

// Open implements client.Blobs.
func (m *MemoryBlobs) Open(ctx context.Context, id string) (client.Blob, error) {
	if err := m.fail("open"); err != nil {
		return nil, err
	}
	data, err := m.get(id)
	if err != nil {
		return nil, err
	}
	if cidOf(data) != id {
		return nil, ledger.Errorf(client.ErrTampered, "payload %s was altered", id)
	}
	return memoryBlob{bytes.NewReader(data)}, nil
}

func (m *MemoryBlobs) get(id string) ([]byte, error) {
	if raw, err := base32Lower.DecodeString(strings.TrimPrefix(id, "b")); err != nil || len(raw) != 36 {
		return nil, ledger.Errorf(client.ErrInvalid, "%q is not a CID", id)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.data[id]
	if !ok {
		return nil, ledger.Errorf(client.ErrUnavailable, "no node has %s", id)
	}
	return data, nil
}

// Pin implements client.Blobs.
func (m *MemoryBlobs) Pin(ctx context.Context, id string) error {
	if err := m.fail("pin"); err != nil {
		return err
	}
	if _, err := m.get(id); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pinned[id] = true
	return nil
}

// Unpin implements Store.
func (m *MemoryBlobs) Unpin(ctx context.Context, id string) error {
	if err := m.fail("unpin"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pinned, id)
	return nil
}

// Pinned lists the pinned CIDs.
func (m *MemoryBlobs) Pinned(*testing.T) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for id := range m.pinned {
		all = append(all, id)
	}
	return all
}

// Corrupt flips a bit of a payload.
func (m *MemoryBlobs) Corrupt(_ *testing.T, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	altered := slices.Clone(m.data[id])
	altered[len(altered)/2] ^= 1
	m.data[id] = altered
}

// Swap serves the content of another payload under a CID, like a store that does not
// verify.
func (m *MemoryBlobs) Swap(id string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data[id] = content
}

type memoryBlob struct{ *bytes.Reader }

func (memoryBlob) Close() error { return nil }
