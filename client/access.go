package client

import (
	"maps"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// reuse is how long an access entry serves. It ends well before the ledger refuses the
// entry, for the clocks differ.
const reuse = ledger.AccessWindow * 3 / 4

// accesses are the entries that this Client has committed and may still use. They are
// never kept longer than the process, so that every run of a program leaves its own
// trace. The zero value is ready and safe for concurrent use.
type accesses struct {
	mu      sync.Mutex
	entries map[accessKey]ownAccess
}

type accessKey struct{ target, purpose string }

type ownAccess struct {
	entry ledger.AccessEntry
	since time.Time // by our own clock, which does not jump
}

func (a *accesses) recall(target, purpose string) (ledger.AccessEntry, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	own, ok := a.entries[accessKey{target, purpose}]
	return own.entry, ok && time.Since(own.since) < reuse
}

func (a *accesses) remember(target string, e ledger.AccessEntry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.entries, func(_ accessKey, own ownAccess) bool { return time.Since(own.since) >= reuse })
	if a.entries == nil {
		a.entries = make(map[accessKey]ownAccess)
	}
	key := accessKey{target, e.Purpose}
	if a.entries[key].entry != e { // one that served again is not younger for it
		a.entries[key] = ownAccess{e, time.Now()}
	}
}

func (a *accesses) forget(target, purpose string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.entries, accessKey{target, purpose})
}
