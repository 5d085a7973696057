package trust

import (
	"bytes"
	"context"
	"fmt"
)

// ConfirmScopeKey asks a witness for the same wrapped scope key. This is needed because
// anyone can wrap a key of their own for a scope's policy, and could then read everything
// indexed under it.
//
// Errors:
//   - ErrTampered if the witness holds another key.
//   - ErrUnavailable if there are witnesses and none answers.
func (d *Directory) ConfirmScopeKey(ctx context.Context, name string, epoch int, accessID string, wrapped []byte) error {
	return confirm(ctx, fmt.Sprintf("the key of scope %s", name), d.Witnesses, func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := w.ScopeKey(ctx, name, epoch, accessID)
		return bytes.Equal(theirs, wrapped), err
	})
}
