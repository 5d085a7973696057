package table

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/stage"
)

// A yardstick is a bare put that adds as many bytes to the ledger as what it measures.
type yardstick struct {
	person *stage.Person
	size   int // of the value
	note   string
}

// put writes one asset.
func (y yardstick) put(ctx context.Context) error { return put(ctx, y.person, y.size) }

func put(ctx context.Context, p *stage.Person, size int) error {
	value := make([]byte, base64.StdEncoding.DecodedLen(size)+3)
	rand.Read(value)
	return p.Bare.Put(ctx, rand.Text(), base64.StdEncoding.EncodeToString(value)[:size])
}

// calibrate finds the put for work of ours that is done n times, by so many callers at
// once: the work is done and what it adds to a peer's block files and private data store
// is divided; then puts of two sizes tell what a put of any size adds to the block files.
// A put has the value twice in a block, as an argument and as a write.
func calibrate(ctx context.Context, s *stage.Stage, p *stage.Person, callers, n int, work func(context.Context) error) (yardstick, error) {
	msp := p.User.Profile.MSP
	each := func(work func() error) (blocks, private float64, err error) {
		b, v, err := s.Growth(msp, work)
		return float64(b) / float64(n), float64(v) / float64(n), err
	}
	public, private, err := each(func() error { return work(ctx) })
	if err != nil {
		return yardstick{}, err
	}
	wanted := public + private
	puts := func(size int) (float64, error) {
		blocks, _, err := each(func() error {
			_, _, err := bench.Concurrently(ctx, callers, n, func(ctx context.Context, _ int) error { return put(ctx, p, size) })
			return err
		})
		return blocks, err
	}
	const small, large = 1, 2000
	least, err := puts(small)
	if err != nil {
		return yardstick{}, err
	}
	most, err := puts(large)
	if err != nil {
		return yardstick{}, err
	}
	y := yardstick{person: p, size: max(small, small+int((wanted-least)*(large-small)/(most-least)))}
	y.note = fmt.Sprintf("bare: asset:Put of %d bytes, %.0f in the block as ours (%.0f there, %.0f private)", y.size, max(wanted, least), public, private)
	return y, nil
}
