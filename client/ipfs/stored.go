package ipfs

import (
	"context"

	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Stored returns those of the payloads of which the node itself has the first block,
// pinned or not. It asks no other node.
//
// Errors:
//   - ErrInvalid if an identifier cannot be read.
//   - ErrUnavailable if the node does not answer.
func (s *Store) Stored(ctx context.Context, ids []string) (stored []string, err error) {
	roots := make([]cid.Cid, len(ids))
	for i, id := range ids {
		if roots[i], err = cid.Decode(id); err != nil {
			return nil, ledger.Errorf(ledger.ErrInvalid, "%.80q is no content identifier: %v", id, err)
		}
	}
	there, err := s.local(ctx, roots)
	for _, c := range there {
		stored = append(stored, c.String())
	}
	return stored, err
}
