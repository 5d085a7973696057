package client

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// A view is what one person can search of a scope.
type view struct {
	keys      []index.ScopeKey // newest epoch first
	epochs    map[index.ScopeKey]int
	hospitals []string
	retired   map[string]int // by MSP, the last epoch that it has indexed anew

	// generation is that of what can be searched, see [ledger.Searchable]. It is empty
	// when this person could not unwrap all epochs: then each search tries anew, for they
	// may have been given attributes since.
	generation string
}

func (v *view) skip(key index.ScopeKey, msp string) bool { return v.epochs[key] <= v.retired[msp] }

func (v *view) equal(other *view) bool {
	return slices.Equal(v.keys, other.keys) && maps.Equal(v.epochs, other.epochs) &&
		slices.Equal(v.hospitals, other.hospitals) && maps.Equal(v.retired, other.retired)
}

// view finds out what this person can search of what there is, and warns of what they
// cannot.
func (c *Client) view(ctx context.Context, s ledger.Searchable, o SearchOptions, purpose string, out *Results) (*view, error) {
	scope, err := named(s.Scopes, o.Scope)
	if err != nil {
		return nil, err
	}
	keys, err := c.unwrapScope(ctx, scope, purpose, false)
	if err != nil {
		return nil, err
	}
	v := &view{hospitals: slices.Clone(s.Hospitals)}
	if !slices.Contains(v.hospitals, c.ledger.MSP()) { // it may have entries and no authority
		v.hospitals = append(v.hospitals, c.ledger.MSP())
	}
	slices.Sort(v.hospitals)
	v.keys, v.epochs = keys.newestFirst()
	if len(v.keys) == 0 {
		return nil, keys.refused[scope.Epoch]
	}
	if scope.Epoch > 1 {
		if v.retired, err = c.retired(ctx, s.Retirements, o, out); err != nil {
			return nil, err
		}
	}
	if len(v.keys) == scope.Epoch {
		v.generation = s.Generation
	}
	if n := keys.unsearched(v.hospitals, v.retired); n > 0 {
		out.warn("%d of %d epochs of scope %s are not for you and were not searched", n, scope.Epoch, o.Scope)
	}
	c.rememberView(o.Scope, v)
	return v, nil
}

// unsearched counts the epochs that somebody else could find something in.
func (k *scopeKeys) unsearched(hospitals []string, retired map[string]int) int {
	n := 0
	for epoch := range k.refused {
		if slices.ContainsFunc(hospitals, func(msp string) bool { return retired[msp] < epoch }) {
			n++
		}
	}
	return n
}

// retired tells which epochs hospitals have indexed anew. A peer that invents a
// retirement would hide what it retires, as if it withheld it; with a second peer only
// what both know of counts, and a difference is a problem.
func (c *Client) retired(ctx context.Context, own []ledger.Retirement, o SearchOptions, out *Results) (map[string]int, error) {
	retired := make(map[string]int)
	for _, r := range own {
		if r.Scope == o.Scope {
			retired[r.MSP] = r.Epoch
		}
	}
	if o.Verify == nil {
		return retired, nil
	}
	theirs, err := o.Verify.Retirements(ctx, o.Scope)
	if err != nil {
		return nil, err
	}
	both := make(map[string]int)
	for _, r := range theirs {
		both[r.MSP] = min(r.Epoch, retired[r.MSP])
	}
	for msp, epoch := range retired {
		if both[msp] < epoch {
			out.Problems = append(out.Problems, ledger.Errorf(ErrTampered,
				"the own peer says that %s has indexed epoch %d of scope %s anew, and the other peer does not know of it", msp, epoch, o.Scope))
		}
	}
	return both, nil
}

// views are the last view of each scope.
type views struct {
	mu sync.Mutex
	of map[string]*view
}

// rememberedView is what of a view is kept between runs beside the scope's keys. It is
// only a guess at what to ask first: every search compares it with the ledger.
type rememberedView struct {
	Generation string         `json:"generation"`
	Epoch      int            `json:"epoch"`
	Hospitals  []string       `json:"hospitals"`
	Retired    map[string]int `json:"retired"`
}

func viewItem(scope string) string { return "view/" + scope + ".json" }

// recallView returns nil when this client has not searched the scope before.
func (c *Client) recallView(scope string) *view {
	c.views.mu.Lock()
	defer c.views.mu.Unlock()
	if v := c.views.of[scope]; v != nil {
		return v
	}
	var r rememberedView
	text, err := c.memory.Load(viewItem(scope))
	if err != nil || json.Unmarshal(text, &r) != nil {
		return nil
	}
	known, ok := c.rememberedKeys(scope)
	if !ok {
		return nil
	}
	k := scopeKeys{scope: ledger.Scope{Name: scope, Epoch: known.Epoch}, keys: known.parse()}
	v := &view{hospitals: r.Hospitals, retired: r.Retired}
	v.keys, v.epochs = k.newestFirst()
	// Another process may have kept the keys of another moment, or fewer, since the view
	// was kept.
	if known.Epoch == r.Epoch && len(v.keys) == r.Epoch {
		v.generation = r.Generation
	}
	return v
}

// rememberView keeps a view for the next search. Where it cannot be stored, another
// process's first search takes a call more.
func (c *Client) rememberView(scope string, v *view) {
	c.views.mu.Lock()
	defer c.views.mu.Unlock()
	old := c.views.of[scope]
	if c.views.of == nil {
		c.views.of = make(map[string]*view)
	}
	c.views.of[scope] = v
	if old != nil && v.equal(old) && v.generation == old.generation {
		return
	}
	r := rememberedView{Generation: v.generation, Epoch: len(v.keys), Hospitals: v.hospitals, Retired: v.retired}
	if text, err := json.Marshal(r); err == nil {
		_ = c.memory.Store(viewItem(scope), text)
	}
}
