package ipfs

import (
	"context"
	"errors"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Check implements replica.Checker. It reads each block of a payload from the node's own
// disk, compares it with its hash, and replaces a damaged one by the copy of another
// hospital's node. Pins are left alone. Pace is called with the size of each block.
//
// Errors:
//   - ErrDamaged if a block has no good copy. The blocks below it are not checked.
//   - ledger.ErrUnavailable if the node does not answer, or does not take a good copy.
//   - ledger.ErrTampered if the tree is not a payload's.
//   - ledger.ErrDenied if the node refuses the token.
//   - the error of pace, as it is.
//   - the error of ctx, once it has ended.
func (s *Store) Check(ctx context.Context, id string, pace func(ctx context.Context, size int) error) (blocks, replaced int, err error) {
	root, err := parse(id)
	if err != nil {
		return 0, 0, err
	}
	todo := []cid.Cid{root}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		data, which, err := s.Repair(ctx, c.String())
		if err != nil {
			return blocks, replaced, err
		}
		blocks++
		switch which {
		case Replaced:
			replaced++
		case NotReplaced:
			return blocks, replaced, s.notTaken(c)
		}
		if c.Type() == cid.DagProtobuf {
			if n, err := parseInner(c, data); err == nil {
				todo = append(todo, n.children...)
			} // else it is a directory, for example, and was listed as what people pin
		}
		if err := pace(ctx, len(data)); err != nil {
			return blocks, replaced, err
		}
	}
	return blocks, replaced, nil
}

// CheckPinsets implements replica.Checker. It compares the nodes with links that are
// pinned with their hashes, and replaces damaged ones: a pinset by its saved block, as it
// is on no other node, and others as Check does. It returns the blocks of the pinsets to
// save, and the roots of which there is no good copy. Those that were saved and are still
// pinned are among the blocks.
//
// Errors: those of Check, except ErrDamaged.
func (s *Store) CheckPinsets(ctx context.Context, saved [][]byte) (pinsets [][]byte, damaged []string, replaced int, err error) {
	copies := map[cid.Cid][]byte{}
	for _, data := range saved {
		c, err := cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}.Sum(data)
		if err != nil {
			return nil, nil, 0, err
		}
		copies[c] = data
	}
	wctx, watch := newWatchdog(ctx, s.idle)
	defer watch.stop()
	var roots []cid.Cid
	if err := s.listPins(wctx, true, watch, func(root cid.Cid, name string) {
		if isOurs(name) {
			roots = append(roots, root)
		}
	}); err != nil {
		return nil, nil, 0, s.explain("list pins", err, watch)
	}
	watch.pause()
	for _, root := range roots {
		data, err := s.ownCopy(ctx, root)
		var bad unreadable
		if errors.As(err, &bad) {
			if data, err = s.replace(ctx, root, copies[root]); err == nil {
				replaced++
			}
		}
		switch {
		case errors.Is(err, ErrDamaged):
			damaged = append(damaged, root.String())
			if data = copies[root]; data == nil {
				s.pinsets.forget(root) // whoever lists pins finds out what else keeps its members
				continue
			}
		case err != nil:
			return nil, nil, replaced, err
		}
		if len(parsePinset(data)) > 0 {
			pinsets = append(pinsets, data)
		}
	}
	return pinsets, damaged, replaced, nil
}

// replace replaces a damaged copy by a saved one, or by another node's.
func (s *Store) replace(ctx context.Context, c cid.Cid, saved []byte) ([]byte, error) {
	if saved == nil {
		data, which, err := s.Repair(ctx, c.String())
		if err == nil && which == NotReplaced {
			err = s.notTaken(c)
		}
		return data, err
	}
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	if err := s.putBlock(wctx, codecs[c.Type()], false, block{saved, c}); err != nil {
		return nil, s.explain("replace block "+c.String(), err, nil)
	}
	if _, err := s.ownCopy(ctx, c); err != nil {
		return nil, s.notTaken(c)
	}
	return saved, nil
}

// notTaken is the error of a node that keeps a damaged copy although it gets a good one.
func (s *Store) notTaken(c cid.Cid) error {
	return ledger.Errorf(ledger.ErrUnavailable, "the IPFS node %s does not take a good copy of block %s: its Datastore.BlockKeyCacheSize has to be 0", s.address, c)
}

// Unpinned implements replica.Checker. It tells how many blocks the node has beside those
// of payloads and pinsets.
//
// Errors:
//   - ledger.ErrUnavailable if the node does not answer.
//   - ledger.ErrDenied if the node refuses the token.
func (s *Store) Unpinned(ctx context.Context, blocks int) (int, error) {
	var out struct{ NumObjects int }
	if err := s.api.Request("repo/stat").Exec(ctx, &out); err != nil {
		return 0, s.explain("count blocks", err, nil)
	}
	s.pinsets.mu.Lock()
	defer s.pinsets.mu.Unlock()
	for _, members := range s.pinsets.members {
		if len(members) > 0 {
			blocks++
		}
	}
	return max(out.NumObjects-blocks, 0), nil
}
