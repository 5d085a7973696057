package ipfs

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Answers of a node that has no good copy of a block.
var (
	errAbsent = errors.New("it does not have it")
	errOther  = errors.New("it serves something else")
)

// Ask asks another hospital's node, by its peer ID, for one block of a payload, chosen at
// random below the root, and for those on the way there. The other node serves what is on
// its own disk. A changed one could fetch the blocks when it is asked. The store must
// have the address of a Unix socket.
//
// Errors:
//   - ledger.ErrNotFound if the node does not have a block, or serves something else.
//   - ledger.ErrInvalid if id is not the CID of a payload, or the payload is no file.
//   - ledger.ErrUnavailable if the node does not answer, or its copy is damaged.
//   - the error of ctx, once it has ended.
func (s *Store) Ask(ctx context.Context, node, id string) error {
	c, err := parse(id)
	if err != nil {
		return err
	}
	if s.directory() == "" {
		return ledger.Errorf(ledger.ErrUnavailable, "the own node is not reached by a Unix socket")
	}
	if err := CheckPeerID(node); err != nil {
		return err
	}
	for range maxDepth + 1 {
		data, err := s.askPeer(ctx, node, c)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errAbsent), errors.Is(err, errOther):
			return ledger.Errorf(ledger.ErrNotFound, "node %s has no good copy of block %s: %v", node, c, err)
		case err != nil:
			return ledger.Errorf(ledger.ErrUnavailable, "node %s does not give block %s: %v", node, c, err)
		case c.Type() == cid.Raw:
			return nil
		}
		n, err := parseInner(c, data)
		if err != nil || len(n.children) == 0 {
			return ledger.Errorf(ledger.ErrInvalid, "payload %s is no file", id)
		}
		c = n.children[rand.IntN(len(n.children))]
	}
	return ledger.Errorf(ledger.ErrInvalid, "payload %s is no file: its tree is too deep", id)
}

// CheckPeerID tells whether a text is the peer ID of a node, in the one form that 'ipfs
// id' prints: the same node has no two names. It keeps what others put on the ledger out
// of addresses and paths.
//
// Errors:
//   - ledger.ErrInvalid.
func CheckPeerID(text string) error {
	id, err := multihash.FromB58String(text)
	var known bool
	if d, derr := multihash.Decode(id); derr == nil {
		known = d.Code == multihash.IDENTITY || d.Code == multihash.SHA2_256
	}
	if err != nil || !known || id.B58String() != text {
		return ledger.Errorf(ledger.ErrInvalid, "%.100q is no peer ID: it begins with 12D3KooW or Qm", text)
	}
	return nil
}
