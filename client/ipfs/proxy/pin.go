package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// kubo removes a pin before it makes it anew, for example with another name. A request
// that ends in between loses the pin. So a person who pins, or stores, what is pinned
// already could remove it by hanging up.

// storing are the calls that store a body, and pinning those that pin. Once kubo has such
// a request, it goes on to its end, also when the person hangs up.
var (
	storing = map[string]bool{"add": true, "block/put": true, "dag/import": true}
	pinning = map[string]bool{"add": true, "block/put": true, "dag/import": true, "pin/add": true}
)

// patience is how long a pinning request may take after its person has hung up.
const patience = time.Hour

// outlive returns a context for a request to kubo that ends some time after ctx.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(patience, cancel)
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() {
		stop()
		cancel()
	}
}

// A drained answer is read to its end before it is closed.
type drained struct{ io.ReadCloser }

func (d drained) Close() error {
	io.Copy(io.Discard, d.ReadCloser)
	return d.ReadCloser.Close()
}

// pinned answers a pin/add of what is pinned already, of which kubo need not know. It
// returns false if kubo has to pin.
func (p *Proxy) pinned(w http.ResponseWriter, r *http.Request) (bool, error) {
	root := r.URL.Query().Get("arg")
	query := url.Values{"arg": {root}, "type": {"recursive"}}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://localhost"+prefix+"pin/ls?"+query.Encode(), nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+p.config.Token)
	resp, err := p.forward.Transport.RoundTrip(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	var out struct{ Keys map[string]any }
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&out)
	switch {
	case resp.StatusCode == http.StatusInternalServerError: // kubo's answer for what is not pinned
		return false, nil
	case resp.StatusCode != http.StatusOK || err != nil:
		return false, fmt.Errorf("pin/ls: %s, %v", resp.Status, err)
	case len(out.Keys) == 0:
		return false, nil
	}
	w.Header().Set("Content-Type", "application/json")
	return true, json.NewEncoder(w).Encode(struct{ Pins []string }{[]string{root}})
}
