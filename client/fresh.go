package client

import (
	"context"
	"sync"
	"time"
)

// freshness is how long what the ledger said of public keys, custodians and scopes is
// believed without asking again, so that a program which seals record after record does
// not ask the same for each. A peer may be as far behind the ledger; a seal that began
// before an attribute was revoked, or a scope rolled, ends after it in any case.
const freshness = 2 * time.Second

// maxFresh bounds what is kept.
const maxFresh = 64

// A fresh keeps answers for a short time. Callers who ask for the same at the same time
// share one question; a failure is not kept. The zero value is ready and safe for
// concurrent use.
type fresh[T any] struct {
	mu      sync.Mutex
	answers map[string]*answer[T]
}

type answer[T any] struct {
	turn  chan struct{} // held by whoever asks
	value T
	since time.Time // by our own clock, which does not jump; zero until there is a value
}

func (f *fresh[T]) get(ctx context.Context, key string, ask func() (T, error)) (T, error) {
	a := f.entry(key)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	if !a.since.IsZero() && time.Since(a.since) < freshness {
		return a.value, nil
	}
	asked := time.Now()
	value, err := ask()
	if err == nil {
		a.value, a.since = value, asked
	}
	return value, err
}

func (f *fresh[T]) entry(key string) *answer[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a, ok := f.answers[key]; ok {
		return a
	}
	if f.answers == nil || len(f.answers) >= maxFresh {
		f.answers = make(map[string]*answer[T]) // who is asking goes on with what they have
	}
	a := &answer[T]{turn: make(chan struct{}, 1)}
	f.answers[key] = a
	return a
}

// forget makes the next caller ask.
func (f *fresh[T]) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.answers, key)
}
