package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// Search is Get for a query's first labels, together with what can be searched at that
// moment unless that is the generation which the caller knows. A client that derived its
// labels from what it knew earlier so finds out in the same call whether that still
// holds, instead of asking before it may begin; mostly it does, and then the call costs
// what Get costs.
//
// It is not told which scope is searched, so the labels stay all that the peer learns of
// a query. There may be no labels at all. It is open to every member of the channel.
// Errors: ErrInvalid.
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

// searchable reads what can be searched.
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
