package ipfs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/go-cid"
)

const (
	leafSize = 1 << 20
	chunker  = "size-1048576" // leafSize
)

// Put implements client.Blobs. It never unpins: people may not. If the node's answer is
// lost, what it has pinned stays, and a replica.Sweeper finds it.
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
	src := &source{ctx: ctx, r: r}
	wctx, watch := newWatchdog(ctx, s.idle)
	defer watch.stop()
	src.watch = watch
	c, err := s.add(wctx, src)
	watch.pause()
	switch failed := src.failed(); {
	case failed != nil:
		return "", failed
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return c.String(), nil
	}
	return "", s.explain("store payload", err, watch)
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

func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == io.EOF {
		return nil
	}
	return s.err
}

func (s *Store) add(ctx context.Context, r io.Reader) (cid.Cid, error) {
	dir := files.NewMapDirectory(map[string]files.Node{"payload": files.NewReaderFile(r)})
	body := files.NewMultiFileReader(dir, false, false)
	resp, err := s.streams.Request("add").
		Option("cid-version", 1).Option("raw-leaves", true).Option("chunker", chunker).Option("hash", "sha2-256").
		Option("pin", true).Option("pin-name", fileName).Option("quieter", true).
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
