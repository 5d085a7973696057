package fabric

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric/block"
)

// A chain is a source of blocks that a slice holds. It breaks before the blocks that
// broken names, once for each time that they are in there, and ends after the last.
type chain struct {
	blocks []*common.Block
	broken []uint64
	err    error // how it breaks
}

func (c *chain) Blocks(_ context.Context, from uint64) iter.Seq2[*common.Block, error] {
	return func(yield func(*common.Block, error) bool) {
		for i := from; i < uint64(len(c.blocks)); i++ {
			if k := slices.Index(c.broken, i); k >= 0 {
				c.broken = slices.Delete(c.broken, k, k+1)
				yield(nil, c.err)
				return
			}
			if !yield(c.blocks[i], nil) {
				return
			}
		}
	}
}

const payload = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"

// newChain has blocks with two transactions each, of which the second is invalid.
func newChain(t *testing.T, n int) *chain {
	t.Helper()
	c := &chain{err: ledger.ErrUnavailable}
	for i := range n {
		b := &common.Block{Header: &common.BlockHeader{Number: uint64(i)}, Data: &common.BlockData{},
			Metadata: &common.BlockMetadata{Metadata: [][]byte{nil, nil, {byte(peer.TxValidationCode_VALID), byte(peer.TxValidationCode_MVCC_READ_CONFLICT)}}}}
		for k := range 2 {
			id := fmt.Sprintf("%032x", 2*i+k)
			v := ledger.RecordVersion{ID: id, Version: 1, CID: payload, Author: "HospitalA/doctor"}
			b.Data.Data = append(b.Data.Data, bytesOf(t, endorsed(t, "chartseal", []*kvrwset.KVWrite{{Key: ledger.RecordKey(id, 1), Value: ledger.VersionValue(v)}})))
		}
		c.blocks = append(c.blocks, b)
	}
	return c
}

// memory is a Checkpoint that a test can look into.
type memory struct {
	at   Position
	fail error
}

func (m *memory) Load() (Position, error) { return m.at, m.fail }
func (m *memory) Save(p Position) error   { m.at = p; return m.fail }

// TestFollowBlocks: another source than a peer fits; a stream that breaks is resumed
// where it was, and every block is handed out once.
func TestFollowBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 6)
		c.broken = []uint64{0, 3, 3}
		var got []uint64
		var records []string
		var waits []time.Duration
		m := &memory{}
		err := FollowBlocks(t.Context(), c, "chartseal", Following[*block.Block]{
			Checkpoint: m,
			Handle: func(_ context.Context, b *block.Block) error {
				if m.at != (Position{Block: b.Number}) {
					t.Errorf("block %d is handled at %+v", b.Number, m.at)
				}
				got = append(got, b.Number)
				for tx := range b.Valid() {
					records = append(records, tx.Records[0].ID)
				}
				return nil
			},
			Interrupted: func(err error, wait time.Duration) {
				if !errors.Is(err, ledger.ErrUnavailable) {
					t.Error(err)
				}
				waits = append(waits, wait)
			},
		})
		if err != nil || !slices.Equal(got, []uint64{0, 1, 2, 3, 4, 5}) || m.at != (Position{Block: 6}) {
			t.Errorf("followed %v to %+v: %v", got, m.at, err)
		}
		if len(records) != 6 || records[5] != fmt.Sprintf("%032x", 10) {
			t.Errorf("valid records %v", records)
		}
		if !slices.Equal(waits, []time.Duration{firstWait, firstWait, 2 * firstWait}) {
			t.Errorf("waits %v", waits)
		}
	})
}

// TestFollowPayloads: the stream of payloads is one use of blocks.
func TestFollowPayloads(t *testing.T) {
	var got []ledger.Payload
	err := FollowBlocks(t.Context(), newChain(t, 2), "chartseal", Following[*block.Block]{
		Checkpoint: CheckpointFile(filepath.Join(t.TempDir(), "at")),
		Handle:     Payloads(func(_ context.Context, all []ledger.Payload) error { got = append(got, all...); return nil }),
	})
	want := ledger.Payload{CID: payload, Home: "HospitalA", Tx: "4f1a"}
	if err != nil || !slices.Equal(got, []ledger.Payload{want, want}) {
		t.Errorf("payloads %v, %v", got, err)
	}
}

// TestFollowEnds: what would happen again ends the following, and the block at fault is
// not passed over.
func TestFollowEnds(t *testing.T) {
	full := errors.New("disk full")
	noCodes, skipped, refused := newChain(t, 3), newChain(t, 3), newChain(t, 3)
	noCodes.blocks[2].Metadata = nil
	skipped.blocks[2].Header.Number = 3
	refused.broken, refused.err = []uint64{2}, ledger.Errorf(ledger.ErrDenied, "not yours")
	handles := func(err error) func(context.Context, *block.Block) error {
		return func(_ context.Context, b *block.Block) error {
			if b.Number == 2 {
				return err
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		source *chain
		f      Following[*block.Block]
		want   error
		at     uint64
	}{
		"the handler fails":     {newChain(t, 3), Following[*block.Block]{Checkpoint: &memory{}, Handle: handles(full)}, full, 2},
		"nothing can be saved":  {newChain(t, 3), Following[*block.Block]{Checkpoint: &memory{fail: full}, Handle: handles(nil)}, full, 0},
		"no validation codes":   {noCodes, Following[*block.Block]{Checkpoint: &memory{}, Handle: handles(nil)}, ledger.ErrTampered, 2},
		"a block is left out":   {skipped, Following[*block.Block]{Checkpoint: &memory{}, Handle: handles(nil)}, ledger.ErrTampered, 2},
		"the source refuses us": {refused, Following[*block.Block]{Checkpoint: &memory{}, Handle: handles(nil)}, ledger.ErrDenied, 2},
	} {
		if err := FollowBlocks(t.Context(), c.source, "chartseal", c.f); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if at := c.f.Checkpoint.(*memory).at; at.Block != c.at {
			t.Errorf("%s: the checkpoint is at %+v", name, at)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	away := newChain(t, 1)
	away.broken = make([]uint64, 100)
	err := FollowBlocks(ctx, away, "chartseal", Following[*block.Block]{Checkpoint: &memory{}, Handle: handles(nil),
		Interrupted: func(error, time.Duration) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped while the source is away: %v", err)
	}
}
