package client

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

func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fresh[int32]
		var asked atomic.Int32
		ask := func() (int32, error) {
			time.Sleep(time.Millisecond)
			return asked.Add(1), nil
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if v, err := f.get(t.Context(), "a", ask); v != 1 || err != nil {
					t.Errorf("%d, %v; want the one answer that all share", v, err)
				}
			})
		}
		wg.Wait()
		time.Sleep(freshness - 10*time.Millisecond)
		if v, _ := f.get(t.Context(), "a", ask); v != 1 {
			t.Errorf("asked again after %v", freshness-10*time.Millisecond)
		}
		if v, _ := f.get(t.Context(), "b", ask); v != 2 {
			t.Error("one key was given the answer for another")
		}
		time.Sleep(10 * time.Millisecond)
		if v, _ := f.get(t.Context(), "a", ask); v != 3 {
			t.Errorf("an answer is believed for longer than %v", freshness)
		}
		for i := range 10 * maxFresh {
			if _, err := f.get(t.Context(), fmt.Sprint(i), ask); err != nil {
				t.Fatal(err)
			}
		}
		if len(f.answers) > maxFresh {
			t.Errorf("%d answers are kept", len(f.answers))
		}
	})
}

// TestFreshFailure shows that a failure is not kept, and that who gives up waiting does
// not disturb the others.
func TestFreshFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fresh[int]
		failed := errors.New("failed")
		if _, err := f.get(t.Context(), "a", func() (int, error) { return 0, failed }); !errors.Is(err, failed) {
			t.Fatal(err)
		}
		go f.get(t.Context(), "a", func() (int, error) { time.Sleep(time.Second); return 7, nil })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := f.get(ctx, "a", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who gave up was told %v", err)
		}
		if v, err := f.get(t.Context(), "a", nil); v != 7 || err != nil {
			t.Errorf("%d, %v; want the answer that was on its way", v, err)
		}
	})
}
