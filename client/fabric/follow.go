package fabric

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric/block"
)

// A Following says what to do with each item of a stream that follows the ledger, such as
// a block, and how to survive failures.
type Following[T any] struct {
	// Checkpoint keeps the position between runs. With a [CheckpointFile], Handle may get
	// an item twice after a crash. To get each item once, Handle stores its results and
	// the position in one database transaction, and Save of the Checkpoint does nothing.
	Checkpoint Checkpoint

	// Handle gets the items one at a time, oldest first. Its error ends the following.
	Handle func(ctx context.Context, item T) error

	// Interrupted is told why the stream broke, and how long it takes until the next
	// attempt. It may be nil.
	Interrupted func(err error, wait time.Duration)
}

// A BlockSource streams the blocks of the channel, oldest first, from a number on. It
// waits for new blocks. The stream ends with an error, when ctx ends at the latest; that
// of a finite source, such as a file, ends after its last block. A [Gateway] asks the own
// peer. A source that asks orderers fits as well.
type BlockSource interface {
	Blocks(ctx context.Context, from uint64) iter.Seq2[*common.Block, error]
}

// FollowBlocks decodes all blocks of a source, from the first or from the checkpoint on,
// and hands them to f.Handle, until ctx ends, f.Handle fails or a finite source is at its
// end. If the stream breaks, it asks the source again, after a pause that grows up to
// 15 s. chaincode is the name of our chaincode, see [block.Decode].
//
// Errors:
//   - The error of f.Handle or f.Checkpoint, unchanged.
//   - The error of ctx when it ends.
//   - ErrDenied if the source does not serve blocks to this user.
//   - ErrTampered if a block cannot be decoded, or is not the next one.
func FollowBlocks(ctx context.Context, source BlockSource, chaincode string, f Following[*block.Block]) error {
	return follow(ctx, f, func(ctx context.Context, from Position) iter.Seq2[step[*block.Block], error] {
		return func(yield func(step[*block.Block], error) bool) {
			due := from.Block
			for raw, err := range source.Blocks(ctx, due) {
				var b *block.Block
				if err == nil {
					b, err = decodeDue(raw, chaincode, due)
				}
				if errors.Is(err, ledger.ErrDenied) || errors.Is(err, ledger.ErrTampered) {
					err = &finalError{err}
				}
				due++
				if !yield(step[*block.Block]{b, Position{Block: due}}, err) || err != nil {
					return
				}
			}
		}
	})
}

func decodeDue(raw *common.Block, chaincode string, due uint64) (*block.Block, error) {
	b, err := block.Decode(raw, chaincode)
	if err == nil && b.Number != due {
		err = ledger.Errorf(ledger.ErrTampered, "block %d came instead of block %d", b.Number, due)
	}
	return b, err
}

// Payloads turns a handler of payloads into one of blocks. handle gets those that each
// valid transaction registered, as with [Gateway.FollowRecords].
func Payloads(handle func(ctx context.Context, payloads []ledger.Payload) error) func(context.Context, *block.Block) error {
	return func(ctx context.Context, b *block.Block) error {
		for tx := range b.Valid() {
			if len(tx.Records) == 0 {
				continue
			}
			if err := handle(ctx, payloadsOf(tx)); err != nil {
				return err
			}
		}
		return nil
	}
}

// payloadsOf gives the payloads that a transaction registered, with its id.
func payloadsOf(tx *block.Transaction) []ledger.Payload {
	payloads := tx.Payloads()
	for i := range payloads {
		payloads[i].Tx = tx.ID
	}
	return payloads
}

// A step is an item of a stream and the position after it.
type step[T any] struct {
	item T
	next Position
}

// A finalError ends the following: the same would happen again.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

// Pauses between attempts to get a stream.
const (
	firstWait = 500 * time.Millisecond
	maxWait   = 15 * time.Second
)

// follow handles what stream yields, and opens the stream again from the last position
// after a failure.
func follow[T any](ctx context.Context, f Following[T], stream func(context.Context, Position) iter.Seq2[step[T], error]) error {
	at, err := f.Checkpoint.Load()
	if err != nil {
		return err
	}
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		before := at
		err := handleAll(ctx, f, stream, &at)
		var final *finalError
		switch {
		case err == nil:
			return ctx.Err()
		case errors.As(err, &final):
			return final.err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if at != before {
			wait = firstWait
		}
		if f.Interrupted != nil {
			f.Interrupted(err, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handleAll handles one stream from a position on, and moves the position. It returns the
// stream's error, or a finalError.
func handleAll[T any](ctx context.Context, f Following[T], stream func(context.Context, Position) iter.Seq2[step[T], error], at *Position) error {
	for s, err := range stream(ctx, *at) {
		if err != nil {
			return err
		}
		if err := f.Handle(ctx, s.item); err != nil {
			return &finalError{err}
		}
		if err := f.Checkpoint.Save(s.next); err != nil {
			return &finalError{err}
		}
		*at = s.next
	}
	return nil
}
