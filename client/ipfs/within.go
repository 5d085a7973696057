package ipfs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// maxAtOnce bounds the blocks that are asked for at once before they are pinned.
const maxAtOnce = 32

// PinWithin implements replica.Pinner. The size is that of the payload, without the nodes
// above its leaves. The node fetches block by block, and nothing more once the blocks are
// larger than the limit.
//
// Errors: those of [Store.Pin], and
//   - ledger.ErrInvalid if the payload is larger than limit, or is not a payload.
func (s *Store) PinWithin(ctx context.Context, id string, limit int64) (int64, error) {
	c, err := parse(id)
	if err != nil {
		return 0, err
	}
	size, err := s.measure(ctx, c, limit)
	if err != nil {
		return 0, err
	}
	return size, s.Pin(ctx, id)
}

// PinAllWithin implements replica.Pinner. It soon gives up on payloads that do not
// come.
//
// Errors: those of [Store.PinWithin].
func (s *Store) PinAllWithin(ctx context.Context, payloads []ledger.Payload) (pinned, refused []string, err error) {
	var mu sync.Mutex
	var within []string
	var errs []error
	slots := make(chan struct{}, maxAtOnce)
	var group sync.WaitGroup
	for _, p := range payloads {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			c, err := parse(p.CID)
			if err == nil {
				// A large payload has a second for each MiB.
				mctx, cancel := context.WithTimeout(ctx, s.groupIdle+time.Duration(p.Size>>20)*time.Second)
				_, err = s.measure(mctx, c, p.Size)
				cancel()
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				within = append(within, p.CID)
				return
			case errors.Is(err, ledger.ErrInvalid):
				refused = append(refused, p.CID)
			}
			errs = append(errs, err)
		})
	}
	group.Wait()
	if len(within) == 0 {
		return nil, refused, errors.Join(errs...)
	}
	pinned, err = s.PinAll(ctx, within)
	return pinned, refused, errors.Join(append(errs, err)...)
}

// measure makes the node fetch a payload of at most limit bytes, and returns its size.
// The nodes above the leaves claim sizes. They are believed as a limit only: every leaf
// has to have the size that its parent claims.
func (s *Store) measure(ctx context.Context, root cid.Cid, limit int64) (int64, error) {
	if root.Type() == cid.Raw {
		size, err := s.blockSize(ctx, root)
		if err == nil && (size > limit || size == 0) {
			size, err = s.verifiedSize(ctx, root)
		}
		if err == nil && size > limit {
			err = tooLarge(root, limit)
		}
		return size, err
	}
	top, err := s.innerBlock(ctx, root)
	if err != nil {
		return 0, err
	}
	if top.size() > limit {
		return 0, tooLarge(root, limit)
	}
	m := &measuring{slots: make(chan struct{}, maxRequests)}
	m.ctx, m.cancel = context.WithCancelCause(ctx)
	defer m.cancel(nil)
	if err := s.measureUnder(m, top, 0); err != nil {
		m.cancel(err)
	}
	m.leaves.Wait()
	return top.size(), context.Cause(m.ctx)
}

// A measuring asks for leaves at once. The first error ends its ctx.
type measuring struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	slots  chan struct{}
	leaves sync.WaitGroup
}

// add asks for a leaf, once there is a slot.
func (m *measuring) add(ask func() error) {
	m.slots <- struct{}{}
	m.leaves.Go(func() {
		defer func() { <-m.slots }()
		if err := ask(); err != nil {
			m.cancel(err)
		}
	})
}

// measureUnder walks the nodes below n, and asks for the leaves. Each child
// holds at least one byte of its parent, so the walk is not longer than the payload.
func (s *Store) measureUnder(m *measuring, n *inner, depth int) error {
	if depth == maxDepth {
		return ledger.Errorf(ledger.ErrInvalid, "payload %s is not a file: its tree is too deep", n.cid)
	}
	start := int64(0)
	for i, c := range n.children {
		want := n.ends[i] - start
		start = n.ends[i]
		if err := m.ctx.Err(); err != nil {
			return err
		}
		if c.Type() == cid.Raw {
			m.add(func() error {
				size, err := s.blockSize(m.ctx, c)
				if err == nil && size != want { // the payload's fault, unless the own copy is damaged
					size, err = s.verifiedSize(m.ctx, c)
				}
				if err == nil && size != want {
					err = ledger.WithKind(wrongSize(c, size, want), ledger.ErrInvalid)
				}
				return err
			})
			continue
		}
		child, err := s.innerBlock(m.ctx, c)
		if err != nil {
			return err
		}
		if child.size() != want {
			return ledger.WithKind(wrongSize(c, child.size(), want), ledger.ErrInvalid)
		}
		if err := s.measureUnder(m, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) innerBlock(ctx context.Context, c cid.Cid) (*inner, error) {
	data, err := s.verified(ctx, c)
	if err != nil {
		return nil, err
	}
	n, err := parseInner(c, data)
	if err != nil {
		return nil, ledger.WithKind(err, ledger.ErrInvalid)
	}
	return n, nil
}

// blockSize gives the size of a block. The node fetches it if it does not have it.
func (s *Store) blockSize(ctx context.Context, c cid.Cid) (int64, error) {
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	var out struct{ Size int64 }
	err := s.api.Request("block/stat", c.String()).Option("timeout", s.idle.String()).Exec(wctx, &out)
	switch {
	case err == nil:
		return out.Size, nil
	case wctx.Err() != nil:
		return 0, ledger.Errorf(ledger.ErrUnavailable, "no reachable IPFS node had block %s in time (asked %s)", c, s.address)
	}
	return 0, s.explain("fetch block "+c.String(), err, nil)
}

// verifiedSize reads a block, and repairs a damaged copy.
func (s *Store) verifiedSize(ctx context.Context, c cid.Cid) (int64, error) {
	data, err := s.verified(ctx, c)
	return int64(len(data)), err
}

func tooLarge(c cid.Cid, limit int64) error {
	return ledger.Errorf(ledger.ErrInvalid, "payload %s is larger than the %d bytes that were stated", c, limit)
}
