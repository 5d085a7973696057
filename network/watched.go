package network

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// How long the watcher looks on before it restarts a process. A dead process is not
// looked on at.
const (
	frozenPatience = 5 * time.Second
	silentPatience = 30 * time.Second // without an answer, of a process that served before
	startPatience  = 2 * time.Minute  // the same, of a process that never served since its start, or that is needed
	behindPatience = 30 * time.Second // without a new block; an orderer notices after 10 s that it is behind
)

// A process that was well for so long is forgiven its restarts.
const forgiveness = 2 * time.Minute

// maxBackoff is the longest pause between two restarts of a process that dies.
const maxBackoff = time.Minute

// A watched is a process as the watcher remembers it.
type watched struct {
	pid     int
	served  bool      // it was well since its start
	height  uint64    // blocks at the last look
	well    time.Time // since when; zero if it is not
	trouble time.Time // since when it is unwell and got no block; zero if it is well
	streak  int       // restarts since it was last forgiven
	vain    int       // restarts of it while it ran, since it was last well
	resting time.Time // no restart before

	ended     bool            // it needs another certificate
	restarted bool            // and not well since
	exited    <-chan struct{} // closed when the process ends; nil if the watcher did not start it
}

// examine takes note of a look at the process. It tells whether to restart it now.
func (c *watched) examine(now time.Time, s Status) (restart bool) {
	if s.condition == stopped {
		*c = watched{}
		return false
	}
	if c.ended = s.condition == ended; c.ended {
		c.well, c.trouble = time.Time{}, time.Time{}
		return false
	}
	if s.PID != 0 && s.PID != c.pid {
		c.pid, c.served, c.height, c.trouble = s.PID, false, 0, time.Time{}
	}
	if s.condition == well {
		if c.well.IsZero() {
			c.well = now
		}
		if now.Sub(c.well) >= forgiveness {
			c.streak = 0
		}
		c.served, c.height, c.trouble, c.vain = true, s.Height, time.Time{}, 0
		return false
	}
	c.well = time.Time{}
	if c.trouble.IsZero() || s.Height > c.height {
		c.trouble, c.height = now, s.Height
	}
	return now.Sub(c.trouble) >= c.patience(s) && !now.Before(c.resting)
}

func (c *watched) patience(s Status) time.Duration {
	// A restart that did not help may have come too early.
	more := time.Duration(1) << min(c.vain, 5)
	switch {
	case s.condition == dead:
		return 0
	case s.condition == frozen:
		return frozenPatience
	case s.condition == behind:
		return behindPatience * more
	case c.served && !s.needed:
		return silentPatience * more
	default:
		return startPatience * more
	}
}

// noteRestart takes note of a restart.
func (c *watched) noteRestart(now time.Time, k condition) {
	c.resting = now.Add(min(time.Second<<min(c.streak, 10), maxBackoff))
	c.streak++
	if k != dead {
		c.vain++
	}
	c.restarted, c.trouble = true, time.Time{}
}

// Restarts are those of one process by the watcher, since the network was made.
type Restarts struct {
	Count  int       `json:"count"`
	Last   time.Time `json:"last"`
	Reason string    `json:"reason"` // of the last one
}

func (r *Restarts) String() string {
	times := "once"
	if r.Count > 1 {
		times = fmt.Sprintf("%d times, last", r.Count)
	}
	return fmt.Sprintf("restarted %s at %s: %s", times, r.Last.UTC().Format(time.RFC3339), r.Reason)
}

func (n *Network) restartsFile() string { return n.path("run", "restarts.json") }

// restarts gives the restarts by the process's name. A file that cannot be read counts as
// none.
func (n *Network) restarts() map[string]*Restarts {
	all := map[string]*Restarts{}
	if data, err := os.ReadFile(n.restartsFile()); err == nil {
		json.Unmarshal(data, &all)
	}
	return all
}

// countRestart adds a restart.
func (n *Network) countRestart(name, reason string, now time.Time) error {
	all := n.restarts()
	if all[name] == nil {
		all[name] = &Restarts{}
	}
	all[name].Count++
	all[name].Last, all[name].Reason = now, reason
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(n.restartsFile(), data)
}
