package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/client/ipfs"
)

// TestPinsets: on a real node, two programs concurrently unpin payloads that share pins,
// one by one. Some calls are cancelled meanwhile. No sibling is lost, no payload comes
// back, and the node's garbage collection confirms it.
func TestPinsets(t *testing.T) {
	const hospital = "HospitalC"
	n, gone := 120, 80
	if testing.Short() {
		n, gone = 36, 24
	}
	stores := [2]*ipfs.Store{store(t, hospital, 0), store(t, hospital, 0)}
	prefix := fmt.Sprint(rand.Uint64())
	ids := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if ids[i], err = stores[i%2].Put(t.Context(), strings.NewReader(fmt.Sprint(prefix, " payload ", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// Add more pinsets with the same payloads, like a replicator that retries.
	for _, group := range [][]string{ids, ids[n/4 : 3*n/4]} {
		if pinned, err := stores[0].PinAll(t.Context(), group); err != nil || len(pinned) != len(group) {
			t.Fatalf("%d of %d pinned: %v", len(pinned), len(group), err)
		}
	}
	kept := ids[gone:]
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { // siblings are pinned at every moment
		for {
			all := pins(t, hospital)
			for _, id := range kept {
				if !slices.Contains(all, id) {
					t.Errorf("%s is not pinned while siblings are unpinned", id)
					return
				}
			}
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	for i, id := range ids[:gone] {
		wg.Go(func() {
			for killed := 0; ; killed++ {
				ctx, cancel := context.WithCancel(t.Context())
				if i%4 == 0 && killed < 3 {
					time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, cancel)
				}
				err := stores[i%2].Unpin(ctx, id)
				stopped := ctx.Err() != nil
				cancel()
				if err == nil {
					return
				}
				if !stopped {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(done)
	watching.Wait()
	all := pins(t, hospital)
	for _, id := range ids[:gone] {
		if slices.Contains(all, id) {
			t.Errorf("%s is still pinned", id)
		}
	}
	api := kubo(t, hospital)
	var pinsets struct {
		Keys map[string]struct{ Name string }
	}
	if err := api.Request("pin/ls").Option("type", "recursive").Option("name", "chartseal-tie-").Exec(t.Context(), &pinsets); err != nil || len(pinsets.Keys) == 0 {
		t.Fatalf("%d pinsets are pinned: %v", len(pinsets.Keys), err)
	}
	for id := range pinsets.Keys { // registered as payloads, then given up
		if err := stores[0].Unpin(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if err := api.Request("repo/gc").Option("quiet", true).Exec(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if err := api.Request("block/stat", id).Option("offline", true).Exec(t.Context(), nil); (err == nil) != (i >= gone) {
			t.Errorf("payload %d after the collection of garbage: %v", i, err)
		}
	}
}
