package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/trust"
)

// A SearchLedger is the part of the ledger that holds index entries.
type SearchLedger interface {
	index.Store

	// SearchEntries is GetEntries, and also tells what could be searched at that moment:
	// all of it, unless its generation is the known one, which is then all that it tells.
	// known may be empty, and so may batches.
	SearchEntries(ctx context.Context, known string, batches []index.Batch) ([][][]byte, ledger.Searchable, error)
}

// A Verifier is the index as a peer has it. A [Ledger] is one.
type Verifier interface {
	index.Store
	Retirements(ctx context.Context, scope string) ([]ledger.Retirement, error)
}

// A view is the part of a scope that one person can search.
type view struct {
	keys      []index.ScopeKey // newest epoch first
	epochs    map[index.ScopeKey]int
	hospitals []string
	retired   map[string]int // by MSP, the last epoch whose entries it has moved to a newer one

	// generation is that of [ledger.Searchable]. It is empty when this person could not
	// unwrap all epochs: then each search tries again, because the person may have been
	// given attributes since.
	generation string
}

func (v *view) skip(key index.ScopeKey, msp string) bool { return v.epochs[key] <= v.retired[msp] }

func (v *view) equal(other *view) bool {
	return slices.Equal(v.keys, other.keys) && maps.Equal(v.epochs, other.epochs) &&
		slices.Equal(v.hospitals, other.hospitals) && maps.Equal(v.retired, other.retired)
}

// A viewer finds out which parts of scopes one person can search, and remembers it.
type viewer struct {
	msp    string
	scopes *scopeReader
	memory trust.Memory

	mu   sync.Mutex
	last map[string]*view // by scope
}

// A finding is what a viewer has to tell beside the view.
type finding struct {
	warnings []string
	problems []error // each ErrTampered
}

// view returns the part of a scope that this person can search. With a second peer it
// compares the retirements.
func (w *viewer) view(ctx context.Context, s ledger.Searchable, name, purpose string, verify Verifier) (*view, finding, error) {
	var f finding
	scope, err := scopeNamed(s.Scopes, name)
	if err != nil {
		return nil, f, err
	}
	keys, err := w.scopes.unwrap(ctx, scope, purpose, false)
	if err != nil {
		return nil, f, err
	}
	v := &view{hospitals: slices.Clone(s.Hospitals)}
	if !slices.Contains(v.hospitals, w.msp) { // it may have entries and no authority
		v.hospitals = append(v.hospitals, w.msp)
	}
	slices.Sort(v.hospitals)
	v.keys, v.epochs = keys.newestFirst()
	if len(v.keys) == 0 {
		return nil, f, keys.refused[scope.Epoch]
	}
	signed, err := w.scopes.trust.ScopeSigned(name, scope.Epoch)
	if err != nil {
		return nil, f, err
	}
	if !signed && keys.refused[scope.Epoch] == nil {
		f.warnings = append(f.warnings, fmt.Sprintf("the key of scope %s is from an earlier release and is not signed: "+
			"the custodian of %s should run 'chartseal scope roll'", name, scope.Owner))
	}
	if scope.Epoch > 1 {
		var more finding
		if v.retired, more, err = w.retired(ctx, s.Retirements, name, verify); err != nil {
			return nil, f, err
		}
		f.warnings, f.problems = append(f.warnings, more.warnings...), more.problems
	}
	if len(v.keys) == scope.Epoch {
		v.generation = s.Generation
	}
	if n := keys.unsearched(v.hospitals, v.retired); n > 0 {
		f.warnings = append(f.warnings, fmt.Sprintf("%d of %d epochs of scope %s are not for you and were not searched", n, scope.Epoch, name))
	}
	w.remember(name, v)
	return v, f, nil
}

// unsearched counts the refused epochs in which some hospital may still have entries.
func (k *scopeKeys) unsearched(hospitals []string, retired map[string]int) int {
	n := 0
	for epoch := range k.refused {
		if slices.ContainsFunc(hospitals, func(msp string) bool { return retired[msp] < epoch }) {
			n++
		}
	}
	return n
}

