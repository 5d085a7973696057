package ipfs

import (
	"context"
	"errors"
	"io"

	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// Open implements client.Blobs. Reading on from where it stands streams, with at most
// about 8 MiB in memory; reading somewhere else fetches a block or two, and streams only
// if the reader goes on behind them.
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

// keptLeaves is how many leaves stay at hand for readers that jump: an age file's header,
// its last chunk, and the place read.
const keptLeaves = 3

// A blob reads a payload, from a stream of leaves or leaf by leaf.
type blob struct {
	s    *Store
	ctx  context.Context
	root cid.Cid
	tree tree // not used when the root is the only leaf
	size int64

	at     int64  // position of the next byte
	rest   []byte // of the present leaf, from at on
	singly int    // leaves to fetch one by one before streaming, after the position was set: a short read may cross a border
	ahead  *ahead // delivers the leaves after the present one; nil when there is none
	recent []cached
	err    error // sticks
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

// next makes the leaf at the position the present one.
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
	if b.singly == 0 {
		b.ahead = b.s.readAhead(b.ctx, b.root, b.tree.root, b.at)
		return b.next()
	}
	b.singly--
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
		return b.at, errors.New("seek payload: no such whence")
	}
	if offset < 0 {
		return b.at, errors.New("seek payload: before its start")
	}
	if offset == b.at && (b.ahead != nil || len(b.rest) > 0) {
		return offset, nil // what is on its way is what is wanted
	}
	b.stop()
	b.at, b.singly = offset, 2
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
		b.err = errors.New("read payload: it is closed")
	}
	return nil
}

// explain prefers the caller's own reason for giving up.
func (b *blob) explain(err error) error {
	if b.ctx.Err() != nil && !errors.Is(err, ledger.ErrTampered) {
		return b.ctx.Err()
	}
	return err
}
