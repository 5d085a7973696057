package table

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/stage"
)

// A yardstick is a bare put that adds as many bytes to the ledger as the operation that
// it is compared with.
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

// calibrate finds the put that matches an operation of ours. It runs the work, which
// performs n operations by a number of concurrent callers, and divides the growth of a
// peer's block files and private data by n. Puts of two sizes then show the growth of the
// block files for a put of any size. A block holds the value of a put twice, as an
// argument and as a write.
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
