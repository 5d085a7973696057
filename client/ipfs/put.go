package ipfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"

	"github.com/chartseal/chartseal/client/cleanup"
)

const (
	leafSize = 1 << 20
	chunker  = "size-1048576" // leafSize
)

// Put implements client.Blobs.
//
// Errors:
//   - ledger.ErrUnavailable if the node does not answer or makes no progress.
//   - ledger.ErrDenied if the node refuses the token.
//   - ledger.ErrTampered if the node stored something else.
//   - the error of r, as it is.
//   - the error of ctx, once it has ended.
func (s *Store) Put(ctx context.Context, r io.Reader) (string, error) {
	var head bytes.Buffer
	switch n, err := io.CopyN(&head, r, leafSize+1); {
	case err == nil: // there is more
		return s.putFile(ctx, io.MultiReader(&head, r))
	case !errors.Is(err, io.EOF):
		return "", err
	case ctx.Err() != nil:
		return "", ctx.Err()
	default:
		return s.putSmall(ctx, head.Bytes()[:n])
	}
}

// putFile stores and pins a payload of several blocks.
func (s *Store) putFile(ctx context.Context, r io.Reader) (string, error) {
	// The pin gets a name that is unique to this upload. If the answer is lost, the pin
	// can be found by its name.
	name := "chartseal-" + rand.Text()
	src := &source{ctx: ctx, r: r}
	lctx, cancel := s.outlast(ctx, src.ended)
	defer cancel()
	wctx, watch := newWatchdog(lctx, s.idle)
	defer watch.stop()
	src.watch = watch
	c, err := s.add(wctx, src, name)
	watch.pause()
	var refusal *rpc.Error
	switch {
	case err == nil && ctx.Err() == nil:
		return c.String(), nil
	case err == nil:
		s.abandon(ctx, c)
	case src.ended() && !errors.As(err, &refusal):
		s.takeBackNamed(ctx, name)
	}
	switch failed := src.failed(); {
	case failed != nil:
		return "", failed
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	return "", s.explain("store payload", err, watch)
}

// outlast returns a context for a request that pins. It ends with ctx as long as the node
// cannot carry the request out, which complete reports. After that, closing the
// connection would only hide whether the node has pinned. The context then goes on for a
// time, so that the answer can tell.
func (s *Store) outlast(ctx context.Context, complete func() bool) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		if complete() {
			time.AfterFunc(s.answer, cancel)
		} else {
			cancel()
		}
	})
	return out, func() {
		unhook()
		cancel()
	}
}

// A source reads the source of an upload. Time between reads counts against the node,
// time and errors within reads against the source. If ctx ends before the source, the
// upload stays incomplete, so that the node does not pin it.
type source struct {
	ctx   context.Context
	r     io.Reader
	watch *watchdog

	mu  sync.Mutex
	err error // of the last read; io.EOF if the node may have all of it
}

func (s *source) Read(p []byte) (int, error) {
	s.watch.pause()
	n, err := s.r.Read(p)
	s.watch.restart()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == io.EOF && s.ctx.Err() != nil {
		err = s.ctx.Err()
	}
	s.err = err
	return n, err
}

func (s *source) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == io.EOF
}

func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == io.EOF {
		return nil
	}
	return s.err
}

func (s *Store) add(ctx context.Context, r io.Reader, name string) (cid.Cid, error) {
	dir := files.NewMapDirectory(map[string]files.Node{"payload": files.NewReaderFile(r)})
	body := files.NewMultiFileReader(dir, false, false)
	resp, err := s.streams.Request("add").
		Option("cid-version", 1).Option("raw-leaves", true).Option("chunker", chunker).Option("hash", "sha2-256").
		Option("pin", true).Option("pin-name", name).Option("quieter", true).
		Body(body).Send(ctx)
	if err != nil {
		return cid.Undef, err
	}
	if resp.Error != nil {
		return cid.Undef, resp.Error
	}
	defer resp.Close()
	var last struct{ Hash string }
	for d := json.NewDecoder(resp.Output); ; {
		if err := d.Decode(&last); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return cid.Undef, err
		}
	}
	return parse(last.Hash)
}

// takeBackNamed unpins what an upload under the name may have pinned. The node may still
// be finishing the upload, so it looks several times. What stays behind is ciphertext
// without a key.
func (s *Store) takeBackNamed(ctx context.Context, name string) {
	s.takeBack(ctx, func(ctx context.Context) bool {
		var out struct {
			Keys map[string]struct{ Name string }
		}
		err := s.api.Request("pin/ls").Option("type", "recursive").Option("name", name).Option("names", true).Exec(ctx, &out)
		for id := range out.Keys {
			s.Unpin(ctx, id)
		}
		return err == nil && len(out.Keys) > 0
	})
}

// takeBack calls try several times, until it succeeds.
func (s *Store) takeBack(ctx context.Context, try func(context.Context) bool) {
	ctx, cancel := s.cleaning(ctx)
	defer cancel()
	for wait := 50 * time.Millisecond; !try(ctx) && wait < 500*time.Millisecond; wait *= 3 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// cleaning returns a context for taking back a pin.
func (s *Store) cleaning(ctx context.Context) (context.Context, context.CancelFunc) {
	return cleanup.Context(ctx, s.cleanup, s.stop)
}
