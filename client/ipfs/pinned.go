package ipfs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// pinPrefix begins the names of all pins that have one. The operator's own pins have
// other names.
const pinPrefix = "chartseal-"

// fileName is the name of the pin of a payload of several blocks.
const fileName = pinPrefix + "file"

// Pinned implements replica.Unpinner. It lists the payloads that are pinned, by
// themselves or in a pinset. It leaves out pins with a name that is not Chartseal's, and
// pins of what cannot be a payload.
//
// Errors: those of [Store.Unpin].
func (s *Store) Pinned(ctx context.Context) ([]string, error) {
	wctx, watch := newWatchdog(ctx, s.idle)
	defer watch.stop()
	payloads := cid.NewSet()
	var perhaps []cid.Cid // pinsets
	err := s.eachPin(wctx, true, watch, func(root cid.Cid, name string) {
		switch {
		case accept(root) != nil || name != "" && !strings.HasPrefix(name, pinPrefix):
		case root.Type() == cid.Raw || name == fileName:
			payloads.Add(root)
		default:
			perhaps = append(perhaps, root)
		}
	})
	for _, root := range perhaps {
		if err != nil {
			break
		}
		watch.restart()
		var members []cid.Cid
		var gone bool
		members, gone, err = s.pinsetMembers(wctx, root)
		for _, c := range members {
			payloads.Add(c)
		}
		if err != nil || gone || len(members) > 0 {
			continue
		}
		if _, err = s.innerBlock(wctx, root); err == nil {
			payloads.Add(root)
		} else if errors.Is(err, ledger.ErrInvalid) {
			err = nil // a directory, for example
		}
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, s.explain("list pins", err, watch)
	}
	ids := make([]string, 0, payloads.Len())
	payloads.ForEach(func(c cid.Cid) error {
		ids = append(ids, c.String())
		return nil
	})
	return ids, nil
}

// eachPin calls found for every pinned root.
func (s *Store) eachPin(ctx context.Context, names bool, watch *watchdog, found func(root cid.Cid, name string)) error {
	watch.restart()
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
		watch.restart()
		c, err := cid.Decode(out.Cid)
		if err != nil {
			return ledger.Errorf(ledger.ErrTampered, "the IPFS node %s lists a pin of %.100q", s.address, out.Cid)
		}
		found(c, out.Name)
	}
}
