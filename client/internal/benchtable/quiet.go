package benchtable

import (
	"context"
	"errors"
	"time"
)

// quiet waits until the IPFS nodes rest. A record that was sealed just now is still being copied to the other hospitals, which is several times
// the work of one open, and would fall on whatever is measured next.
func (r *run) quiet(ctx context.Context) error {
	const step, patience, resting = time.Second, 180, 100 * time.Millisecond
	before, err := r.Usage()
	if err != nil {
		return err
	}
	for range patience {
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return ctx.Err()
		}
		now, err := r.Usage()
		if err != nil {
			return err
		}
		if now["ipfs"]-before["ipfs"] < resting {
			return nil
		}
		before = now
	}
	return errors.New("the IPFS nodes do not come to rest")
}
