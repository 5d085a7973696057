package ipfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/ipfs/boxo/files"
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
	wctx, watch := newWatchdog(ctx, s.idle)
	defer watch.stop()
	src := &sourceReader{r: r, watch: watch}
	id, err := s.add(wctx, src, name)
	if err == nil {
		return id, nil
	}
	watch.pause()
	var refusal *rpc.Error
	if src.ended && !errors.As(err, &refusal) {
		s.takeBackNamed(ctx, name)
	}
	switch {
	case src.err != nil:
		return "", src.err
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	return "", s.explain("store payload", err, watch)
}

func (s *Store) add(ctx context.Context, r io.Reader, name string) (string, error) {
	dir := files.NewMapDirectory(map[string]files.Node{"payload": files.NewReaderFile(r)})
	body := files.NewMultiFileReader(dir, false, false)
	resp, err := s.streams.Request("add").
		Option("cid-version", 1).Option("raw-leaves", true).Option("chunker", chunker).Option("hash", "sha2-256").
		Option("pin", true).Option("pin-name", name).Option("quieter", true).
		Body(body).Send(ctx)
	if err != nil {
		return "", err
	}
	if resp.Error != nil {
		return "", resp.Error
	}
	defer resp.Close()
	var last struct{ Hash string }
	for d := json.NewDecoder(resp.Output); ; {
		if err := d.Decode(&last); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
	}
	c, err := parse(last.Hash)
	if err != nil {
		return "", err
	}
	return c.String(), nil
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

// takeBack calls try until it succeeds, a few times in bounded time.
func (s *Store) takeBack(ctx context.Context, try func(context.Context) bool) {
	ctx, cancel := cleanup.Context(ctx, cleanupTimeout, stopTimeout)
	defer cancel()
	for wait := 50 * time.Millisecond; wait < time.Second && !try(ctx); wait *= 3 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}
