package ipfs

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/go-cid"
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
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return b.cid.String(), nil
	}
	return "", s.explain("store payload", err, nil)
}

// putGroup stores the blocks of a group in one request, and pins them with one pin.
func (s *Store) putGroup(ctx context.Context, group []block) error {
	wctx, watch := newWatchdog(ctx, s.idle)
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
	return s.pin(ctx, p.cid, pinsetName, watch)
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
