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

// isOurs tells pins that Chartseal looks after from the operator's own. People make no
// pins with other names. Replicators make pins without one.
func isOurs(name string) bool { return name == "" || strings.HasPrefix(name, pinPrefix) }

// Pinned implements replica.Unpinner. It lists the payloads that are pinned, by
// themselves or in a pinset, and whatever else people can pin: a directory, for example,
// that links to a payload. It leaves out pins with a name that is not Chartseal's, pins
// that people cannot make, and pinsets of which the node has no good copy.
//
// Errors: those of [Store.Unpin].
func (s *Store) Pinned(ctx context.Context) ([]string, error) {
	wctx, watch := newWatchdog(ctx, s.idle)
	defer watch.stop()
	payloads := cid.NewSet()
	var perhaps []cid.Cid // pinsets
	err := s.eachPin(wctx, true, watch, func(root cid.Cid, name string) {
		switch {
		case accept(root) != nil || !isOurs(name):
		case root.Type() == cid.Raw:
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
		members, gone, merr := s.pinsetMembers(wctx, root)
		switch {
		case errors.Is(merr, ledger.ErrTampered), errors.Is(merr, ledger.ErrUnavailable): // its members are not known
		case merr != nil:
			err = merr
		case len(members) == 0 && !gone:
			payloads.Add(root)
		}
		for _, c := range members {
			payloads.Add(c)
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
