package ipfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/ipfs/kubo/client/rpc"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A pinset is an IPLD node that links to up to 100 single-block payloads, so that one pin
// keeps them all. A pin costs a kubo node several synchronous writes, more than storing a
// small payload does. The payloads of a pinset share that cost.
//
// kubo can only find the pin that keeps a block by walking everything that is pinned.
// The name of a pinset's pin therefore holds a short hint at each member. [Store.Unpin]
// lists the names to find the pinsets of a payload.
type pinset struct {
	block
	members []cid.Cid // sorted
}

const (
	maxMembers = 100

	// pinsetPrefix begins the pin names of pinsets, and the data of unique ones. Nodes
	// hold pins with it, so it does not change.
	pinsetPrefix = "chartseal-tie-"

	uniqueSize = len(pinsetPrefix) + 26 // bytes of data in a unique pinset
	hintSize   = 2                      // letters per member in a name; kubo allows 255 in all
)

// newPinset returns the pinset of the members. Its CID depends only on the members, not
// on their order.
func newPinset(members []cid.Cid) (pinset, error) { return makePinset(members, nil) }

// newUniquePinset returns a pinset with a CID that no other pinset has.
func newUniquePinset(members []cid.Cid) (pinset, error) {
	return makePinset(members, []byte(pinsetPrefix + rand.Text())[:uniqueSize])
}

func makePinset(members []cid.Cid, data []byte) (pinset, error) {
	p := pinset{members: slices.Clone(members)}
	slices.SortFunc(p.members, func(a, b cid.Cid) int { return strings.Compare(a.KeyString(), b.KeyString()) })
	p.members = slices.Compact(p.members)
	var n merkledag.ProtoNode
	n.SetData(data)
	for _, c := range p.members {
		if err := n.AddRawLink("", &format.Link{Cid: c}); err != nil {
			return pinset{}, err
		}
	}
	if err := n.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}); err != nil {
		return pinset{}, err
	}
	p.block = block{n.RawData(), n.Cid()}
	return p, nil
}

// isPinset tells pinsets from files by a node's data: UnixFS parses neither empty data
// nor that of a unique pinset.
func isPinset(data []byte) bool {
	return len(data) == 0 || len(data) == uniqueSize && bytes.HasPrefix(data, []byte(pinsetPrefix))
}

// pinName returns the name of the pinset's pin.
func (p pinset) pinName() string {
	var b strings.Builder
	b.WriteString(pinsetPrefix)
	for _, c := range p.members {
		b.WriteString(hint(c))
	}
	return b.String()
}

// hint encodes 12 bits of a payload's digest.
func hint(c cid.Cid) string {
	return base64.RawURLEncoding.EncodeToString(c.Hash()[2:])[:hintSize]
}

// mayHold reports whether a pin of this name may belong to a pinset with one of the
// payloads.
func mayHold(pinName string, payloads []cid.Cid) bool {
	hints, ok := strings.CutPrefix(pinName, pinsetPrefix)
	if !ok {
		return false
	}
	for ; len(hints) >= hintSize; hints = hints[hintSize:] {
		for _, c := range payloads {
			if hints[:hintSize] == hint(c) {
				return true
			}
		}
	}
	return false
}

// pinsetMembers reads the members of a pinned pinset. A node that is no pinset has none.
// Gone reports that the pinset is no longer pinned and its block was collected.
func (s *Store) pinsetMembers(ctx context.Context, root cid.Cid) (members []cid.Cid, gone bool, err error) {
	data, err := s.getBlock(ctx, root, true)
	var refusal *rpc.Error
	switch {
	case errors.As(err, &refusal):
		_, pinned, err := s.pinOf(ctx, root)
		if pinned {
			err = ledger.Errorf(ledger.ErrUnavailable, "the IPFS node %s has lost its pinned block %s", s.address, root)
		}
		return nil, err == nil, err
	case err != nil:
		return nil, false, err
	case !matches(root, data):
		return nil, false, s.altered(root)
	}
	n, err := merkledag.DecodeProtobuf(data)
	if err != nil || !isPinset(n.Data()) {
		return nil, false, nil
	}
	for _, l := range n.Links() {
		if l.Name != "" || l.Cid.Type() != cid.Raw || accept(l.Cid) != nil {
			return nil, false, nil
		}
		members = append(members, l.Cid)
	}
	return members, false, nil
}
