package trust

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// patience is the longest time that a witness may lag behind the own peer, or the own
// peer behind it.
const patience = 3 * time.Second

// confirm asks the witnesses in turn until one answers. It reports an error unless that
// witness agrees with the own peer. Without witnesses it believes the own peer.
//
// Errors:
//   - ErrTampered if the witness disagrees.
//   - ErrUnavailable if there are witnesses and none answers.
func confirm[W any](ctx context.Context, what string, witnesses []W, same func(context.Context, W) (bool, error)) error {
	var unavailable error
	for _, w := range witnesses {
		agreed, err := ask(ctx, w, same)
		switch {
		case errors.Is(err, ledger.ErrUnavailable):
			unavailable = err
			continue
		case err != nil:
			return fmt.Errorf("confirm %s: %w", what, err)
		case !agreed:
			return ledger.Errorf(ledger.ErrTampered, "your own peer and that of another organisation do not say the same of %s", what)
		}
		return nil
	}
	if unavailable != nil {
		return fmt.Errorf("no other organisation's peer could confirm %s: %w", what, unavailable)
	}
	return nil
}

// ask gives a witness time to catch up. The witness may not yet have the statement, or
// the access entry that lets the caller read it. A witness that still denies access after
// that cannot confirm anything, so the result is ErrUnavailable.
func ask[W any](ctx context.Context, w W, same func(context.Context, W) (bool, error)) (bool, error) {
	for deadline := time.Now().Add(patience); ; {
		agreed, err := same(ctx, w)
		behind := errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrDenied) || err == nil && !agreed
		switch {
		case behind && time.Now().Before(deadline):
		case errors.Is(err, ledger.ErrNotFound):
			return false, nil
		case errors.Is(err, ledger.ErrDenied):
			return false, ledger.WithKind(err, ledger.ErrUnavailable)
		default:
			return agreed, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
