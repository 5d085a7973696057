package fabric

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric/block"
)

// Height returns the number of blocks that the peer has.
//
// Errors:
//   - ErrUnavailable if the peer does not answer.
//   - ErrTampered if the answer cannot be read.
func (g *Gateway) Height(ctx context.Context) (uint64, error) {
	const function = "GetChainInfo"
	raw, err := g.evaluateOn(ctx, g.network.GetContract("qscc"), function, g.user.Profile.Channel)
	if err != nil {
		return 0, err
	}
	var info common.BlockchainInfo
	if err := proto.Unmarshal(raw, &info); err != nil {
		return 0, ledger.Errorf(ledger.ErrTampered, "%s: the answer of the peer %s cannot be read: %v", function, g.user.Profile.Peer.Address, err)
	}
	return info.Height, nil
}

// nextBlock is how long ReadRecords waits for a block.
const nextBlock = 5 * time.Minute

// ReadRecords hands over the payloads that each transaction registered, and those that it
// took out of a version, see [Gateway.ReadCopies].
//
// Errors: those of ReadCopies.
func (g *Gateway) ReadRecords(ctx context.Context, from, until uint64, handle func(registered []ledger.Payload, ended []ledger.End) error) (next uint64, err error) {
	return g.ReadCopies(ctx, from, until, func(payloads []ledger.Payload, ends []ledger.End, _ []ledger.PinReceipt) error {
		return handle(payloads, ends)
	})
}

// ReadCopies hands over the payloads that each transaction registered, those that it took
// out of a version, and the receipts of pins in it, in the blocks from a number on, and
// below another one. It leaves out receipts for another hospital than the caller's, which
// no contract writes. It waits for blocks that the peer does not have yet. Next is the
// number of the first block that was not read, also after an error.
//
// Errors:
//   - The error of handle, unchanged.
//   - The error of ctx when it ends.
//   - ErrDenied if the peer does not serve blocks to this user.
//   - ErrTampered if this version cannot read a block, or a record in it.
//   - ErrUnavailable if no block comes for 5 minutes, or until is below from: then the
//     peer has lost blocks that were read before.
func (g *Gateway) ReadCopies(ctx context.Context, from, until uint64, handle func(registered []ledger.Payload, ended []ledger.End, pins []ledger.PinReceipt) error) (next uint64, err error) {
	switch next = from; {
	case from == until:
		return from, nil
	case from > until:
		return from, ledger.Errorf(ledger.ErrUnavailable, "the peer %s has %d blocks, and %d were read before: it was restored from an older copy", g.user.Profile.Peer.Address, until, from)
	}
	end := errors.New("that was the last block")
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stalled := time.AfterFunc(nextBlock, cancel)
	defer stalled.Stop()
	err = FollowBlocks(wctx, g, g.user.Profile.Chaincode, Following[*block.Block]{
		Checkpoint: fixed(Position{Block: from}),
		Handle: func(_ context.Context, b *block.Block) error {
			for tx := range b.Valid() {
				for _, w := range tx.Other {
					if strings.HasPrefix(w.Key, "record/") || strings.HasPrefix(w.Key, "ended/") {
						return ledger.Errorf(ledger.ErrTampered, "block %d writes %q in a form that this version does not know", b.Number, w.Key)
					}
				}
				pins := slices.DeleteFunc(tx.Pins, func(r ledger.PinReceipt) bool { return r.Keeper != tx.MSP })
				for i := range tx.Ends {
					tx.Ends[i].Home = tx.MSP // the contract lets nobody else end a version
				}
				if err := handle(payloadsOf(tx), tx.Ends, pins); err != nil {
					return err
				}
			}
			stalled.Reset(nextBlock)
			if next = b.Number + 1; next >= until {
				return end
			}
			return nil
		},
	})
	switch {
	case errors.Is(err, end):
		return next, nil
	case ctx.Err() == nil && wctx.Err() != nil:
		err = ledger.Errorf(ledger.ErrUnavailable, "the peer %s has %d of %d blocks", g.user.Profile.Peer.Address, next, until)
	}
	return next, err
}

// fixed is a Checkpoint that begins at a position and keeps none.
type fixed Position

// Load implements Checkpoint.
func (f fixed) Load() (Position, error) { return Position(f), nil }

// Save implements Checkpoint.
func (fixed) Save(Position) error { return nil }
