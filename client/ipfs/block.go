package ipfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"

	"github.com/ipfs/go-cid"
	cmds "github.com/ipfs/go-ipfs-cmds"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

const forbidden = cmds.ErrForbidden

// maxBlock is the largest block that IPFS nodes exchange.
const maxBlock = 2 << 20

// matches tells whether data is the block of a CID that accept has taken: its multihash
// is two bytes and a SHA-256.
func matches(c cid.Cid, data []byte) bool {
	sum := sha256.Sum256(data)
	return bytes.Equal(c.Hash()[2:], sum[:])
}

// verified fetches a block and lets none pass that does not match its CID.
func (s *Store) verified(ctx context.Context, c cid.Cid) ([]byte, error) {
	select {
	case s.blocks <- struct{}{}:
		defer func() { <-s.blocks }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	data, err := s.block(ctx, c)
	if err != nil {
		return nil, err
	}
	if !matches(c, data) {
		return nil, ledger.Errorf(ledger.ErrTampered, "the IPFS node %s serves a block that is not %s: it was corrupted or altered", s.address, c)
	}
	return data, nil
}

// verifiedLeaf also compares the size with what the nodes above claim.
func (s *Store) verifiedLeaf(ctx context.Context, l leaf) ([]byte, error) {
	data, err := s.verified(ctx, l.cid)
	if err == nil && int64(len(data)) != l.size {
		err = ledger.Errorf(ledger.ErrTampered, "block %s is not of a payload: it holds %d bytes, and should %d", l.cid, len(data), l.size)
	}
	return data, err
}

// block fetches one block as the node has it or finds it.
func (s *Store) block(ctx context.Context, c cid.Cid) ([]byte, error) {
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	data, err := s.blockOnce(wctx, c, false)
	switch {
	case err == nil:
		return data, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case wctx.Err() != nil:
		return nil, ledger.Errorf(ledger.ErrUnavailable, "no reachable IPFS node had block %s within %v (asked %s)", c, s.idle, s.address)
	}
	return nil, s.explain("fetch block "+c.String(), err, nil)
}

func (s *Store) blockOnce(ctx context.Context, c cid.Cid, local bool) ([]byte, error) {
	// The timeout is told to the node too, so that it stops looking.
	resp, err := s.api.Request("block/get", c.String()).Option("timeout", s.idle.String()).Option("offline", local).Send(ctx)
	if err != nil {
		return nil, err
	}
	if resp.Error != nil {
		return nil, resp.Error
	}
	defer resp.Cancel()
	var data bytes.Buffer
	if c.Type() == cid.Raw {
		data.Grow(1<<20 + bytes.MinRead) // a full chunk, without copying as it grows
	}
	if _, err := data.ReadFrom(io.LimitReader(resp.Output, maxBlock+1)); err != nil {
		return nil, err
	}
	if data.Len() > maxBlock {
		return nil, ledger.Errorf(ledger.ErrTampered, "the IPFS node %s serves a block larger than %d bytes as %s", s.address, maxBlock, c)
	}
	return data.Bytes(), nil
}
