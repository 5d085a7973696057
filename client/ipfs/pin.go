package ipfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Pin implements client.Blobs. The node fetches the blocks that it does not have.
//
// Errors:
//   - ledger.ErrInvalid if id is not the CID of a payload.
//   - ledger.ErrUnavailable if no reachable node has the payload, or ours does not
//     answer.
//   - ledger.ErrDenied if the node refuses the token.
//   - the error of ctx, once it has ended.
func (s *Store) Pin(ctx context.Context, id string) error {
	c, err := parse(id)
	if err != nil {
		return err
	}
	return s.ensurePinned(ctx, s.idle, "pin "+id, c, "")
}

// PinAll implements replica.Pinner. It returns the payloads that are pinned, and the
// errors of the others joined. It gives up on payloads of which nothing has come for 5 s.
//
// Single-block payloads are pinned by a pinset. The node then fetches them in one
// session, instead of asking its neighbours for each.
//
// Errors: those of [Store.Pin].
func (s *Store) PinAll(ctx context.Context, ids []string) ([]string, error) {
	var leaves, files []cid.Cid
	var pinned []string
	var errs []error
	for _, id := range ids {
		c, err := parse(id)
		switch {
		case err != nil:
			errs = append(errs, err)
		case c.Type() == cid.Raw:
			leaves = append(leaves, c)
		default:
			files = append(files, c)
		}
	}
	for members := range slices.Chunk(leaves, maxMembers) {
		kept, err := s.pinTogether(ctx, members)
		for _, c := range kept {
			pinned = append(pinned, c.String())
		}
		errs = append(errs, err)
	}
	for _, c := range files {
		err := s.ensurePinned(ctx, min(s.idle, s.groupIdle), "pin "+c.String(), c, "")
		if err == nil {
			pinned = append(pinned, c.String())
		}
		errs = append(errs, err)
	}
	return pinned, errors.Join(errs...)
}

// pinTogether pins single-block payloads with one pin, and returns those that are pinned.
func (s *Store) pinTogether(ctx context.Context, members []cid.Cid) ([]cid.Cid, error) {
	op, idle := fmt.Sprintf("pin %d payloads", len(members)), min(s.idle, s.groupIdle)
	if len(members) == 1 {
		if err := s.ensurePinned(ctx, idle, "pin "+members[0].String(), members[0], ""); err != nil {
			return nil, err
		}
		return members, nil
	}
	p, err := newPinset(members)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	if err := s.putBlock(wctx, "dag-pb", false, p.block); err != nil {
		return nil, s.explain(op, err, nil)
	}
	err = s.ensurePinned(ctx, idle, op, p.cid, pinsetName)
	if err == nil {
		return members, nil
	}
	// Missing payloads do not hold up the others: those are pinned without them.
	here, lerr := s.local(ctx, members)
	if lerr != nil || len(here) == 0 || len(here) == len(members) {
		return nil, err
	}
	kept, kerr := s.pinTogether(ctx, here)
	return kept, errors.Join(err, kerr)
}

// local returns those of the blocks that the node has.
func (s *Store) local(ctx context.Context, blocks []cid.Cid) ([]cid.Cid, error) {
	ctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	var here []cid.Cid
	for _, c := range blocks {
		err := s.api.Request("block/stat", c.String()).Option("offline", true).Exec(ctx, nil)
		var refusal *rpc.Error
		switch {
		case err == nil:
			here = append(here, c)
		case !errors.As(err, &refusal):
			return nil, err
		}
	}
	return here, nil
}

// isRoot reports whether a root has a pin of its own.
func (s *Store) isRoot(ctx context.Context, root cid.Cid) (bool, error) {
	err := s.api.Request("pin/ls", root.String()).Option("type", "recursive").Exec(ctx, nil)
	var refusal *rpc.Error
	if errors.As(err, &refusal) && refusal.Code == 0 {
		return false, nil // only kubo's prose tells this from other refusals
	}
	return err == nil, err
}

// ensurePinned pins a root, unless it is pinned already. The node fetches the blocks that
// it does not have.
//
// A pinned root is not pinned again: kubo removes a pin before it makes it anew, and a
// failure in between loses it.
func (s *Store) ensurePinned(ctx context.Context, idle time.Duration, op string, root cid.Cid, name string) error {
	wctx, watch := newWatchdog(ctx, idle)
	defer watch.stop()
	watch.restart()
	pinned, err := s.isRoot(wctx, root)
	if err == nil && !pinned {
		err = s.pin(wctx, root, name, watch)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return s.explain(op, err, watch)
}

func (s *Store) pin(ctx context.Context, root cid.Cid, name string, watch *watchdog) error {
	req := s.api.Request("pin/add", root.String()).Option("recursive", true).Option("progress", true)
	if name != "" {
		req = req.Option("name", name)
	}
	resp, err := req.Send(ctx)
	if err != nil {
		return err
	}
	if resp.Error != nil {
		return resp.Error
	}
	defer resp.Cancel()
	progress, pinned := -1, false
	for d := json.NewDecoder(resp.Output); ; {
		var out struct {
			Pins     []string
			Progress int
		}
		switch err := d.Decode(&out); {
		case errors.Is(err, io.EOF) && pinned:
			return nil
		case errors.Is(err, io.EOF):
			return ledger.Errorf(ledger.ErrUnavailable, "the IPFS node %s stopped before it had pinned", s.address)
		case err != nil:
			return err
		}
		pinned = pinned || len(out.Pins) > 0
		if out.Progress > progress {
			progress = out.Progress
			watch.restart()
		}
	}
}
