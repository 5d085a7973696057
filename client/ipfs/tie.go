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

// A tie is a node that is no file and links to payloads of one block each. One pin of it
// keeps them all: a pin costs a kubo node several writes that it waits for, more than
// storing a small payload does, and a tie of a hundred shares them.
//
// kubo finds what pins a block only by going through all that is pinned. A tie's pin
// therefore has a name that hints at its members, by which [Store.Unpin] finds the ties
// of a payload in a list of names.
type tie struct {
	leafPut
	members []cid.Cid // sorted
}

const (
	maxTied   = 100
	tiePrefix = "chartseal-tie-"
	freshSize = len(tiePrefix) + 26 // bytes of data in a fresh tie
	hintSize  = 2                   // letters of a name that stand for a member: with a hundred of them, kubo's 255 are enough
)

// newTie gives the same payloads the same tie, whatever their order.
func newTie(members []cid.Cid) (tie, error) { return makeTie(members, nil) }

// freshTie gives payloads a tie that no other has, ever.
func freshTie(members []cid.Cid) (tie, error) {
	return makeTie(members, []byte(tiePrefix + rand.Text())[:freshSize])
}

// tieData tells ties from files: neither nothing nor what a fresh tie has, of just that
// size, can be read as UnixFS.
func tieData(data []byte) bool {
	return len(data) == 0 || len(data) == freshSize && bytes.HasPrefix(data, []byte(tiePrefix))
}

func makeTie(members []cid.Cid, data []byte) (tie, error) {
	t := tie{members: slices.Clone(members)}
	slices.SortFunc(t.members, func(a, b cid.Cid) int { return strings.Compare(a.KeyString(), b.KeyString()) })
	t.members = slices.Compact(t.members)
	var n merkledag.ProtoNode
	n.SetData(data)
	for _, c := range t.members {
		if err := n.AddRawLink("", &format.Link{Cid: c}); err != nil {
			return tie{}, err
		}
	}
	if err := n.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}); err != nil {
		return tie{}, err
	}
	t.leafPut = leafPut{n.RawData(), n.Cid()}
	return t, nil
}

// hint is 12 bits of a payload's digest.
func hint(c cid.Cid) string {
	return base64.RawURLEncoding.EncodeToString(c.Hash()[2:])[:hintSize]
}

func (t tie) name() string {
	var b strings.Builder
	b.WriteString(tiePrefix)
	for _, c := range t.members {
		b.WriteString(hint(c))
	}
	return b.String()
}

// mayTie tells whether a pin's name is that of a tie which one of the payloads may be a
// member of.
func mayTie(name string, payloads []cid.Cid) bool {
	hints, ok := strings.CutPrefix(name, tiePrefix)
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

// tied reads the members of a pinned tie. There are none if the node is not a tie. A tie
// is gone if it is not pinned any more, and the node has removed it.
func (s *Store) tied(ctx context.Context, c cid.Cid) (members []cid.Cid, gone bool, err error) {
	data, err := s.blockOnce(ctx, c, true)
	var refusal *rpc.Error
	switch {
	case errors.As(err, &refusal):
		_, pinned, err := s.pinned(ctx, c)
		if pinned {
			err = ledger.Errorf(ledger.ErrUnavailable, "the IPFS node %s has pinned block %s and lost it", s.address, c)
		}
		return nil, err == nil, err
	case err != nil:
		return nil, false, err
	case !matches(c, data):
		return nil, false, ledger.Errorf(ledger.ErrTampered, "the IPFS node %s serves a block that is not %s: it was corrupted or altered", s.address, c)
	}
	n, err := merkledag.DecodeProtobuf(data)
	if err != nil || !tieData(n.Data()) {
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

// putTie stores a tie and does not pin it yet.
func (s *Store) putTie(ctx context.Context, t tie) error {
	return s.putBlock(ctx, "dag-pb", false, t.leafPut)
}
