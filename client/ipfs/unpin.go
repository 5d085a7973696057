package ipfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/groupcommit"
)

// Unpin implements client.Blobs. A payload that is tied to others is let go of in all of
// its ties, and the others stay pinned at every moment, whatever is done at the same time
// with this node and whenever this program is killed: a tie is replaced by one without
// the payload in one step, and of two who replace the same tie one is refused and looks
// again. When Unpin fails, the payload may still be pinned, and calling it again
// finishes.
//
// What is pinned as a tie is no payload, whoever registers it as one, and stays pinned.
//
// Each call lists the node's pins; calls that run at once share that.
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

func (s *Store) sharedUnpins() *groupcommit.Committer[cid.Cid] {
	return &groupcommit.Committer[cid.Cid]{
		Commit: s.unpinAll,
		Retry:  func([]cid.Cid, error) bool { return true },
	}
}

func (s *Store) unpinAll(ctx context.Context, payloads []cid.Cid) error {
	wctx, watch := newWatch(ctx, s.idle)
	defer watch.stop()
	var leaves []cid.Cid // which ties are of
	var err error
	for _, c := range payloads {
		watch.start()
		if c.Type() == cid.Raw {
			leaves = append(leaves, c)
			_, err = s.unpin(wctx, c)
		} else {
			err = s.unpinFile(wctx, c)
		}
		if err != nil {
			break
		}
	}
	if err == nil && len(leaves) > 0 {
		err = s.untie(wctx, leaves, watch)
	}
	if err != nil && watch.expired() {
		return ledger.Errorf(ledger.ErrUnavailable, "nothing moved for %v at the IPFS node %s", s.idle, s.address)
	}
	return err
}

// unpinFile removes a pin that keeps no payloads but its own.
func (s *Store) unpinFile(ctx context.Context, root cid.Cid) error {
	name, pinned, err := s.pinned(ctx, root)
	if err != nil || !pinned || strings.HasPrefix(name, tiePrefix) {
		return err
	}
	_, err = s.unpin(ctx, root)
	return err
}

// unpin removes a pin, and tells whether there was one.
func (s *Store) unpin(ctx context.Context, root cid.Cid) (bool, error) {
	err := s.api.Request("pin/rm", root.String()).Option("recursive", true).Exec(ctx, nil)
	var refusal *rpc.Error
	if errors.As(err, &refusal) { // perhaps because there is none, which kubo says only in prose
		if _, pinned, lerr := s.pinned(ctx, root); lerr == nil && !pinned {
			return false, nil
		}
	}
	return err == nil, err
}

// untie replaces all ties that payloads are members of.
//
// The names of pins do not come from one moment: a pin that is replaced while they are
// listed may be missing, and so may its replacement. The list without names is of one
// moment. What is in it and was not among the names is looked at too.
func (s *Store) untie(ctx context.Context, payloads []cid.Cid, watch *watch) error {
	for {
		var named, late []cid.Cid
		seen := cid.NewSet()
		if err := s.roots(ctx, true, watch, func(root cid.Cid, name string) {
			seen.Add(root)
			if mayTie(name, payloads) {
				named = append(named, root)
			}
		}); err != nil {
			return err
		}
		overtaken, err := s.releaseAll(ctx, named, payloads, watch)
		if err != nil {
			return err
		}
		if err := s.roots(ctx, false, watch, func(root cid.Cid, _ string) {
			if !seen.Has(root) {
				late = append(late, root)
			}
		}); err != nil {
			return err
		}
		again, err := s.releaseAll(ctx, late, payloads, watch)
		if err != nil || !overtaken && !again {
			return err
		}
	}
}

// releaseAll tells whether somebody else has changed one of the ties meanwhile.
func (s *Store) releaseAll(ctx context.Context, ties, payloads []cid.Cid, watch *watch) (overtaken bool, err error) {
	for _, t := range ties {
		watch.start()
		o, err := s.release(ctx, t, payloads)
		if err != nil {
			return false, fmt.Errorf("untie from %s: %w", t, err)
		}
		overtaken = overtaken || o
	}
	return overtaken, nil
}

// release replaces a tie by one without the payloads, if they are in it, and tells
// whether somebody else has changed it meanwhile.
func (s *Store) release(ctx context.Context, root cid.Cid, payloads []cid.Cid) (overtaken bool, err error) {
	members, gone, err := s.tied(ctx, root)
	if err != nil || gone {
		return gone, err
	}
	rest := slices.DeleteFunc(slices.Clone(members), func(c cid.Cid) bool { return slices.Contains(payloads, c) })
	switch {
	case len(rest) == len(members):
		return false, nil
	case len(rest) == 0:
		removed, err := s.unpin(ctx, root)
		return !removed, err
	}
	// Nobody else pins this tie: kubo lets go of its lock while it replaces a pin, and
	// should the new root be pinned meanwhile, gives it two pins, and refuses from then
	// on to replace it.
	t, err := freshTie(rest)
	if err != nil {
		return false, err
	}
	if err := s.putTie(ctx, t); err != nil {
		return false, err
	}
	// One step of the node, which it refuses when the old pin is not there any more. The
	// new one has the old one's name, which hints at too many.
	err = s.api.Request("pin/update", root.String(), t.cid.String()).Option("unpin", true).Exec(ctx, nil)
	var refusal *rpc.Error
	if !errors.As(err, &refusal) {
		return false, err
	}
	switch _, pinned, lerr := s.pinned(ctx, t.cid); {
	case lerr != nil:
		return false, errors.Join(err, lerr)
	case pinned: // it failed after that, and the others are kept
		removed, err := s.unpin(ctx, root)
		return !removed, err
	}
	if _, pinned, lerr := s.pinned(ctx, root); lerr != nil || pinned {
		return false, errors.Join(err, lerr)
	}
	return true, nil
}

// roots lists pinned roots that can be ties.
func (s *Store) roots(ctx context.Context, names bool, watch *watch, found func(root cid.Cid, name string)) error {
	watch.start()
	resp, err := s.api.Request("pin/ls").Option("type", "recursive").Option("stream", true).Option("names", names).Send(ctx)
	if err != nil {
		return err
	}
	if resp.Error != nil {
		return resp.Error
	}
	defer resp.Cancel()
	for d := json.NewDecoder(resp.Output); ; {
		var out struct{ Cid, Name string }
		if err := d.Decode(&out); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		watch.start()
		c, err := cid.Decode(out.Cid)
		if err != nil {
			return ledger.Errorf(ledger.ErrTampered, "the IPFS node %s lists a pin of %.100q", s.address, out.Cid)
		}
		if c.Type() == cid.DagProtobuf && accept(c) == nil {
			found(c, out.Name)
		}
	}
}
