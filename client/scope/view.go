package scope

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

// An Index is the part of the ledger that holds index entries.
type Index interface {
	index.Store

	// SearchEntries is GetEntries, and also tells what could be searched at that moment:
	// all of it, unless its generation is the known one, which is then all that it tells.
	// known may be empty, and so may batches.
	SearchEntries(ctx context.Context, known string, batches []index.Batch) ([][][]byte, ledger.Searchable, error)
}

// A Verifier is the index as a peer has it. A client.Ledger is one.
type Verifier interface {
	index.Store
	Retirements(ctx context.Context, scope string) ([]ledger.Retirement, error)
}

// A View is the part of a scope that one person can search.
type View struct {
	Keys      []index.ScopeKey // newest epoch first
	Epochs    map[index.ScopeKey]int
	Hospitals []string
	retired   map[string]int // by MSP, the last epoch whose entries it has moved to a newer one

	// generation is that of [ledger.Searchable]. It is empty when this person could not
	// unwrap all epochs: then each search tries again, because the person may have been
	// given attributes since.
	Generation string
}

// Skip reports whether a hospital has moved its entries of a key's epoch to a newer one.
func (v *View) Skip(key index.ScopeKey, msp string) bool { return v.Epochs[key] <= v.retired[msp] }

// Equal reports whether a search of both views reads the same entries.
func (v *View) Equal(other *View) bool {
	return slices.Equal(v.Keys, other.Keys) && maps.Equal(v.Epochs, other.Epochs) &&
		slices.Equal(v.Hospitals, other.Hospitals) && maps.Equal(v.retired, other.retired)
}

// A Viewer finds out which parts of scopes one person can search, and remembers it.
type Viewer struct {
	MSP    string
	Scopes *Reader
	Memory trust.Memory

	mu   sync.Mutex
	last map[string]*View // by scope
}

// A Finding is what a Viewer has to tell beside the view.
type Finding struct {
	Warnings []string
	Problems []error // each ledger.ErrTampered
}

// View returns the part of a scope that this person can search. With a second peer it
// compares the retirements.
func (w *Viewer) View(ctx context.Context, s ledger.Searchable, name, purpose string, verify Verifier) (*View, Finding, error) {
	var f Finding
	scope, err := Named(s.Scopes, name)
	if err != nil {
		return nil, f, err
	}
	keys, err := w.Scopes.Unwrap(ctx, scope, purpose, false)
	if err != nil {
		return nil, f, err
	}
	v := &View{Hospitals: slices.Clone(s.Hospitals)}
	if !slices.Contains(v.Hospitals, w.MSP) { // it may have entries and no authority
		v.Hospitals = append(v.Hospitals, w.MSP)
	}
	slices.Sort(v.Hospitals)
	v.Keys, v.Epochs = keys.newestFirst()
	if len(v.Keys) == 0 {
		return nil, f, keys.refused[scope.Epoch]
	}
	signed, err := w.Scopes.Trust.ScopeSigned(name, scope.Epoch)
	if err != nil {
		return nil, f, err
	}
	if !signed && keys.refused[scope.Epoch] == nil {
		f.Warnings = append(f.Warnings, fmt.Sprintf("the key of scope %s is from an earlier release and is not signed: "+
			"the custodian of %s should run 'chartseal scope roll'", name, scope.Owner))
	}
	if scope.Epoch > 1 {
		var more Finding
		if v.retired, more, err = w.retired(ctx, s.Retirements, name, verify); err != nil {
			return nil, f, err
		}
		f.Warnings, f.Problems = append(f.Warnings, more.Warnings...), more.Problems
	}
	if len(v.Keys) == scope.Epoch {
		v.Generation = s.Generation
	}
	if n := keys.unsearched(v.Hospitals, v.retired); n > 0 {
		f.Warnings = append(f.Warnings, fmt.Sprintf("%d of %d epochs of scope %s are not for you and were not searched", n, scope.Epoch, name))
	}
	w.remember(name, v)
	return v, f, nil
}

// unsearched counts the refused epochs in which some hospital may still have entries.
func (k *Keys) unsearched(hospitals []string, retired map[string]int) int {
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
func (w *Viewer) retired(ctx context.Context, own []ledger.Retirement, scope string, verify Verifier) (map[string]int, Finding, error) {
	retired, claimed := make(map[string]int), make(map[string]int)
	var f Finding
	for _, r := range own {
		if r.Scope != scope {
			continue
		}
		claimed[r.MSP] = r.Epoch
		if r.Signature == "" {
			f.Warnings = append(f.Warnings, fmt.Sprintf("%s has retired epoch %d of scope %s without a signature, so it is searched: "+
				"its custodian should run 'chartseal scope compact'", r.MSP, r.Epoch, scope))
			continue
		}
		err := w.Scopes.Trust.CheckRetirement(ctx, r)
		switch {
		case errors.Is(err, ledger.ErrTampered):
			f.Problems = append(f.Problems, err)
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
			f.Problems = append(f.Problems, ledger.Errorf(ledger.ErrTampered,
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

// Recall returns nil when this person has not searched the scope before.
func (w *Viewer) Recall(scope string) *View {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.last[scope]; v != nil {
		return v
	}
	var r rememberedView
	text, err := w.Memory.Load(viewItem(scope))
	if err != nil || json.Unmarshal(text, &r) != nil {
		return nil
	}
	known, ok := w.Scopes.remembered(scope)
	if !ok {
		return nil
	}
	k := Keys{Scope: ledger.Scope{Name: scope, Epoch: known.Epoch}, keys: known.parse()}
	v := &View{Hospitals: r.Hospitals, retired: r.Retired}
	v.Keys, v.Epochs = k.newestFirst()
	// Another process may have stored other keys, or fewer, since the view was stored.
	if known.Epoch == r.Epoch && len(v.Keys) == r.Epoch {
		v.Generation = r.Generation
	}
	return v
}

// remember keeps a view for the next search. If it cannot be stored, the first search of
// another process takes one call more.
func (w *Viewer) remember(scope string, v *View) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.last[scope]
	if w.last == nil {
		w.last = make(map[string]*View)
	}
	w.last[scope] = v
	if old != nil && v.Equal(old) && v.Generation == old.Generation {
		return
	}
	r := rememberedView{Generation: v.Generation, Epoch: len(v.Keys), Hospitals: v.Hospitals, Retired: v.retired}
	if text, err := json.Marshal(r); err == nil {
		_ = w.Memory.Store(viewItem(scope), text)
	}
}
