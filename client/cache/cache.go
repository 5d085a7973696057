// Package cache keeps answers of the ledger for a moment.
package cache

import (
	"context"
	"sync"
	"time"
)

// timeToLive is how long cached ledger answers about public keys, custodians and scopes
// stay valid, so that a program that seals record after record does not ask for each. A
// peer may lag behind the ledger by as much. A seal that begins before an attribute is
// revoked, or a scope rolled, ends after it in any case.
const timeToLive = 2 * time.Second

// maxCached bounds the number of cached answers.
const maxCached = 64

// A Cache keeps answers for [timeToLive]. Concurrent callers that ask for the same key
// share one question. Failures are not cached. The zero value is ready, and safe for
// concurrent use.
type Cache[T any] struct {
	mu      sync.Mutex
	answers map[string]*answer[T]
}

type answer[T any] struct {
	turn  chan struct{} // held by the caller that asks
	value T
	since time.Time // monotonic; zero until there is a value
}

// Get returns the answer that is known for key, or asks.
func (c *Cache[T]) Get(ctx context.Context, key string, ask func() (T, error)) (T, error) {
	a := c.entry(key)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	if !a.since.IsZero() && time.Since(a.since) < timeToLive {
		return a.value, nil
	}
	asked := time.Now()
	value, err := ask()
	if err == nil {
		a.value, a.since = value, asked
	}
	return value, err
}

func (c *Cache[T]) entry(key string) *answer[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.answers[key]; ok {
		return a
	}
	if c.answers == nil || len(c.answers) >= maxCached {
		c.answers = make(map[string]*answer[T]) // a caller that is asking keeps its own entry
	}
	a := &answer[T]{turn: make(chan struct{}, 1)}
	c.answers[key] = a
	return a
}

// Forget makes the next caller ask.
func (c *Cache[T]) Forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.answers, key)
}
