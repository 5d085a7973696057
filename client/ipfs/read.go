package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ipfs/boxo/ipld/merkledag"
	unixfs "github.com/ipfs/boxo/ipld/unixfs/io"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	cmds "github.com/ipfs/go-ipfs-cmds"
	format "github.com/ipfs/go-ipld-format"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

const forbidden = cmds.ErrForbidden

// maxBlock is the largest block that IPFS nodes exchange.
const maxBlock = 2 << 20

// Open implements client.Blobs. Blocks ahead of the reader are fetched meanwhile, at most about 16 MiB.
func (s *Store) Open(ctx context.Context, id string) (client.Blob, error) {
	c, err := parse(id)
	if err != nil {
		return nil, err
	}
	g := &getter{s: s}
	root, err := g.Get(ctx, c)
	if err != nil {
		return nil, err
	}
	r, err := unixfs.NewDagReader(ctx, root, g)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "payload %s is not a file: %v", id, err)
	}
	return &blob{r: r, ctx: ctx, getter: g}, nil
}

type blob struct {
	r      unixfs.DagReader
	ctx    context.Context
	getter *getter
}

func (b *blob) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	return n, b.explain(err)
}

func (b *blob) Seek(offset int64, whence int) (int64, error) {
	n, err := b.r.Seek(offset, whence)
	return n, b.explain(err)
}

func (b *blob) Close() error { return b.r.Close() }
func (b *blob) Size() int64  { return int64(b.r.Size()) }

// explain: the DAG walker replaces some errors by its own; what the getter met first is the truth.
func (b *blob) explain(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if first := b.getter.failure(); first != nil {
		return first
	}
	return fmt.Errorf("read payload: %w", err)
}

// A getter fetches nodes and lets none pass that does not match its CID.
type getter struct {
	s *Store

	mu    sync.Mutex
	first error
}

var _ format.NodeGetter = (*getter)(nil)

func (g *getter) Get(ctx context.Context, c cid.Cid) (format.Node, error) {
	node, err := g.get(ctx, c)
	if err != nil && ctx.Err() == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		// A block that lies is worse news than one that is late.
		if g.first == nil || errors.Is(err, ledger.ErrTampered) {
			g.first = err
		}
	}
	return node, err
}

func (g *getter) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}

func (g *getter) get(ctx context.Context, c cid.Cid) (format.Node, error) {
	if err := accept(c); err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "payload links to a block that cannot be verified: %v", err)
	}
	select {
	case g.s.blocks <- struct{}{}:
		defer func() { <-g.s.blocks }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	data, err := g.s.block(ctx, c)
	if err != nil {
		return nil, err
	}
	sum, err := c.Prefix().Sum(data)
	if err != nil {
		return nil, fmt.Errorf("hash block %s: %w", c, err)
	}
	if !sum.Equals(c) {
		return nil, ledger.Errorf(ledger.ErrTampered, "the IPFS node %s serves a block that is not %s: it was corrupted or altered", g.s.address, c)
	}
	block, err := blocks.NewBlockWithCid(data, c)
	if err != nil {
		return nil, err
	}
	if c.Type() == cid.Raw {
		return &merkledag.RawNode{Block: block}, nil
	}
	node, err := merkledag.DecodeProtobufBlock(block)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "block %s is not a UnixFS node: %v", c, err)
	}
	return node, nil
}

// block fetches one block as the node has it or finds it.
func (s *Store) block(ctx context.Context, c cid.Cid) ([]byte, error) {
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	data, err := s.blockOnce(wctx, c)
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

func (s *Store) blockOnce(ctx context.Context, c cid.Cid) ([]byte, error) {
	// The timeout is told to the node too, so that it stops looking.
	resp, err := s.api.Request("block/get", c.String()).Option("timeout", s.idle.String()).Send(ctx)
	if err != nil {
		return nil, err
	}
	if resp.Error != nil {
		return nil, resp.Error
	}
	defer resp.Cancel()
	var data bytes.Buffer
	data.Grow(1<<20 + bytes.MinRead) // a full chunk, without copying as it grows
	if _, err := data.ReadFrom(io.LimitReader(resp.Output, maxBlock+1)); err != nil {
		return nil, err
	}
	if data.Len() > maxBlock {
		return nil, ledger.Errorf(ledger.ErrTampered, "the IPFS node %s serves a block larger than %d bytes as %s", s.address, maxBlock, c)
	}
	return data.Bytes(), nil
}

// GetMany fetches nodes ahead of the reader.
func (g *getter) GetMany(ctx context.Context, cids []cid.Cid) <-chan *format.NodeOption {
	out := make(chan *format.NodeOption, len(cids))
	var wg sync.WaitGroup
	for _, c := range cids {
		wg.Go(func() {
			node, err := g.Get(ctx, c)
			out <- &format.NodeOption{Node: node, Err: err}
		})
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}
