package index

import (
	"context"
	"fmt"
	"sync"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// memory is a ledger with real write-once semantics. As on a real channel, what an
// endorser checks and what is then committed are two moments: check, wait, and check
// again.
type memory struct {
	mu    sync.Mutex
	state map[string]map[Label][]byte // by MSP

	puts [][]Entry // all committed transactions
	gets [][]Batch // all calls

	beforeCommit func(msp string)                               // runs between endorsement and commit
	afterCommit  func() error                                   // its error is what the caller sees
	answer       func(msp string, label Label, v []byte) []byte // what a lying peer says
}

func newMemory() *memory { return &memory{state: make(map[string]map[Label][]byte)} }

// as is the memory seen by a client of one hospital.
func (m *memory) as(msp string) Store { return &member{m, msp} }

type member struct {
	*memory
	msp string
}

func (m *member) GetEntries(ctx context.Context, batches []Batch) ([][][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	total := 0
	out := make([][][]byte, len(batches))
	for i, b := range batches {
		total += len(b.Labels)
		for _, l := range b.Labels {
			v := m.state[b.MSP][l]
			if m.answer != nil {
				v = m.answer(b.MSP, l, v)
			}
			out[i] = append(out[i], v)
		}
	}
	if total > ledger.MaxEntriesPerCall {
		return nil, fmt.Errorf("%d labels: %w", total, ErrInvalid)
	}
	m.gets = append(m.gets, batches)
	return out, nil
}

func (m *member) PutEntries(ctx context.Context, entries []Entry) error {
	check := func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, e := range entries {
			if _, ok := m.state[m.msp][e.Label]; ok {
				return fmt.Errorf("label taken: %w", ErrExists)
			}
		}
		return nil
	}
	if err := check(); err != nil {
		return err
	}
	if m.beforeCommit != nil {
		m.beforeCommit(m.msp)
	}
	if err := check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state[m.msp] == nil {
		m.state[m.msp] = make(map[Label][]byte)
	}
	for _, e := range entries {
		if _, ok := m.state[m.msp][e.Label]; ok {
			return fmt.Errorf("label taken: %w", ErrExists)
		}
	}
	for _, e := range entries {
		m.state[m.msp][e.Label] = append([]byte(nil), e.Value[:]...)
	}
	m.puts = append(m.puts, append([]Entry(nil), entries...))
	if m.afterCommit != nil {
		return m.afterCommit()
	}
	return nil
}
