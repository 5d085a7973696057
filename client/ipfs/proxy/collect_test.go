package proxy

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestCollect: a collection begins when nobody stores, and not between storing blocks and
// pinning them. Those who store meanwhile wait, and those who read do not.
func TestCollect(t *testing.T) {
	var storing, unpinned, collections atomic.Int32
	collecting, end := make(chan bool), make(chan bool)
	h := newHospital(t, func(w http.ResponseWriter, r *http.Request) {
		switch strings.TrimPrefix(r.URL.Path, prefix) {
		case "pin/ls":
			http.Error(w, "not pinned", http.StatusInternalServerError)
		case "repo/gc":
			if r.Header.Get("Authorization") != "Bearer collect" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			if storing.Load() > 0 || unpinned.Load() > 0 {
				t.Errorf("a collection begins with %d requests that store, and %d unpinned blocks", storing.Load(), unpinned.Load())
			}
			collections.Add(1)
			collecting <- true
			<-end
			io.WriteString(w, `{"Key":{"/":"a"}}`+"\n"+`{"Key":{"/":"b"}}`+"\n")
		case "dag/import":
			storing.Add(1)
			io.Copy(io.Discard, r.Body)
			unpinned.Add(1)
			storing.Add(-1)
		case "pin/add":
			unpinned.Store(0)
		default:
			storing.Add(1)
			io.Copy(io.Discard, r.Body)
			storing.Add(-1)
		}
	})
	nurse := h.person(2)
	call := func(path string) {
		t.Helper()
		if status, text, err := h.call(nurse, http.MethodPost, prefix+path, "--x\r\n\r\nfile\r\n--x--\r\n"); status != http.StatusOK {
			t.Errorf("%s: %d %s, %v", path, status, text, err)
		}
	}

	// An upload that hangs: nothing is collected, and nobody waits for long.
	body, upload := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+prefix+addCall, body)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan bool)
	go func() {
		if resp, err := nurse.Do(req); err == nil {
			resp.Body.Close()
		}
		close(over)
	}()
	for storing.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	done := make(chan bool)
	began := time.Now()
	go func() {
		call("block/put?pin=true")
		close(done)
	}()
	if n, err := h.proxy.Collect(t.Context()); n != 0 || !errors.Is(err, ledger.ErrUnavailable) || collections.Load() > 0 {
		t.Errorf("during an upload: %d, %v", n, err)
	}
	if <-done; time.Since(began) > 2*collectDrain {
		t.Errorf("a request waited for %v", time.Since(began))
	}
	upload.Close()
	<-over

	// Blocks are stored, and pinned in a second request.
	call("dag/import?pin-roots=false")
	type result struct {
		removed int
		err     error
	}
	results := make(chan result)
	go func() {
		n, err := h.proxy.Collect(t.Context())
		results <- result{n, err}
	}()
	time.Sleep(collectQuiet / 2)
	call("pin/add?arg=" + payload)
	<-collecting
	stored := make(chan bool)
	go func() {
		call("block/put?pin=true")
		close(stored)
	}()
	call("cat?arg=x")
	select {
	case <-stored:
		t.Error("a block was stored during a collection")
	case <-time.After(100 * time.Millisecond):
	}
	end <- true
	<-stored
	if r := <-results; r.removed != 2 || r.err != nil || collections.Load() != 1 {
		t.Errorf("collected %d, %v", r.removed, r.err)
	}
	h.proxy.config.CollectToken = "other"
	time.Sleep(collectQuiet)
	if _, err := h.proxy.Collect(t.Context()); !errors.Is(err, ledger.ErrDenied) {
		t.Errorf("with another token: %v", err)
	}
}
