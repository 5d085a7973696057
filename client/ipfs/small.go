package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/groupcommit"
)

// Most records are small: their payload is one block, whose CID is known before the node
// has it. Concurrent puts share a request and a pin. None needs kubo's add, which does
// the work of a file of many blocks.

// maxPutSize bounds the bytes of one request.
const maxPutSize = 4 << 20

// A block is to be stored.
type block struct {
	data []byte
	cid  cid.Cid
}

func newLeaf(data []byte) (block, error) {
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	return block{data, c}, err
}

// putCommitter groups concurrent puts.
func (s *Store) putCommitter() *groupcommit.Committer[block] {
	return &groupcommit.Committer[block]{
		Parallel: 1, // each group costs the node a pin: more at once make smaller groups
		Fits: func(group []block, next block) bool {
			size := len(next.data)
			for _, b := range group {
				size += len(b.data)
			}
			return size <= maxPutSize && len(group) < maxMembers
		},
		Commit: s.putGroup,
		Retry:  func([]block, error) bool { return true },
	}
}

// putSmall stores and pins a payload of one block.
func (s *Store) putSmall(ctx context.Context, data []byte) (string, error) {
	b, err := newLeaf(data)
	if err != nil {
		return "", fmt.Errorf("hash payload: %w", err)
	}
	err = s.puts.Do(ctx, b)
	var refusal *rpc.Error
	switch {
	case err == nil && ctx.Err() == nil:
		return b.cid.String(), nil
	case err == nil:
		s.abandon(ctx, b.cid)
	case !errors.As(err, &refusal):
		s.takeBackPin(ctx, b.cid)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", s.explain("store payload", err, nil)
}

// putGroup stores the blocks of a group in one request, and pins them with one pin.
func (s *Store) putGroup(ctx context.Context, group []block) error {
	lctx, cancel := s.outlast(ctx, func() bool { return true })
	defer cancel()
	wctx, watch := newWatchdog(lctx, s.idle)
	defer watch.stop()
	watch.restart()
	var err error
	if len(group) == 1 {
		err = s.putBlock(wctx, "raw", true, group[0])
	} else {
		err = s.putPinset(wctx, group, watch)
	}
	if err != nil && watch.expired() {
		return s.stalled(watch)
	}
	return err
}

// putPinset stores blocks and their pinset, and pins that. If the node collects garbage
// between the two requests, it misses a block when it pins, and the pin fails.
func (s *Store) putPinset(ctx context.Context, group []block, watch *watchdog) error {
	members := make([]cid.Cid, len(group))
	for i, b := range group {
		members[i] = b.cid
	}
	p, err := newPinset(members)
	if err != nil {
		return err
	}
	if err := s.importBlocks(ctx, p.cid, append(slices.Clone(group), p.block)); err != nil {
		return err
	}
	watch.restart()
	err = s.pin(ctx, p.cid, p.pinName(), watch)
	var refusal *rpc.Error
	if err != nil && !errors.As(err, &refusal) {
		s.takeBackPin(ctx, p.cid)
	}
	return err
}

func (s *Store) putBlock(ctx context.Context, codec string, pin bool, b block) error {
	body := files.NewSliceDirectory([]files.DirEntry{files.FileEntry("block", files.NewReaderFile(bytes.NewReader(b.data)))})
	var out struct{ Key string }
	err := s.api.Request("block/put").Option("cid-codec", codec).Option("mhtype", "sha2-256").Option("pin", pin).
		Body(files.NewMultiFileReader(body, false, false)).Exec(ctx, &out)
	if err == nil && out.Key != b.cid.String() {
		err = ledger.Errorf(ledger.ErrTampered, "the IPFS node %s stored %s as %.100q", s.address, b.cid, out.Key)
	}
	return err
}

// takeBackPin removes the pin that a request may have made whose answer was lost. The
// node may still be working on the request, so it tries several times. What stays behind
// is ciphertext without a key.
func (s *Store) takeBackPin(ctx context.Context, root cid.Cid) {
	s.takeBack(ctx, func(ctx context.Context) bool {
		return s.api.Request("pin/rm", root.String()).Option("recursive", true).Exec(ctx, nil) == nil
	})
}

// abandon unpins a payload whose caller has given up.
func (s *Store) abandon(ctx context.Context, c cid.Cid) {
	ctx, cancel := s.cleaning(ctx)
	defer cancel()
	s.unpins.Do(ctx, c)
}
