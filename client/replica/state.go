package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Items of the Memory.
const (
	stateName   = "replica/state"   // JSON of a state
	pendingName = "replica/pending" // the queue of earlier versions, a JSON array of CIDs
)

type state struct {
	Pending []ledger.Payload   `json:"pending"`
	Members map[string]*member `json:"members"`
}

// load reads the saved state, or the queue of an earlier version.
func (r *Replicator) load() error {
	var s state
	found, err := loadItem(r.c.Memory, stateName, &s)
	if err == nil && !found {
		var cids []string
		_, err = loadItem(r.c.Memory, pendingName, &cids)
		for _, cid := range cids {
			s.Pending = append(s.Pending, ledger.Payload{CID: cid})
		}
	}
	if err != nil {
		return err
	}
	for _, p := range s.Pending {
		r.add(p)
	}
	for msp, m := range s.Members {
		r.members[msp] = m
	}
	return nil
}

func loadItem(m Memory, name string, into any) (found bool, err error) {
	data, err := m.Load(name)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, ledger.Errorf(ledger.ErrInvalid, "item %s is damaged: %v", name, err)
	}
	return true, nil
}

func storeItem(m Memory, name string, item any) error {
	data, err := json.Marshal(item)
	if err != nil {
		return err
	}
	return m.Store(name, data)
}

// keepSaving saves the state every second if it has changed. After a crash, the payloads
// of the last second are pinned again, which does no harm.
func (r *Replicator) keepSaving(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := r.save(); err != nil {
				return err
			}
			r.signal() // a retry may be due
		}
	}
}

func (r *Replicator) save() error {
	r.saving.Lock()
	defer r.saving.Unlock()
	r.mu.Lock()
	if !r.dirty {
		r.mu.Unlock()
		return nil
	}
	s := state{Pending: make([]ledger.Payload, len(r.pending)), Members: r.members}
	for i, e := range r.pending {
		s.Pending[i] = e.Payload
	}
	data, err := json.Marshal(s)
	r.dirty = false
	r.mu.Unlock()
	if err == nil {
		err = r.c.Memory.Store(stateName, data)
	}
	if err != nil {
		return fmt.Errorf("save pending payloads: %w", err)
	}
	return nil
}
