package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// Search is Get for a query's first labels, together with what can be searched at that moment. A client that derived its labels
// from what it knew earlier so finds out in the same call whether that still holds, instead of asking before it may begin.
//
// It answers with every scope and is not told which one is searched, so the labels stay all that the peer learns of a query.
// There may be no labels at all. It is open to every member of the channel. Errors: ErrInvalid.
func (c *Index) Search(ctx *Context, batches []ledger.LabelBatch) (ledger.SearchAnswer, error) {
	var none ledger.SearchAnswer
	var err error
	values := [][]string{}
	if len(batches) > 0 {
		if values, err = c.Get(ctx, batches); err != nil {
			return none, err
		}
	}
	s := ledger.Searchable{Hospitals: []string{}, Retirements: []ledger.Retirement{}}
	if s.Scopes, err = list[ledger.Scope](ctx, ledger.ScopeStatePrefix); err != nil {
		return none, err
	}
	authorities, err := list[ledger.Authority](ctx, ledger.AuthorityPrefix)
	if err != nil {
		return none, err
	}
	for _, a := range authorities {
		s.Hospitals = append(s.Hospitals, a.MSP)
	}
	for _, scope := range s.Scopes {
		if scope.Epoch > 1 { // before that there is nothing to retire
			if s.Retirements, err = list[ledger.Retirement](ctx, ledger.ScopeRetirementPrefix); err != nil {
				return none, err
			}
			break
		}
	}
	return ledger.SearchAnswer{Values: values, Searchable: s}, nil
}
