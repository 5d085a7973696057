package session

import (
	"context"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// catchUp is how long ReadCopies waits for blocks that a witness has and the own peer
// does not.
const catchUp = 30 * time.Second

// ReadCopies hands over what the blocks of the own peer say of payloads, from a number
// on, and returns the number of the next block, also after an error. Whole tells whether
// every witness has answered, and the own peer has all of their blocks. It is false while
// a hospital is down whose peer is a witness.
//
// Errors: those of [fabric.Gateway.ReadCopies] and [fabric.Gateway.Height], of the own
// peer.
func (s *Session) ReadCopies(ctx context.Context, from uint64, handle func([]ledger.Payload, []ledger.End, []ledger.PinReceipt) error) (next uint64, whole bool, err error) {
	height, err := s.Ledger.Height(ctx)
	if err != nil {
		return from, false, err
	}
	if next, err = s.Ledger.ReadCopies(ctx, from, height, handle); err != nil {
		return next, false, err
	}
	highest, err := s.Height(ctx)
	if err != nil {
		return next, false, ctx.Err()
	}
	if highest <= next {
		return next, true, nil
	}
	wctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	next, err = s.Ledger.ReadCopies(wctx, next, highest, handle)
	return next, err == nil, ctx.Err()
}
