package ipfs

import (
	"context"
	"sync"

	"github.com/ipfs/go-cid"
)

const (
	leavesAhead = 6 // in memory at a time, of 1 MiB each
	maxRestarts = 3 // of the stream, after which every block is asked for by itself
)

// An ahead delivers leaves in order. They come as one stream from the node's cat command,
// which reads ahead on its side and costs one request instead of one a leaf. A stream is
// only bytes, so they are cut where the tree says that leaves end, and each is compared
// with its CID before it is delivered. A leaf that does not match, or did not arrive, is
// asked for by its CID: that answer, or its error, is the truth.
type ahead struct {
	s    *Store
	ctx  context.Context // ends with stop
	end  context.CancelFunc
	root cid.Cid
	tree tree

	leaves  chan *arrival
	present *arrival
	free    chan []byte
	workers sync.WaitGroup
}

// An arrival is a leaf on its way.
type arrival struct {
	data []byte
	err  error
	done chan struct{} // closed once data is verified, or err is set
}

// readAhead starts at a position, which must be below the size.
func (s *Store) readAhead(ctx context.Context, root cid.Cid, top *inner, at int64) *ahead {
	a := &ahead{s: s, root: root, tree: tree{s: s, root: top}, leaves: make(chan *arrival, leavesAhead), free: make(chan []byte, leavesAhead)}
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

// next gives the next leaf, the first one from the position on. It is valid until the
// next call.
func (a *ahead) next() ([]byte, error) {
	if a.present != nil {
		a.free <- a.present.data // never blocks: there are as many places as buffers
	}
	l, ok := <-a.leaves
	if !ok {
		return nil, a.ctx.Err() // only a fetch that was stopped closes before the last leaf was taken
	}
	<-l.done
	a.present = l
	return l.data, l.err
}

// stop returns when nothing is running any more.
func (a *ahead) stop() {
	a.end()
	a.workers.Wait()
}

// fetch makes arrivals until the payload or the context ends.
func (a *ahead) fetch(at int64) {
	var src *catStream
	defer func() { src.close() }()
	for restarts := 0; at < a.tree.root.size(); {
		var buf []byte
		select {
		case buf = <-a.free:
		case <-a.ctx.Done():
			return
		}
		arrived := &arrival{done: make(chan struct{})}
		l, err := a.tree.locate(a.ctx, at)
		if err != nil || l.size > maxBlock {
			if err == nil {
				_, err = a.s.verifiedLeaf(a.ctx, l) // says what is wrong with it
			}
			arrived.err = err
			close(arrived.done)
			a.leaves <- arrived
			return
		}
		skip := at - l.start
		if src == nil && skip == 0 && restarts < maxRestarts {
			restarts++
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
			defer close(arrived.done)
			if streamed && matches(l.cid, buf) {
				arrived.data = buf
				return
			}
			if arrived.data, arrived.err = a.s.verifiedLeaf(a.ctx, l); arrived.err == nil {
				arrived.data = arrived.data[skip:]
			}
		})
		a.leaves <- arrived // never blocks: there are as many places as buffers
		at = l.end()
	}
}
