// Package groupcommit lets concurrent calls share the fixed cost of a commit: the
// signatures of a transaction, the round trip of a request. It is the group commit of
// databases. [Committer.Do] commits one item; most callers never learn that others shared
// the commit.
//
// Nobody waits for company that may not come. While fewer than [Committer.Parallel]
// commits are running, an item is committed at once; otherwise it waits until one of them
// ends, and is then committed together with everything else that waits. A single caller
// therefore has no delay, and the more callers there are, the fewer commits each of them
// pays for.
package groupcommit

import (
	"context"
	"slices"
	"sync"
)

// A Committer is safe for concurrent use. Its fields must not change after the first Do.
type Committer[T any] struct {
	// Parallel is the number of commits that run at once before items wait; zero means 2.
	Parallel int

	// Fits reports whether next may join a group, which is not empty. Nil lets all join.
	Fits func(group []T, next T) bool

	// Commit commits a group. Its error is the error of every item. The context ends once
	// the contexts of all callers have ended.
	Commit func(ctx context.Context, group []T) error

	// Retry reports whether the items of a group that failed with err are committed again
	// one by one, so that no caller fails for another's item. Nil retries nothing.
	Retry func(group []T, err error) bool

	mu      sync.Mutex
	running int
	waiting []*call[T]
}

type call[T any] struct {
	ctx  context.Context
	item T
	done chan error // has room for one
}

// Do commits an item and returns its outcome. An item whose context ends before its
// commit begins is not committed. Once it is part of a group's commit, Do waits for the
// outcome.
func (c *Committer[T]) Do(ctx context.Context, item T) error {
	p := &call[T]{ctx: ctx, item: item, done: make(chan error, 1)}
	if c.start(p) {
		err := c.commitOne(p)
		go c.drain()
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	if c.withdraw(p) {
		return ctx.Err()
	}
	return <-p.done
}

// start reports whether the call may commit at once; otherwise it is queued.
func (c *Committer[T]) start(p *call[T]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.Parallel
	if limit <= 0 {
		limit = 2
	}
	if c.running < limit {
		c.running++
		return true
	}
	c.waiting = append(c.waiting, p)
	return false
}

// withdraw takes a call out of the queue and reports whether it was still there.
func (c *Committer[T]) withdraw(p *call[T]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, p)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}

// drain commits the queue, group after group, until it is empty.
func (c *Committer[T]) drain() {
	for {
		group := c.next()
		if len(group) == 0 {
			return
		}
		c.commitGroup(group)
	}
}

// next takes the calls that fit together from the front of the queue and drops those
// whose context has ended. When the queue is empty, this commit no longer counts as
// running.
func (c *Committer[T]) next() []*call[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(p *call[T]) bool {
		err := p.ctx.Err()
		if err != nil {
			p.done <- err
		}
		return err != nil
	})
	var items []T
	for _, p := range c.waiting {
		if len(items) > 0 && c.Fits != nil && !c.Fits(items, p.item) {
			break // the order of the queue is kept
		}
		items = append(items, p.item)
	}
	if len(items) == 0 {
		c.running--
	}
	group := slices.Clone(c.waiting[:len(items)])
	c.waiting = slices.Delete(c.waiting, 0, len(items))
	return group
}

func (c *Committer[T]) commitGroup(group []*call[T]) {
	if len(group) == 1 {
		group[0].done <- c.commitOne(group[0])
		return
	}
	items := make([]T, len(group))
	for i, p := range group {
		items[i] = p.item
	}
	ctx, cancel := untilAllEnd(group)
	err := c.Commit(ctx, items)
	cancel()
	retry := err != nil && c.Retry != nil && c.Retry(items, err)
	var wg sync.WaitGroup
	for _, p := range group {
		if retry {
			wg.Go(func() { p.done <- c.commitOne(p) })
		} else {
			p.done <- err
		}
	}
	wg.Wait()
}

func (c *Committer[T]) commitOne(p *call[T]) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	return c.Commit(p.ctx, []T{p.item})
}

// untilAllEnd returns a context that ends once the contexts of all calls have ended.
func untilAllEnd[T any](group []*call[T]) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(group[0].ctx))
	var mu sync.Mutex
	left := len(group)
	stops := make([]func() bool, len(group))
	for i, p := range group {
		stops[i] = context.AfterFunc(p.ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
