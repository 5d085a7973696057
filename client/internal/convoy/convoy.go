// Package convoy lets calls that run at the same time share what each would cost alone: a
// transaction's signatures, a request's round trip. It is the group commit of databases.
// [Convoy.Go] sends an item; most of its callers never learn that others travelled with
// them.
//
// Nobody waits for company that may not come: while few convoys are under way an item
// goes at once, and otherwise with all that have come when one of those arrives. So one
// caller alone has no delay, and the more there are the fewer convoys each pays for.
package convoy

import (
	"context"
	"slices"
	"sync"
)

// A Convoy is safe for concurrent use. Its fields must not change once it is used.
type Convoy[T any] struct {
	// Flights is how many are under way at once before others wait for company; zero
	// means 2.
	Flights int

	// Fits tells whether an item may join a group, which is not empty. Nil lets all join.
	Fits func(group []T, next T) bool

	// Send sends a group. Its error is that of all of them. The context ends when those
	// of all callers have ended.
	Send func(ctx context.Context, group []T) error

	// Part tells whether a group of several that failed with an error is to be sent again
	// item by item, so that nobody fails for what another has brought. Nil parts none.
	Part func(group []T, err error) bool

	mu      sync.Mutex
	flights int
	waiting []*passenger[T]
}

type passenger[T any] struct {
	ctx  context.Context
	item T
	done chan error // has room for one
}

// Go sends an item and returns when it is known what became of it. An item whose context
// ends before it is under way does not go; with others under way, its outcome is waited
// for.
func (c *Convoy[T]) Go(ctx context.Context, item T) error {
	p := &passenger[T]{ctx: ctx, item: item, done: make(chan error, 1)}
	if c.board(p) {
		err := c.alone(p)
		go c.land()
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	if c.leave(p) {
		return ctx.Err()
	}
	return <-p.done
}

// board takes a free flight, or lets the passenger wait.
func (c *Convoy[T]) board(p *passenger[T]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.Flights
	if limit <= 0 {
		limit = 2
	}
	if c.flights < limit {
		c.flights++
		return true
	}
	c.waiting = append(c.waiting, p)
	return false
}

// leave tells whether the passenger was still waiting.
func (c *Convoy[T]) leave(p *passenger[T]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, p)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}

// land ends a flight: those that wait go, group after group, until nobody waits.
func (c *Convoy[T]) land() {
	for {
		group := c.next()
		if len(group) == 0 {
			return
		}
		c.fly(group)
	}
}

// next takes those who fit together from the front of the queue, without those whose
// context has ended and who have not left yet. When there is nobody it gives the flight
// back.
func (c *Convoy[T]) next() []*passenger[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(p *passenger[T]) bool {
		err := p.ctx.Err()
		if err != nil {
			p.done <- err
		}
		return err != nil
	})
	var items []T
	for _, p := range c.waiting {
		if len(items) > 0 && c.Fits != nil && !c.Fits(items, p.item) {
			break // nobody overtakes
		}
		items = append(items, p.item)
	}
	if len(items) == 0 {
		c.flights--
	}
	group := slices.Clone(c.waiting[:len(items)])
	c.waiting = slices.Delete(c.waiting, 0, len(items))
	return group
}

func (c *Convoy[T]) fly(group []*passenger[T]) {
	if len(group) == 1 {
		group[0].done <- c.alone(group[0])
		return
	}
	items := make([]T, len(group))
	for i, p := range group {
		items[i] = p.item
	}
	ctx, cancel := whileAnyWaits(group)
	err := c.Send(ctx, items)
	cancel()
	part := err != nil && c.Part != nil && c.Part(items, err)
	var wg sync.WaitGroup
	for _, p := range group {
		if part {
			wg.Go(func() { p.done <- c.alone(p) })
		} else {
			p.done <- err
		}
	}
	wg.Wait()
}

func (c *Convoy[T]) alone(p *passenger[T]) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	return c.Send(p.ctx, []T{p.item})
}

// whileAnyWaits is a context that ends when those of all have ended.
func whileAnyWaits[T any](group []*passenger[T]) (context.Context, func()) {
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
