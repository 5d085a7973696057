package groupcommit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A recorder notes the groups that were committed, and takes a second for each.
type recorder struct {
	mu     sync.Mutex
	groups [][]int
	fail   func(group []int) error
}

func (r *recorder) commit(ctx context.Context, group []int) error {
	r.mu.Lock()
	r.groups = append(r.groups, slices.Clone(group))
	r.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.fail != nil {
		return r.fail(group)
	}
	return nil
}

// sizes are those of the groups, in the order of their commits.
func (r *recorder) sizes() (n []int) {
	for _, g := range r.groups {
		n = append(n, len(g))
	}
	return n
}

// all commits n items at once, and returns what became of each and how long all took.
func all(ctx func(i int) context.Context, c *Committer[int], n int) ([]error, time.Duration) {
	errs := make([]error, n)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = c.Do(ctx(i), i) })
	}
	wg.Wait()
	synctest.Wait()
	return errs, time.Since(start)
}

func background(int) context.Context { return context.Background() }

func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		c := &Committer[int]{Commit: r.commit}
		errs, took := all(background, c, 12)
		if err := errors.Join(errs...); err != nil || took != 2*time.Second || !slices.Equal(r.sizes(), []int{1, 1, 10}) {
			t.Errorf("groups of %v in %v, %v; want two that go at once and the rest together", r.sizes(), took, err)
		}
		if c.running != 0 || len(c.waiting) != 0 {
			t.Errorf("%d running, %d waiting after the last commit", c.running, len(c.waiting))
		}
		if errs, took := all(background, c, 1); errs[0] != nil || took != time.Second {
			t.Errorf("one alone afterwards: %v in %v", errs[0], took)
		}
	})
}

func TestFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		c := &Committer[int]{Parallel: 1, Commit: r.commit, Fits: func(group []int, _ int) bool { return len(group) < 4 }}
		if errs, _ := all(background, c, 11); errors.Join(errs...) != nil || !slices.Equal(r.sizes(), []int{1, 4, 4, 2}) {
			t.Errorf("groups of %v, %v", r.sizes(), errs)
		}
		seen := slices.Sorted(slices.Values(slices.Concat(r.groups...)))
		if !slices.Equal(seen, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
			t.Errorf("sent %v", seen)
		}
	})
}

// TestRetry shows that with Retry only the caller of the refused item fails, and without
// it all of its group do.
func TestRetry(t *testing.T) {
	refused := errors.New("refused")
	for _, retry := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := &recorder{}
			r.fail = func(group []int) error {
				if slices.Contains(group, 7) {
					return refused
				}
				return nil
			}
			// Item 7 comes when others wait already, so that it joins their group.
			c := &Committer[int]{Commit: r.commit, Retry: func(_ []int, err error) bool { return retry && errors.Is(err, refused) }}
			var wg sync.WaitGroup
			errs := make([]error, 10)
			for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 8, 9, 7} {
				wg.Go(func() { errs[i] = c.Do(context.Background(), i) })
				synctest.Wait()
			}
			wg.Wait()
			for i, err := range errs {
				want := i == 7 || !retry && i > 1
				if errors.Is(err, refused) != want {
					t.Errorf("retry %v: item %d: %v", retry, i, err)
				}
			}
		})
	}
}

// TestCancelled cancels an item that waits, one whose group is being committed, and one
// that is committed alone.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		c := &Committer[int]{Parallel: 1, Commit: r.commit}
		var cancels [6]context.CancelFunc
		var errs [6]error
		var wg sync.WaitGroup
		for i := range 6 {
			var ctx context.Context
			ctx, cancels[i] = context.WithCancel(context.Background())
			wg.Go(func() { errs[i] = c.Do(ctx, i) })
			synctest.Wait()
		}
		cancels[5]()            // waits: is not committed
		time.Sleep(time.Second) // 0 is committed, 1 to 4 are being committed
		synctest.Wait()
		cancels[1]() // its commit runs, so it hears the outcome
		wg.Wait()
		if !slices.EqualFunc(r.groups, [][]int{{0}, {1, 2, 3, 4}}, slices.Equal) {
			t.Errorf("sent %v", r.groups)
		}
		for i, err := range errs {
			if (i == 5) != errors.Is(err, context.Canceled) || i != 5 && err != nil {
				t.Errorf("item %d: %v", i, err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		wg.Go(func() { errs[0] = c.Do(ctx, 0) })
		synctest.Wait()
		cancel()
		wg.Wait()
		if !errors.Is(errs[0], context.Canceled) {
			t.Errorf("alone and cancelled: %v", errs[0])
		}
	})
}

// TestAllCancelled cancels every call of a group: its commit is cancelled.
func TestAllCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		c := &Committer[int]{Parallel: 1, Commit: r.commit}
		go c.Do(context.Background(), 0)
		synctest.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(1100*time.Millisecond, cancel)
		errs, took := all(func(int) context.Context { return ctx }, c, 3)
		for _, err := range errs {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		if took != 1100*time.Millisecond {
			t.Errorf("took %v, want no longer than anybody cared", took)
		}
	})
}

// TestCancelledWhileWaiting cancels the calls that wait together with the one whose
// commit runs: none of them is committed afterwards.
func TestCancelledWhileWaiting(t *testing.T) {
	for range 50 { // which of them hears of it first is chance
		synctest.Test(t, func(t *testing.T) {
			r := &recorder{}
			c := &Committer[int]{Parallel: 1, Commit: r.commit}
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(500*time.Millisecond, cancel)
			errs, _ := all(func(int) context.Context { return ctx }, c, 5)
			for _, err := range errs {
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
			if sizes := r.sizes(); !slices.Equal(sizes, []int{1}) {
				t.Errorf("groups of %v were sent", sizes)
			}
			if err := c.Do(context.Background(), 5); err != nil {
				t.Errorf("after them: %v", err)
			}
		})
	}
}
