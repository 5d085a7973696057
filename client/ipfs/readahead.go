package ipfs

import (
	"context"
	"sync"

	"github.com/ipfs/go-cid"
)

const (
	leavesAhead = 6 // in memory at a time, of 1 MiB each
	maxStreams  = 3 // after that many, every block is fetched by itself
)

// A readAhead delivers leaves in order. It streams them with kubo's cat command, which
// reads ahead on its side and takes one request instead of one per leaf. The stream is
// cut where leaves end according to the tree, and each leaf is compared with its CID
// before it is delivered. A leaf that does not match, or does not arrive, is fetched by
// its CID. The result of that fetch, data or error, counts.
type readAhead struct {
	s    *Store
	ctx  context.Context // ends with stop
	end  context.CancelFunc
	root cid.Cid
	tree tree

	leaves  chan *pendingLeaf
	current *pendingLeaf
	free    chan []byte
	workers sync.WaitGroup
}

type pendingLeaf struct {
	data []byte
	err  error
	done chan struct{} // closed once data is verified or err is set
}

// startReadAhead starts at an offset, which must be below the size.
func (s *Store) startReadAhead(ctx context.Context, root cid.Cid, top *inner, at int64) *readAhead {
	a := &readAhead{s: s, root: root, tree: tree{s: s, root: top}, leaves: make(chan *pendingLeaf, leavesAhead), free: make(chan []byte, leavesAhead)}
	a.ctx, a.end = context.WithCancel(ctx)
	for range leavesAhead {
		a.free <- nil
	}
	a.workers.Go(func() {
		defer close(a.leaves)
		a.fetch(at)
	})
	return a
}

// next returns the next leaf; of the first one, the part from the offset on. The data is
// valid until the next call.
func (a *readAhead) next() ([]byte, error) {
	if a.current != nil {
		a.free <- a.current.data // never blocks: free has room for every buffer
	}
	l, ok := <-a.leaves
	if !ok {
		return nil, a.ctx.Err() // fetch closes leaves early only when it is stopped
	}
	<-l.done
	a.current = l
	return l.data, l.err
}

// stop returns once every goroutine has ended.
func (a *readAhead) stop() {
	a.end()
	a.workers.Wait()
}

// fetch queues leaves until the payload or the context ends.
func (a *readAhead) fetch(at int64) {
	var src *catStream
	defer func() { src.close() }()
	for streams := 0; at < a.tree.root.size(); {
		var buf []byte
		select {
		case buf = <-a.free:
		case <-a.ctx.Done():
			return
		}
		pending := &pendingLeaf{done: make(chan struct{})}
		l, err := a.tree.locate(a.ctx, at)
		if err != nil || l.size > maxBlock {
			if err == nil {
				_, err = a.s.verifiedLeaf(a.ctx, l) // for its error
			}
			pending.err = err
			close(pending.done)
			a.leaves <- pending
			return
		}
		skip := at - l.start
		if src == nil && skip == 0 && streams < maxStreams {
			streams++
			src = a.s.cat(a.ctx, a.root, at)
		}
		streamed := skip == 0 && src != nil
		if streamed {
			if int64(cap(buf)) < l.size {
				buf = make([]byte, l.size)
			}
			buf = buf[:l.size]
			if src.fill(buf) != nil {
				src.close()
				src, streamed = nil, false
			}
		}
		a.workers.Go(func() {
			defer close(pending.done)
			if streamed && matches(l.cid, buf) {
				pending.data = buf
				return
			}
			if pending.data, pending.err = a.s.verifiedLeaf(a.ctx, l); pending.err == nil {
				pending.data = pending.data[skip:]
			}
		})
		a.leaves <- pending // never blocks: leaves has room for every buffer
		at = l.end()
	}
}
