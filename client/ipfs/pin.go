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

// groupIdle is how long payloads that nobody has may hold up those that are pinned with
// them.
const groupIdle = 5 * time.Second

// Pin implements client.Blobs. It fetches what the node has not got.
func (s *Store) Pin(ctx context.Context, id string) error {
	c, err := parse(id)
	if err != nil {
		return err
	}
	return s.keep(ctx, s.idle, "pin "+id, c, "")
}

// PinAll implements replica.Pinner. It gives up on payloads when nothing has come for
// [groupIdle].
//
// Payloads of one block are tied, which also fetches them in one session: a node that is
// asked for payloads one after the other asks its neighbours for each.
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
	for group := range slices.Chunk(leaves, maxTied) {
		kept, err := s.keepTied(ctx, group)
		for _, c := range kept {
			pinned = append(pinned, c.String())
		}
		errs = append(errs, err)
	}
	for _, c := range files {
		err := s.keep(ctx, min(s.idle, groupIdle), "pin "+c.String(), c, "")
		if err == nil {
			pinned = append(pinned, c.String())
		}
		errs = append(errs, err)
	}
	return pinned, errors.Join(errs...)
}

// keepTied pins payloads of one block each, and returns those that are pinned.
func (s *Store) keepTied(ctx context.Context, members []cid.Cid) ([]cid.Cid, error) {
	op, idle := fmt.Sprintf("pin %d payloads", len(members)), min(s.idle, groupIdle)
	if len(members) == 1 {
		if err := s.keep(ctx, idle, "pin "+members[0].String(), members[0], ""); err != nil {
			return nil, err
		}
		return members, nil
	}
	t, err := newTie(members)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	if err := s.putTie(wctx, t); err != nil {
		return nil, s.explain(op, err, nil)
	}
	err = s.keep(ctx, idle, op, t.cid, t.name())
	if err == nil {
		return members, nil
	}
	// Those that have come are not held up by those that have not.
	here, lerr := s.present(ctx, members)
	if lerr != nil || len(here) == 0 || len(here) == len(members) {
		return nil, err
	}
	kept, kerr := s.keepTied(ctx, here)
	return kept, errors.Join(err, kerr)
}

// present returns those of the blocks that the node has.
func (s *Store) present(ctx context.Context, blocks []cid.Cid) ([]cid.Cid, error) {
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

// pinned tells whether a root has a pin of its own, and that pin's name.
func (s *Store) pinned(ctx context.Context, root cid.Cid) (name string, ok bool, err error) {
	var out struct {
		Keys map[string]struct{ Name string }
	}
	err = s.api.Request("pin/ls", root.String()).Option("type", "recursive").Option("names", true).Exec(ctx, &out)
	var refusal *rpc.Error
	if errors.As(err, &refusal) && refusal.Code == 0 {
		return "", false, nil // kubo says so only in prose
	}
	return out.Keys[root.String()].Name, err == nil, err
}

// keep pins a root and fetches what the node has not got of it. It lets be what is
// pinned: kubo takes a pin away before it makes it anew, and when that fails it is lost.
// Only a tie that somebody has pinned as a payload gets a new pin, as Unpin would not
// find the members by the old one's name.
func (s *Store) keep(ctx context.Context, idle time.Duration, op string, root cid.Cid, name string) error {
	wctx, watch := newWatch(ctx, idle)
	defer watch.stop()
	watch.start()
	old, done, err := s.pinned(wctx, root)
	if err == nil && (!done || name != "" && name != old) {
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

func (s *Store) pin(ctx context.Context, root cid.Cid, name string, watch *watch) error {
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
			watch.start()
		}
	}
}
