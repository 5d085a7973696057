package index

import "sync"

// A HintID names a chain in a cache. It is a PRF output: it tells nothing to whoever
// lacks the scope key.
type HintID [16]byte

// Hints remembers how long chains were when last seen, to save reads. It is only ever a
// hint: lost, stale, wrong or shared between processes, it costs reads and never changes
// a result. Implementations are safe for concurrent use.
type Hints interface {
	Load(HintID) (length uint64, ok bool)
	Store(HintID, uint64)
}

// recall takes the chain's hint, if there is one.
func (c *cursor) recall(h Hints, id HintID) {
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

// Store implements [Hints]. When the cache is full, any one hint makes room.
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
