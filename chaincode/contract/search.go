package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// Search gives the values of a query's first labels, as Get does, and what is searchable.
// It leaves that out if the caller knows the current generation. So a client derives
// labels from its cached scopes, and learns in the same call whether they are current,
// without a call before. Mostly they are, and then Search costs as much as Get.
//
// The call does not name the scope, so the peer learns only the labels of a query. The
// batches may be empty. Every member of the channel may call it.
//
// Errors:
//   - ErrInvalid if an MSP ID or a label is malformed, or there are too many.
func (c *Index) Search(ctx *Context, known string, batches []ledger.LabelBatch) (ledger.SearchAnswer, error) {
	var none ledger.SearchAnswer
	at, sizes, err := ctx.labelKeys(batches)
	if err != nil {
		return none, err
	}
	values, err := ctx.many(append(at, ledger.SearchableKey))
	if err != nil {
		return none, err
	}
	answer := ledger.SearchAnswer{Values: texts(values[:len(at)], sizes)}
	generation := string(values[len(at)])
	if generation == known && known != "" {
		answer.Searchable = ledger.Searchable{Generation: generation, Scopes: []ledger.Scope{}, Hospitals: []string{}, Retirements: []ledger.Retirement{}}
		return answer, nil
	}
	answer.Searchable, err = ctx.searchable()
	answer.Searchable.Generation = generation
	return answer, err
}

// searchable reads all scopes, retirements and hospitals.
func (ctx *Context) searchable() (ledger.Searchable, error) {
	s := ledger.Searchable{Hospitals: []string{}}
	var err error
	if s.Scopes, err = list[ledger.Scope](ctx, ledger.ScopeStatePrefix); err != nil {
		return s, err
	}
	if s.Retirements, err = list[ledger.Retirement](ctx, ledger.ScopeRetirementPrefix); err != nil {
		return s, err
	}
	authorities, err := list[ledger.Authority](ctx, ledger.AuthorityPrefix)
	for _, a := range authorities {
		s.Hospitals = append(s.Hospitals, a.MSP)
	}
	return s, err
}

// Searchable gives what a search of one scope covers, by point reads and short ranges, in
// the form of Search. Clients call it when Search cannot list all scopes. The list of
// scopes is empty if there is none of the name. Every member of the channel may call it.
//
// Errors:
//   - ErrInvalid if the name is malformed.
func (c *Scope) Searchable(ctx *Context, name string) (ledger.Searchable, error) {
	s := ledger.Searchable{Scopes: []ledger.Scope{}, Hospitals: []string{}}
	scope, found, err := ctx.scope(name)
	if err != nil {
		return s, err
	}
	if found {
		s.Scopes = append(s.Scopes, scope)
	}
	generation, err := ctx.many([]string{ledger.SearchableKey})
	if err != nil {
		return s, err
	}
	s.Generation = string(generation[0])
	if s.Retirements, err = list[ledger.Retirement](ctx, ledger.ScopeRetiredPrefix(name)); err != nil {
		return s, err
	}
	authorities, err := list[ledger.Authority](ctx, ledger.AuthorityPrefix)
	for _, a := range authorities {
		s.Hospitals = append(s.Hospitals, a.MSP)
	}
	return s, err
}
