package ipfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

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
// kubo can only find the pin that keeps a block by walking everything that is pinned. So
// [Store.Unpin] reads every pinset, each once. It does not go by names, which people
// choose.
type pinset struct {
	block
	members []cid.Cid // sorted
}

const (
	maxMembers = 100

	// pinsetName begins the pin names of pinsets, and the data of unique ones. Nodes hold
	// pins with it, so it does not change. In earlier versions letters followed that
	// hinted at the members.
	pinsetName = pinPrefix + "tie-"

	uniqueSize = len(pinsetName) + 26 // bytes of data in a unique pinset
)

// newPinset returns the pinset of the members. Its CID depends only on the members, not
// on their order.
func newPinset(members []cid.Cid) (pinset, error) { return makePinset(members, nil) }

// newUniquePinset returns a pinset with a CID that no other pinset has.
func newUniquePinset(members []cid.Cid) (pinset, error) {
	return makePinset(members, []byte(pinsetName + rand.Text())[:uniqueSize])
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
	return len(data) == 0 || len(data) == uniqueSize && bytes.HasPrefix(data, []byte(pinsetName))
}

// pinsets are the members of pinned roots that were read. A root that is no pinset has
// none. The links of a root never change.
type pinsets struct {
	mu      sync.Mutex
	members map[cid.Cid][]cid.Cid
}

// retain forgets the roots that are no longer pinned.
func (p *pinsets) retain(pinned *cid.Set) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.members, func(root cid.Cid, _ []cid.Cid) bool { return !pinned.Has(root) })
}

func (p *pinsets) forget(root cid.Cid) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.members, root)
}

// pinsetMembers gives the members of a pinned pinset. A node that is no pinset has none.
// Gone reports that the pinset is no longer pinned and its block was collected.
func (s *Store) pinsetMembers(ctx context.Context, root cid.Cid) (members []cid.Cid, gone bool, err error) {
	s.pinsets.mu.Lock()
	members, known := s.pinsets.members[root]
	s.pinsets.mu.Unlock()
	if known {
		return members, false, nil
	}
	data, err := s.getBlock(ctx, root, true)
	var refusal *rpc.Error
	switch {
	case errors.As(err, &refusal):
		pinned, err := s.isRoot(ctx, root)
		if pinned {
			err = ledger.Errorf(ledger.ErrUnavailable, "the IPFS node %s has lost its pinned block %s", s.address, root)
		}
		return nil, err == nil, err
	case err != nil:
		return nil, false, err
	case !matches(root, data):
		return nil, false, s.altered(root)
	}
	members = parsePinset(data)
	s.pinsets.mu.Lock()
	defer s.pinsets.mu.Unlock()
	if s.pinsets.members == nil {
		s.pinsets.members = map[cid.Cid][]cid.Cid{}
	}
	s.pinsets.members[root] = members
	return members, false, nil
}

func parsePinset(data []byte) (members []cid.Cid) {
	n, err := merkledag.DecodeProtobuf(data)
	if err != nil || !isPinset(n.Data()) {
		return nil
	}
	for _, l := range n.Links() {
		if l.Name != "" || l.Cid.Type() != cid.Raw || accept(l.Cid) != nil {
			return nil
		}
		members = append(members, l.Cid)
	}
	return members
}
