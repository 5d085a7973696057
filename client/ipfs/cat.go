package ipfs

import (
	"context"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"
)

// refillPause is how long a reader waits for an empty connection to fill. At 1 GB/s a
// leaf arrives in that time.
const refillPause = time.Millisecond

// A catStream is a payload as kubo's cat command sends it, unverified.
type catStream struct {
	resp  *rpc.Response
	watch *watchdog
}

// cat opens a stream at an offset. It returns nil when that fails: fetching the blocks
// will tell the cause.
func (s *Store) cat(ctx context.Context, root cid.Cid, at int64) *catStream {
	wctx, watch := newWatchdog(ctx, min(s.idle, s.streamIdle))
	watch.restart()
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

// fill reads until buf is full.
//
// kubo always sends 4 KiB at a time. A reader that blocks on the connection wakes up for
// each piece, which costs more processor time, here and on the node, than everything else
// that is done with the bytes. So fill sleeps a moment where it would block.
func (c *catStream) fill(buf []byte) error {
	defer c.watch.pause()
	for {
		c.watch.restart()
		n, err := c.resp.Output.Read(buf)
		buf = buf[n:]
		switch {
		case len(buf) == 0:
			return nil
		case err != nil:
			return err
		case n < streamBuffer/2: // the connection is empty: otherwise the read buffer would have been full
			time.Sleep(refillPause)
		}
	}
}

func (c *catStream) close() {
	if c == nil {
		return
	}
	c.watch.stop() // closes the connection, with whatever the node still sends
	c.resp.Cancel()
}
