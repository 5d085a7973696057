package network

import (
	"context"
	"errors"
	"sync"
)

// inParallel runs functions at the same time and gives the first error, which cancels the
// context of the others.
func inParallel(ctx context.Context, functions ...func(context.Context) error) error {
	return forEach(ctx, functions, func(ctx context.Context, f func(context.Context) error) error { return f(ctx) })
}

// forEach runs a function on every item at the same time and gives the first error, which
// cancels the context of the others.
func forEach[T any](ctx context.Context, items []T, f func(context.Context, T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		group sync.WaitGroup
		once  sync.Once
		first error
	)
	for _, item := range items {
		group.Go(func() {
			if err := f(ctx, item); err != nil {
				once.Do(func() { first = err; cancel() })
			}
		})
	}
	group.Wait()
	return first
}

// tryEach runs a function on every item at the same time, whether others fail or not, and
// joins the errors.
func tryEach[T any](ctx context.Context, items []T, f func(context.Context, T) error) error {
	errs := make([]error, len(items))
	var group sync.WaitGroup
	for i, item := range items {
		group.Go(func() { errs[i] = f(ctx, item) })
	}
	group.Wait()
	return errors.Join(errs...)
}
