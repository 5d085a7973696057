package ipfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"
)

// Pin implements client.Blobs. It fetches what the node has not got.
func (s *Store) Pin(ctx context.Context, id string) error {
	return s.pinAll(ctx, s.idle, "pin "+id, id)
}

// PinAll implements replica.Pinner. It gives up when nothing has come for [groupIdle].
//
// A node that is asked for payloads one after the other asks its neighbours for each. So they are tied to a node of their own that links to
// all of them: pinning that fetches them in one session, some at a time, which costs a third. Then each gets a pin of its own, and
// the tie is removed.
func (s *Store) PinAll(ctx context.Context, ids []string) error {
	op := fmt.Sprintf("pin %d payloads", len(ids))
	if s.allPinned(ctx, ids) {
		return nil
	}
	tie, err := s.tie(ctx, ids)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	defer s.untie(ctx, tie)
	if err := s.pinAll(ctx, min(s.idle, groupIdle), op, tie); err != nil {
		return err
	}
	return s.pinAll(ctx, s.idle, op, ids...)
}

// groupIdle is how long one payload that nobody has may hold up those that are pinned with it.
const groupIdle = 5 * time.Second

// allPinned spares the home of payloads, which pinned them when they were put, the work.
func (s *Store) allPinned(ctx context.Context, ids []string) bool {
	ctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	return s.api.Request("pin/ls", ids...).Option("type", "recursive").Exec(ctx, nil) == nil
}

// tie stores a node that links to payloads.
func (s *Store) tie(ctx context.Context, ids []string) (string, error) {
	var n merkledag.ProtoNode
	for _, id := range ids {
		c, err := parse(id)
		if err != nil {
			return "", err
		}
		if err := n.AddRawLink("", &format.Link{Cid: c}); err != nil {
			return "", err
		}
	}
	n.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256})
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	block := leafPut{n.RawData(), n.Cid()}
	if err := s.putBlocks(wctx, "dag-pb", false, []leafPut{block}); err != nil {
		return "", s.explain("tie payloads", err, nil)
	}
	return n.Cid().String(), nil
}

// untie lets go of a tie. The block stays until the node collects its garbage, 40 bytes a payload: to remove it by name makes kubo go
// through all pins there are.
func (s *Store) untie(ctx context.Context, tie string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	s.api.Request("pin/rm", tie).Exec(ctx, nil)
}

func (s *Store) pinAll(ctx context.Context, idle time.Duration, op string, ids ...string) error {
	for _, id := range ids {
		if _, err := parse(id); err != nil {
			return err
		}
	}
	wctx, watch := newWatch(ctx, idle)
	defer watch.stop()
	watch.start()
	err := s.pin(wctx, ids, watch)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return s.explain(op, err, watch)
}

func (s *Store) pin(ctx context.Context, ids []string, watch *watch) error {
	resp, err := s.api.Request("pin/add", ids...).Option("recursive", true).Option("progress", true).Send(ctx)
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
			return errors.New("the node stopped before it had pinned")
		case err != nil:
			return err
		}
		pinned = pinned || len(out.Pins) == len(ids)
		if out.Progress > progress {
			progress = out.Progress
			watch.start()
		}
	}
}
