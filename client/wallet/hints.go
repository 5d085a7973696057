package wallet

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"path/filepath"
	"sync"

	"github.com/chartseal/chartseal/client/index"
)

// Hints keeps the lengths of index chains in a file, to save reads. It implements
// index.Hints. A lost, stale or damaged file, or one that processes share, only costs
// reads. [Hints.Save] writes changes to the file.
//
// The file is a CRC-32C of the rest, and then 24 bytes for each chain: its name (a PRF's
// output under the term's key) and its length. A thief of both the file and a scope key
// of the same wallet can test which terms this user has searched or sealed.
type Hints struct {
	path string

	mu     sync.Mutex
	loaded bool
	known  map[index.HintID]uint64
	fresh  map[index.HintID]uint64 // not in the file yet
}

// maxHints bounds the file to 768 KiB.
const maxHints = 1 << 15

// Hints is the user's own cache.
func (u *User) Hints() *Hints { return &Hints{path: filepath.Join(u.dir, "state", "hints")} }

// Load implements index.Hints.
func (h *Hints) Load(id index.HintID) (uint64, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.load()
	n, ok := h.known[id]
	return n, ok
}

// Store implements index.Hints.
func (h *Hints) Store(id index.HintID, n uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.load()
	h.known[id], h.fresh[id] = n, n
}

func (h *Hints) load() {
	if h.loaded {
		return
	}
	h.loaded, h.known, h.fresh = true, readHints(h.path), make(map[index.HintID]uint64)
}

// Save adds new lengths to the file and keeps those of other processes. It does nothing
// if there is nothing new.
func (h *Hints) Save() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.fresh) == 0 {
		return nil
	}
	all := readHints(h.path)
	maps.Copy(all, h.fresh)
	for id := range all { // any one makes room, but not a new one
		if len(all) <= maxHints {
			break
		}
		if _, isNew := h.fresh[id]; !isNew || len(h.fresh) > maxHints {
			delete(all, id)
		}
	}
	b := make([]byte, 4, 4+24*len(all))
	for id, n := range all {
		b = binary.BigEndian.AppendUint64(append(b, id[:]...), n)
	}
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:], crc32.MakeTable(crc32.Castagnoli)))
	if err := writeFile(h.path, b); err != nil {
		return err
	}
	h.known, h.fresh = all, make(map[index.HintID]uint64)
	return nil
}

// readHints returns nothing when the file is not there or damaged.
func readHints(path string) map[index.HintID]uint64 {
	known := make(map[index.HintID]uint64)
	b, err := readSecret(path)
	if err != nil || len(b)%24 != 4 || crc32.Checksum(b[4:], crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b) {
		return known
	}
	for b = b[4:]; len(b) > 0; b = b[24:] {
		known[index.HintID(b[:16])] = binary.BigEndian.Uint64(b[16:])
	}
	return known
}
