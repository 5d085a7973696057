package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Cache[int32]
		var asked atomic.Int32
		ask := func() (int32, error) {
			time.Sleep(time.Millisecond)
			return asked.Add(1), nil
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if v, err := f.Get(t.Context(), "a", ask); v != 1 || err != nil {
					t.Errorf("%d, %v; want the one answer that all share", v, err)
				}
			})
		}
		wg.Wait()
		time.Sleep(timeToLive - 10*time.Millisecond)
		if v, _ := f.Get(t.Context(), "a", ask); v != 1 {
			t.Errorf("asked again after %v", timeToLive-10*time.Millisecond)
		}
		if v, _ := f.Get(t.Context(), "b", ask); v != 2 {
			t.Error("one key was given the answer for another")
		}
		time.Sleep(10 * time.Millisecond)
		if v, _ := f.Get(t.Context(), "a", ask); v != 3 {
			t.Errorf("an answer stays valid for longer than %v", timeToLive)
		}
		for i := range 10 * maxCached {
			if _, err := f.Get(t.Context(), fmt.Sprint(i), ask); err != nil {
				t.Fatal(err)
			}
		}
		if len(f.answers) > maxCached {
			t.Errorf("%d answers are kept", len(f.answers))
		}
	})
}

// TestCacheFailure: failures are not cached, and a caller that gives up does not disturb
// others.
func TestCacheFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Cache[int]
		failed := errors.New("failed")
		if _, err := f.Get(t.Context(), "a", func() (int, error) { return 0, failed }); !errors.Is(err, failed) {
			t.Fatal(err)
		}
		go f.Get(t.Context(), "a", func() (int, error) { time.Sleep(time.Second); return 7, nil })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := f.Get(ctx, "a", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who gave up was told %v", err)
		}
		if v, err := f.Get(t.Context(), "a", nil); v != 7 || err != nil {
			t.Errorf("%d, %v; want the answer that was on its way", v, err)
		}
	})
}
