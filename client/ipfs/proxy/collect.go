package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// kubo's collection of garbage takes every block that no pin keeps. It waits until
// nothing pins, and lets nothing pin while it waits: one slow upload would keep everybody
// from sealing. And between storing blocks and pinning them it takes them. So the proxy,
// which sees all of it, begins a collection only when nobody stores, and keeps people
// waiting for seconds at most.

const (
	collectQuiet = time.Second      // after the last blocks were stored, whose pin comes in another request
	collectDrain = 5 * time.Second  // that a collection waits for requests that run
	collectLimit = 20 * time.Second // that one may take: a client waits for 30 s
	collectRetry = time.Minute
	collectTries = 60
)

// A gate lets requests that store and pin pass, or a collection.
type gate struct {
	mu         sync.Mutex
	changed    chan struct{} // closed when a field changes
	running    int           // requests that pin or store
	stored     time.Time     // when the last one ended
	waiting    bool          // a collection waits: no request that stores begins
	collecting bool          // none begins at all
}

// change wakes up those who wait. The caller holds mu.
func (g *gate) change() {
	if g.changed != nil {
		close(g.changed)
	}
	g.changed = make(chan struct{})
}

// enter waits until a request may begin.
func (g *gate) enter(ctx context.Context, stores bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.collecting || g.waiting && stores {
		if err := g.wait(ctx, -1); err != nil {
			return err
		}
	}
	g.running++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.stored = time.Now()
	g.change()
}

// wait waits for a change, or for a time that is not negative. The caller holds mu.
func (g *gate) wait(ctx context.Context, d time.Duration) error {
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	changed := g.changed
	g.mu.Unlock()
	defer g.mu.Lock()
	var timer <-chan time.Time
	if d >= 0 {
		timer = time.After(d)
	}
	select {
	case <-changed:
	case <-timer:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// close keeps requests out, once those that run have ended. It gives up soon.
func (g *gate) close(ctx context.Context) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = true
	for deadline := time.Now().Add(collectDrain); time.Now().Before(deadline) && ctx.Err() == nil; {
		quiet := time.Until(g.stored.Add(collectQuiet))
		if g.running == 0 && quiet <= 0 {
			g.collecting = true
			return true
		}
		g.wait(ctx, min(max(quiet, collectQuiet/10), time.Until(deadline)))
	}
	g.waiting = false
	g.change()
	return false
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting, g.collecting = false, false
	g.change()
}

// Collect has kubo remove the blocks that no pin keeps, and returns how many it has
// removed, also after an error. People who store meanwhile wait for 25 s at most, and
// those who read do not. What a collection does not reach in 20 s, the next one removes.
//
// Errors:
//   - ledger.ErrDenied if there is no token for it, or kubo refuses it.
//   - ledger.ErrUnavailable if people store without a pause of a second, if kubo does not
//     answer, or if it finds a damaged block among what is pinned: it then removes
//     nothing.
func (p *Proxy) Collect(ctx context.Context) (removed int, err error) {
	if p.config.CollectToken == "" {
		return 0, ledger.Errorf(ledger.ErrDenied, "collect garbage: there is no token for it")
	}
	if !p.gate.close(ctx) {
		return 0, ledger.Errorf(ledger.ErrUnavailable, "collect garbage: people are storing")
	}
	defer p.gate.open()
	ctx, cancel := context.WithTimeout(ctx, collectLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+prefix+"repo/gc?stream-errors=true", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+p.config.CollectToken)
	resp, err := p.forward.Transport.RoundTrip(req)
	if err != nil {
		return 0, ledger.Errorf(ledger.ErrUnavailable, "collect garbage: %v", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusForbidden:
		return 0, ledger.Errorf(ledger.ErrDenied, "collect garbage: kubo refuses the token")
	case resp.StatusCode != http.StatusOK:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return 0, ledger.Errorf(ledger.ErrUnavailable, "collect garbage: %s: %s", resp.Status, text)
	}
	var problems []error
	for d := json.NewDecoder(resp.Body); ; {
		var out struct {
			Key   map[string]string
			Error string
		}
		switch err := d.Decode(&out); {
		case errors.Is(err, io.EOF):
			if late := resp.Trailer.Get("X-Stream-Error"); late != "" {
				problems = append(problems, errors.New(late))
			}
			if len(problems) > 0 {
				return removed, ledger.Errorf(ledger.ErrUnavailable, "collect garbage: %v", errors.Join(problems...))
			}
			return removed, nil
		case err != nil:
			return removed, ledger.Errorf(ledger.ErrUnavailable, "collect garbage: %v", err)
		}
		if out.Error != "" && len(problems) < 10 {
			problems = append(problems, fmt.Errorf("%.300s", out.Error))
		} else if len(out.Key) > 0 {
			removed++
		}
	}
}

// CollectDaily collects garbage once a day, at a time since midnight here, until ctx
// ends. When people store without a pause, it tries again for an hour.
func (p *Proxy) CollectDaily(ctx context.Context, at time.Duration) {
	for ctx.Err() == nil {
		now := time.Now()
		next := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location()).Add(at)
		if !next.After(now) {
			next = next.AddDate(0, 0, 1)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
		p.collectPatiently(ctx)
	}
}

func (p *Proxy) collectPatiently(ctx context.Context) {
	for try := 1; ctx.Err() == nil; try++ {
		began := time.Now()
		removed, err := p.Collect(ctx)
		switch {
		case err == nil:
			p.config.Log.Info("garbage collected", "blocks", removed, "took", time.Since(began).Round(time.Millisecond).String())
			return
		case try == collectTries:
			p.config.Log.Warn("garbage not collected, trying again tomorrow", "blocks", removed, "error", err.Error())
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(collectRetry):
		}
	}
}