// retired returns the last epoch that each hospital has retired. An invented retirement
// would hide the entries of that epoch, so only those count that a custodian of the
// hospital has signed: a false signature is a problem. Those of earlier releases have
// none; the entries that they retire are searched. With a second peer only retirements
// that both know count, and a difference is a problem.
func (w *viewer) retired(ctx context.Context, own []ledger.Retirement, scope string, verify Verifier) (map[string]int, finding, error) {
	retired, claimed := make(map[string]int), make(map[string]int)
	var f finding
	for _, r := range own {
		if r.Scope != scope {
			continue
		}
		claimed[r.MSP] = r.Epoch
		if r.Signature == "" {
			f.warnings = append(f.warnings, fmt.Sprintf("%s has retired epoch %d of scope %s without a signature, so it is searched: "+
				"its custodian should run 'chartseal scope compact'", r.MSP, r.Epoch, scope))
			continue
		}
		err := w.scopes.trust.CheckRetirement(ctx, r)
		switch {
		case errors.Is(err, ErrTampered):
			f.problems = append(f.problems, err)
		case err != nil:
			return nil, f, err
		default:
			retired[r.MSP] = r.Epoch
		}
	}
	if verify == nil {
		return retired, f, nil
	}
	theirs, err := verify.Retirements(ctx, scope)
	if err != nil {
		return nil, f, err
	}
	known, both := make(map[string]int), make(map[string]int)
	for _, r := range theirs {
		known[r.MSP] = r.Epoch
		both[r.MSP] = min(r.Epoch, retired[r.MSP])
	}
	for msp, epoch := range claimed {
		if known[msp] < epoch {
			f.problems = append(f.problems, ledger.Errorf(ErrTampered,
				"the own peer says that %s has indexed epoch %d of scope %s anew, and the other peer does not know of it", msp, epoch, scope))
		}
	}
	return both, f, nil
}

// rememberedView is the part of a view that is kept between runs, beside the scope's
// keys. It is only a first guess: every search compares it with the ledger.
type rememberedView struct {
	Generation string         `json:"generation"`
	Epoch      int            `json:"epoch"`
	Hospitals  []string       `json:"hospitals"`
	Retired    map[string]int `json:"retired"`
}

func viewItem(scope string) string { return "view/" + scope + ".json" }

// recall returns nil when this person has not searched the scope before.
func (w *viewer) recall(scope string) *view {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.last[scope]; v != nil {
		return v
	}
	var r rememberedView
	text, err := w.memory.Load(viewItem(scope))
	if err != nil || json.Unmarshal(text, &r) != nil {
		return nil
	}
	known, ok := w.scopes.remembered(scope)
	if !ok {
		return nil
	}
	k := scopeKeys{scope: ledger.Scope{Name: scope, Epoch: known.Epoch}, keys: known.parse()}
	v := &view{hospitals: r.Hospitals, retired: r.Retired}
	v.keys, v.epochs = k.newestFirst()
	// Another process may have stored other keys, or fewer, since the view was stored.
	if known.Epoch == r.Epoch && len(v.keys) == r.Epoch {
		v.generation = r.Generation
	}
	return v
}

// remember keeps a view for the next search. If it cannot be stored, the first search of
// another process takes one call more.
func (w *viewer) remember(scope string, v *view) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.last[scope]
	if w.last == nil {
		w.last = make(map[string]*view)
	}
	w.last[scope] = v
	if old != nil && v.equal(old) && v.generation == old.generation {
		return
	}
	r := rememberedView{Generation: v.generation, Epoch: len(v.keys), Hospitals: v.hospitals, Retired: v.retired}
	if text, err := json.Marshal(r); err == nil {
		_ = w.memory.Store(viewItem(scope), text)
	}
}
