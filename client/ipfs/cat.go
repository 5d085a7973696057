package ipfs

import (
	"context"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"
)

// breath is how long a reader that has emptied the connection lets more of a stream
// gather. At 1 GB/s that is a leaf.
const breath = time.Millisecond

// streamIdle is how long a stream may stand still before its next block is asked for by
// itself. An opening from another hospital's node was seen to take half a minute longer
// than others, with everybody idle, which is when the stream was given up; why it stood
// still is not known.
const streamIdle = 5 * time.Second

// A catStream is a payload as the node's cat command sends it, unverified.
type catStream struct {
	resp  *rpc.Response
	watch *watch
}

// cat opens a stream at an offset. When that fails it is nil: the blocks will say why.
func (s *Store) cat(ctx context.Context, root cid.Cid, at int64) *catStream {
	wctx, watch := newWatch(ctx, min(s.idle, streamIdle))
	watch.start()
	resp, err := s.streams.Request("cat", root.String()).Option("offset", at).Option("progress", false).Send(wctx)
	if err == nil && resp.Error == nil {
		watch.pause()
		return &catStream{resp, watch}
	}
	if err == nil {
		resp.Cancel()
	}
	watch.stop()
	return nil
}

// fill reads as many bytes as fit.
//
// kubo sends 4 KiB at a time, whatever is asked of it. A reader that waits at the
// connection is woken for each of them, which costs the node and us more processor time
// than all else that is done with the bytes, so fill takes a breath where it would wait.
func (c *catStream) fill(buf []byte) error {
	defer c.watch.pause()
	for {
		c.watch.start()
		n, err := c.resp.Output.Read(buf)
		buf = buf[n:]
		switch {
		case len(buf) == 0:
			return nil
		case err != nil:
			return err
		case n < streamBuffer/2: // the connection is empty: with more in it, a read ends at a full buffer
			time.Sleep(breath)
		}
	}
}

func (c *catStream) close() {
	if c == nil {
		return
	}
	c.watch.stop() // cuts the connection: what the node still sends is not wanted
	c.resp.Cancel()
}
