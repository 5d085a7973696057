package ipfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Pin implements client.Blobs. It fetches what the node has not got.
func (s *Store) Pin(ctx context.Context, id string) error {
	return s.pinAll(ctx, s.idle, "pin "+id, id)
}

// PinAll implements replica.Pinner. It gives up when nothing has come for [groupIdle].
func (s *Store) PinAll(ctx context.Context, ids []string) error {
	return s.pinAll(ctx, min(s.idle, groupIdle), fmt.Sprintf("pin %d payloads", len(ids)), ids...)
}

// groupIdle is how long one payload that nobody has may hold up those that are pinned with it.
const groupIdle = 5 * time.Second

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
