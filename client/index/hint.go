package index

import "sync"

// A HintID names a chain in a cache. It is the output of a PRF: without the scope key it
// tells nothing.
type HintID [16]byte

// Hints is a cache of the lengths of chains, which saves reads. A hint that is lost,
// stale or wrong costs reads and never changes a result. So processes may share a cache.
// Implementations are safe for concurrent use.
type Hints interface {
	Load(HintID) (length uint64, ok bool)
	Store(HintID, uint64)
}

// recall looks up the chain's hint.
func (c *chainReader) recall(h Hints, id HintID) {
	if h == nil {
		return
	}
	if n, ok := h.Load(id); ok {
		c.hint, c.hinted = min(n, maxHint), true
	}
}

// MemoryHints keeps hints in memory, up to a fixed number. The zero value is ready.
type MemoryHints struct {
	mu sync.Mutex
	m  map[HintID]uint64
}

const maxMemoryHints = 1 << 16

// Load implements [Hints].
func (h *MemoryHints) Load(id HintID) (uint64, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, ok := h.m[id]
	return n, ok
}

// Store implements [Hints]. A full cache drops an arbitrary hint.
func (h *MemoryHints) Store(id HintID, n uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.m == nil {
		h.m = make(map[HintID]uint64)
	}
	if _, ok := h.m[id]; !ok && len(h.m) >= maxMemoryHints {
		for old := range h.m {
			delete(h.m, old)
			break
		}
	}
	h.m[id] = n
}
