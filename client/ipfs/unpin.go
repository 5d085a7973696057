package ipfs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"

	"github.com/chartseal/chartseal/client/groupcommit"
)

// Unpin implements replica.Unpinner. It removes a payload from every pinset that holds
// it.
//
// The other members stay pinned at every moment, whatever other programs do with the node
// and whenever this one is killed. A pinset is replaced in one step by one without the
// payload. If two programs replace the same pinset, the node refuses one of them, which
// then looks again. When Unpin fails, the payload may still be pinned, and another call
// finishes the job.
//
// A pinset stays pinned when Unpin gets its CID: it is no payload, even if somebody
// registers it as one.
//
// Each call lists the node's pins. Concurrent calls share the list. A Store reads each
// pinset once.
//
// Errors:
//   - ledger.ErrInvalid if id is not the CID of a payload.
//   - ledger.ErrUnavailable if the node does not answer, or has lost a pinset.
//   - ledger.ErrDenied if the node refuses the token.
//   - ledger.ErrTampered if the node serves another block for a pinset.
//   - the error of ctx, once it has ended.
func (s *Store) Unpin(ctx context.Context, id string) error {
	c, err := parse(id)
	if err != nil {
		return err
	}
	err = s.unpins.Do(ctx, c)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return s.explain("unpin "+id, err, nil)
}

// unpinCommitter groups concurrent calls of Unpin.
func (s *Store) unpinCommitter() *groupcommit.Committer[cid.Cid] {
	return &groupcommit.Committer[cid.Cid]{
		Commit: s.unpinGroup,
		Retry:  func([]cid.Cid, error) bool { return true },
	}
}

func (s *Store) unpinGroup(ctx context.Context, payloads []cid.Cid) error {
	wctx, watch := newWatchdog(ctx, s.idle)
	defer watch.stop()
	var leaves []cid.Cid // may be members of pinsets
	var err error
	for _, c := range payloads {
		watch.restart()
		if c.Type() == cid.Raw {
			leaves = append(leaves, c)
			_, err = s.removePin(wctx, c)
		} else {
			err = s.unpinFile(wctx, c)
		}
		if err != nil {
			break
		}
	}
	if err == nil && len(leaves) > 0 {
		err = s.leavePinsets(wctx, leaves, watch)
	}
	if err != nil && watch.expired() {
		return s.stalled(watch)
	}
	return err
}

// unpinFile removes a pin, unless it is that of a pinset.
func (s *Store) unpinFile(ctx context.Context, root cid.Cid) error {
	pinned, err := s.isRoot(ctx, root)
	if err != nil || !pinned {
		return err
	}
	members, gone, err := s.pinsetMembers(ctx, root)
	if err != nil || gone || len(members) > 0 {
		return err
	}
	_, err = s.removePin(ctx, root)
	return err
}

// removePin removes a root's own pin and reports whether there was one.
func (s *Store) removePin(ctx context.Context, root cid.Cid) (bool, error) {
	err := s.api.Request("pin/rm", root.String()).Option("recursive", true).Exec(ctx, nil)
	var refusal *rpc.Error
	if errors.As(err, &refusal) { // perhaps there was none, which only kubo's prose says
		if pinned, lerr := s.isRoot(ctx, root); lerr == nil && !pinned {
			return false, nil
		}
	}
	return err == nil, err
}

// leavePinsets replaces every pinset that holds one of the payloads.
//
// kubo does not look up the names of pins at one moment: the list with names may miss a
// pin that is replaced meanwhile, and its replacement. The list without names is of one
// moment. Pins that only the second list has are examined too.
func (s *Store) leavePinsets(ctx context.Context, payloads []cid.Cid, watch *watchdog) error {
	for {
		var ours, missed []cid.Cid
		seen := cid.NewSet()
		if err := s.listPins(ctx, true, watch, func(root cid.Cid, name string) {
			seen.Add(root)
			if isOurs(name) {
				ours = append(ours, root)
			}
		}); err != nil {
			return err
		}
		s.pinsets.retain(seen)
		overtaken, err := s.removeFromAll(ctx, ours, payloads, watch)
		if err != nil {
			return err
		}
		if err := s.listPins(ctx, false, watch, func(root cid.Cid, _ string) {
			if !seen.Has(root) {
				missed = append(missed, root)
			}
		}); err != nil {
			return err
		}
		again, err := s.removeFromAll(ctx, missed, payloads, watch)
		if err != nil || !overtaken && !again {
			return err
		}
	}
}

// removeFromAll reports whether another program has changed one of the pinsets meanwhile.
func (s *Store) removeFromAll(ctx context.Context, pinsets, payloads []cid.Cid, watch *watchdog) (overtaken bool, err error) {
	for _, p := range pinsets {
		watch.restart()
		o, err := s.removeFrom(ctx, p, payloads)
		if err != nil {
			return false, fmt.Errorf("remove from pinset %s: %w", p, err)
		}
		overtaken = overtaken || o
	}
	return overtaken, nil
}

// removeFrom replaces a pinset by one without the payloads, if it holds any of them. It
// reports whether another program has changed the pinset meanwhile.
func (s *Store) removeFrom(ctx context.Context, root cid.Cid, payloads []cid.Cid) (overtaken bool, err error) {
	members, gone, err := s.pinsetMembers(ctx, root)
	if err != nil || gone {
		return gone, err
	}
	rest := slices.DeleteFunc(slices.Clone(members), func(c cid.Cid) bool { return slices.Contains(payloads, c) })
	switch {
	case len(rest) == len(members):
		return false, nil
	case len(rest) == 0:
		removed, err := s.removePin(ctx, root)
		return !removed, err
	}
	// The new pinset is unique, so that no other program pins it. kubo releases its lock
	// while it replaces a pin. A root that is pinned in that moment gets two pins, and
	// kubo then refuses to replace it ever again.
	p, err := newUniquePinset(rest)
	if err != nil {
		return false, err
	}
	if err := s.putBlock(ctx, "dag-pb", false, p.block); err != nil {
		return false, err
	}
	// kubo replaces a pin in one step and refuses when the old one is gone. The new pin
	// keeps the old name.
	err = s.api.Request("pin/update", root.String(), p.cid.String()).Option("unpin", true).Exec(ctx, nil)
	var refusal *rpc.Error
	if !errors.As(err, &refusal) {
		return false, err
	}
	switch pinned, lerr := s.isRoot(ctx, p.cid); {
	case lerr != nil:
		return false, errors.Join(err, lerr)
	case pinned: // it failed after that: the new pinset keeps the others
		removed, err := s.removePin(ctx, root)
		return !removed, err
	}
	if pinned, lerr := s.isRoot(ctx, root); lerr != nil || pinned {
		return false, errors.Join(err, lerr)
	}
	return true, nil
}

// listPins calls found for every pinned root that can be a pinset.
func (s *Store) listPins(ctx context.Context, names bool, watch *watchdog, found func(root cid.Cid, name string)) error {
	return s.eachPin(ctx, names, watch, func(root cid.Cid, name string) {
		if root.Type() == cid.DagProtobuf && accept(root) == nil {
			found(root, name)
		}
	})
}
