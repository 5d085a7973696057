package ipfs

import (
	"context"
	"errors"
	"io"

	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// Open implements client.Blobs. Sequential reads stream, with at most about 8 MiB in
// memory. The first reads after a seek fetch one or two blocks; streaming starts if the
// reader goes on after those.
//
// Open and reads of its result fail with the same errors.
//
// Errors:
//   - ledger.ErrInvalid if id is not the CID of a payload.
//   - ledger.ErrTampered if a block does not match its CID, or the tree is not a
//     payload's.
//   - ledger.ErrUnavailable if no reachable node has a block, or ours does not answer.
//   - ledger.ErrDenied if the node refuses the token.
//   - the error of ctx, once it has ended.
func (s *Store) Open(ctx context.Context, id string) (client.Blob, error) {
	c, err := parse(id)
	if err != nil {
		return nil, err
	}
	data, err := s.verified(ctx, c)
	if err != nil {
		return nil, err
	}
	b := &blob{s: s, ctx: ctx, root: c}
	if c.Type() == cid.Raw {
		b.size = int64(len(data))
		b.recent = []cached{{leaf{c, 0, b.size}, data}}
		return b, nil
	}
	if b.tree.root, err = parseInner(c, data); err != nil {
		return nil, err
	}
	b.tree.s, b.size = s, b.tree.root.size()
	return b, nil
}

// keptLeaves is the size of the cache for readers that seek in an age file: the header,
// the last chunk, and the chunk being read.
const keptLeaves = 3

// A blob reads a payload, from a stream of leaves or leaf by leaf.
type blob struct {
	s    *Store
	ctx  context.Context
	root cid.Cid
	tree tree // not used when the root is the only leaf
	size int64

	at     int64      // offset of the next byte
	rest   []byte     // of the current leaf, from at on
	single int        // leaves still to fetch one by one after a seek: a short read may span two
	ahead  *readAhead // delivers the leaves after the current one; nil if it has not started
	recent []cached
	err    error // of every further read
}

type cached struct {
	leaf leaf
	data []byte
}

func (b *blob) Size() int64 { return b.size }

func (b *blob) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	for len(b.rest) == 0 {
		if b.at >= b.size {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		if err := b.next(); err != nil {
			b.err = b.explain(err)
			b.stop()
			return 0, b.err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	b.at += int64(n)
	return n, nil
}

// next moves to the leaf at the offset.
func (b *blob) next() error {
	if b.ahead != nil {
		data, err := b.ahead.next()
		b.rest = data
		return err
	}
	for _, c := range b.recent {
		if c.leaf.start <= b.at && b.at < c.leaf.end() {
			b.rest = c.data[b.at-c.leaf.start:]
			return nil
		}
	}
	if b.single == 0 {
		b.ahead = b.s.startReadAhead(b.ctx, b.root, b.tree.root, b.at)
		return b.next()
	}
	b.single--
	l, err := b.tree.locate(b.ctx, b.at)
	if err != nil {
		return err
	}
	data, err := b.s.verifiedLeaf(b.ctx, l)
	if err != nil {
		return err
	}
	if len(b.recent) == keptLeaves {
		b.recent = append(b.recent[:0], b.recent[1:]...)
	}
	b.recent = append(b.recent, cached{l, data})
	b.rest = data[b.at-l.start:]
	return nil
}

func (b *blob) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	default:
		return b.at, errors.New("seek payload: invalid whence")
	}
	if offset < 0 {
		return b.at, errors.New("seek payload: negative offset")
	}
	if offset == b.at && (b.ahead != nil || len(b.rest) > 0) {
		return offset, nil // the stream goes on
	}
	b.stop()
	b.at, b.single = offset, 2
	return offset, nil
}

// stop ends the stream.
func (b *blob) stop() {
	if b.ahead != nil {
		b.ahead.stop()
		b.ahead = nil
	}
	b.rest = nil
}

func (b *blob) Close() error {
	b.stop()
	b.recent = nil
	if b.err == nil {
		b.err = errors.New("read payload: already closed")
	}
	return nil
}

// explain prefers the error of the caller's context.
func (b *blob) explain(err error) error {
	if b.ctx.Err() != nil && !errors.Is(err, ledger.ErrTampered) {
		return b.ctx.Err()
	}
	return err
}
