package ipfs

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestStopWhileNodeStandsStill: whoever is told to stop does not wait for a node that
// answers nothing, also when what it may have pinned is to be taken back.
func TestStopWhileNodeStandsStill(t *testing.T) {
	asked, over := make(chan struct{}, 100), make(chan struct{})
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-over
	}))
	t.Cleanup(node.Close)
	t.Cleanup(func() { close(over) })
	host, port, _ := strings.Cut(strings.TrimPrefix(node.URL, "http://"), ":")
	s, err := New(Options{API: "/ip4/" + host + "/tcp/" + port})
	if err != nil {
		t.Fatal(err)
	}
	id, err := newLeaf([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context) error{
		"put small": func(ctx context.Context) error { _, err := s.Put(ctx, strings.NewReader("x")); return err },
		"put large": func(ctx context.Context) error {
			_, err := s.Put(ctx, bytes.NewReader(make([]byte, 3<<20)))
			return err
		},
		"open":    func(ctx context.Context) error { _, err := s.Open(ctx, id.cid.String()); return err },
		"unpin":   func(ctx context.Context) error { return s.Unpin(ctx, id.cid.String()) },
		"pin":     func(ctx context.Context) error { return s.Pin(ctx, id.cid.String()) },
		"pin all": func(ctx context.Context) error { _, err := s.PinAll(ctx, []string{id.cid.String()}); return err },
	} {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- do(ctx) }()
		<-asked
		stop()
		told := time.Now()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
		if took := time.Since(told); took >= cleanupTimeout {
			t.Errorf("%s: it went on for %v", name, took)
		}
		for len(asked) > 0 { // by what was to be taken back
			<-asked
		}
	}
}
