package ipfs

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStopWhileNodeStandsStill: every call ends soon after its caller has given up, even
// if the node answers nothing.
func TestStopWhileNodeStandsStill(t *testing.T) {
	leaf, err := newLeaf([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	id := leaf.cid.String()
	for name, c := range map[string]struct {
		do    func(context.Context, *Store) error
		after time.Duration // that the caller has given up
	}{
		"put small": {func(ctx context.Context, s *Store) error {
			_, err := s.Put(ctx, strings.NewReader("x"))
			return err
		}, 0},
		"put large": {func(ctx context.Context, s *Store) error {
			_, err := s.Put(ctx, bytes.NewReader(make([]byte, 3<<20)))
			return err
		}, 0},
		"open":    {func(ctx context.Context, s *Store) error { _, err := s.Open(ctx, id); return err }, 0},
		"unpin":   {func(ctx context.Context, s *Store) error { return s.Unpin(ctx, id) }, 0},
		"pin":     {func(ctx context.Context, s *Store) error { return s.Pin(ctx, id) }, 0},
		"pin all": {func(ctx context.Context, s *Store) error { _, err := s.PinAll(ctx, []string{id}); return err }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked, over := make(chan struct{}, 100), make(chan struct{})
			s := pipeStore(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				<-over
			}), "")
			defer close(over)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- c.do(ctx, s) }()
			<-asked
			stop()
			told := time.Now()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", name, err)
			}
			if took := time.Since(told); took > c.after {
				t.Errorf("%s: it went on for %v, want at most %v", name, took, c.after)
			}
		})
	}
}
