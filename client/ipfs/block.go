package ipfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"time"

	"github.com/ipfs/go-cid"
	cmds "github.com/ipfs/go-ipfs-cmds"
	"github.com/ipfs/kubo/client/rpc"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

const forbidden = cmds.ErrForbidden

// maxBlock is the largest block that IPFS nodes exchange.
const maxBlock = 2 << 20

// matches reports whether data hashes to the CID, which accept must have taken: its
// multihash is two bytes and a SHA-256.
func matches(c cid.Cid, data []byte) bool {
	sum := sha256.Sum256(data)
	return bytes.Equal(c.Hash()[2:], sum[:])
}

// verified fetches a block and compares it with its CID. If the node's own copy is
// damaged, that of another hospital's node will do.
func (s *Store) verified(ctx context.Context, c cid.Cid) ([]byte, error) {
	select {
	case s.requests <- struct{}{}:
		defer func() { <-s.requests }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	data, err := s.fetch(ctx, c)
	if err == nil && !matches(c, data) {
		err = unreadable{s.altered(c)}
	}
	var bad unreadable
	if !errors.As(err, &bad) {
		return data, err
	}
	data, herr := s.heal(ctx, c)
	var refusal *rpc.Error
	switch {
	case herr == nil:
		return data, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(herr, ErrDamaged):
		return nil, herr
	case errors.As(herr, &refusal):
		return nil, s.damaged(c, bad, herr)
	}
	return nil, err
}

// verifiedLeaf also compares the size with the claim of the nodes above the leaf.
func (s *Store) verifiedLeaf(ctx context.Context, l leaf) ([]byte, error) {
	data, err := s.verified(ctx, l.cid)
	if err == nil && int64(len(data)) != l.size {
		err = wrongSize(l.cid, int64(len(data)), l.size)
	}
	return data, err
}

// wrongSize is the error of a node whose size is not the one that its parent claims.
func wrongSize(c cid.Cid, got, want int64) error {
	return ledger.Errorf(ledger.ErrTampered, "block %s is not of a payload: it holds %d bytes, and should %d", c, got, want)
}

// fetch gets a block from the node, which asks its neighbours if it has to. The block is
// not verified.
func (s *Store) fetch(ctx context.Context, c cid.Cid) ([]byte, error) {
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	data, err := s.getBlock(wctx, c, false)
	var refusal *rpc.Error
	switch {
	case err == nil:
		return data, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case wctx.Err() != nil:
		return nil, ledger.Errorf(ledger.ErrUnavailable, "no reachable IPFS node had block %s within %v (asked %s)", c, s.idle, s.address)
	case errors.As(err, &refusal) && refusal.Code != forbidden:
		return nil, unreadable{s.explain("fetch block "+c.String(), err, nil)}
	}
	return nil, s.explain("fetch block "+c.String(), err, nil)
}

// getBlock is kubo's block/get. With offline set, the node looks in its own store only.
func (s *Store) getBlock(ctx context.Context, c cid.Cid, offline bool) ([]byte, error) {
	// The node gets a timeout too, so that it stops looking. It ends after the caller's
	// own, so that an answer is about the block.
	resp, err := s.api.Request("block/get", c.String()).Option("timeout", (s.idle+time.Second).String()).Option("offline", offline).Send(ctx)
	if err != nil {
		return nil, err
	}
	if resp.Error != nil {
		return nil, resp.Error
	}
	defer resp.Cancel()
	var data bytes.Buffer
	if c.Type() == cid.Raw {
		data.Grow(leafSize + bytes.MinRead) // for a full leaf without copying
	}
	if _, err := data.ReadFrom(io.LimitReader(resp.Output, maxBlock+1)); err != nil {
		return nil, err
	}
	if data.Len() > maxBlock {
		return nil, ledger.Errorf(ledger.ErrTampered, "the IPFS node %s serves a block larger than %d bytes as %s", s.address, maxBlock, c)
	}
	return data.Bytes(), nil
}
