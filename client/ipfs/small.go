package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/cleanup"
	"github.com/chartseal/chartseal/client/groupcommit"
)

// Most records are small: their payload is one block, whose CID is known before the node
// has it. Those that are put at the same time go in one request and share a pin, and none
// needs the work of kubo's add, which reads a file as if it had many blocks.
const (
	leafSize  = 1 << 20 // the chunker's
	groupSize = 4 << 20 // bytes of one request
)

// A leafPut is a block to put.
type leafPut struct {
	data []byte
	cid  cid.Cid
}

func newLeafPut(data []byte) (leafPut, error) {
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	return leafPut{data, c}, err
}

// smallPuts shares requests.
func (s *Store) smallPuts() *groupcommit.Committer[leafPut] {
	return &groupcommit.Committer[leafPut]{
		Parallel: 1, // more would share what waits, and each costs the node a pin
		Fits: func(group []leafPut, next leafPut) bool {
			size := len(next.data)
			for _, p := range group {
				size += len(p.data)
			}
			return size <= groupSize && len(group) < maxTied
		},
		Commit: s.sendLeaves,
		Retry:  func([]leafPut, error) bool { return true },
	}
}

// putSmall stores and pins a payload of one block.
func (s *Store) putSmall(ctx context.Context, data []byte) (string, error) {
	p, err := newLeafPut(data)
	if err != nil {
		return "", fmt.Errorf("hash payload: %w", err)
	}
	err = s.small.Do(ctx, p)
	var refusal *rpc.Error
	switch {
	case err == nil && ctx.Err() == nil:
		return p.cid.String(), nil
	case err == nil: // with others, for whom it was not stopped
		s.abandon(ctx, p.cid)
	case !errors.As(err, &refusal):
		s.retract(ctx, p.cid)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", s.explain("store payload", err, nil)
}

// sendLeaves puts blocks in one request, and ties them.
func (s *Store) sendLeaves(ctx context.Context, group []leafPut) error {
	wctx, watch := newWatch(ctx, s.idle)
	defer watch.stop()
	watch.start()
	var err error
	if len(group) == 1 {
		err = s.putBlock(wctx, "raw", true, group[0])
	} else {
		err = s.putTied(wctx, group, watch)
	}
	if err != nil && watch.expired() {
		return ledger.Errorf(ledger.ErrUnavailable, "nothing moved for %v at the IPFS node %s", s.idle, s.address)
	}
	return err
}

// putTied pins blocks by a tie. Should the node remove unpinned blocks between the
// requests, it does not find one of them when it is to pin the tie, and so does not pin
// it.
func (s *Store) putTied(ctx context.Context, group []leafPut, watch *watch) error {
	members := make([]cid.Cid, len(group))
	for i, p := range group {
		members[i] = p.cid
	}
	t, err := newTie(members)
	if err != nil {
		return err
	}
	if err := s.importBlocks(ctx, t.cid, append(slices.Clone(group), t.leafPut)); err != nil {
		return err
	}
	watch.start()
	err = s.pin(ctx, t.cid, t.name(), watch)
	var refusal *rpc.Error
	if err != nil && !errors.As(err, &refusal) {
		s.retract(ctx, t.cid)
	}
	return err
}

func (s *Store) putBlock(ctx context.Context, codec string, pin bool, p leafPut) error {
	body := files.NewSliceDirectory([]files.DirEntry{files.FileEntry("block", files.NewReaderFile(bytes.NewReader(p.data)))})
	var out struct{ Key string }
	err := s.api.Request("block/put").Option("cid-codec", codec).Option("mhtype", "sha2-256").Option("pin", pin).
		Body(files.NewMultiFileReader(body, false, false)).Exec(ctx, &out)
	if err == nil && out.Key != p.cid.String() {
		err = ledger.Errorf(ledger.ErrTampered, "the IPFS node %s stored %s as %.100q", s.address, p.cid, out.Key)
	}
	return err
}

// retract removes the pin that a request whose answer was lost may have made. The node
// may still be at it, so it looks a few times. What it cannot undo stays as ciphertext
// without a key.
func (s *Store) retract(ctx context.Context, root cid.Cid) {
	ctx, cancel := cleanup.Context(ctx, cleanupTimeout, stopTimeout)
	defer cancel()
	for wait := 50 * time.Millisecond; wait < time.Second; wait *= 3 {
		if err := s.api.Request("pin/rm", root.String()).Option("recursive", true).Exec(ctx, nil); err == nil {
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// abandon lets go of a payload whose caller has given up.
func (s *Store) abandon(ctx context.Context, c cid.Cid) {
	ctx, cancel := cleanup.Context(ctx, cleanupTimeout, stopTimeout)
	defer cancel()
	s.unpins.Do(ctx, c)
}
