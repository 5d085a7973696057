package replica

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A swept world has pins, and a ledger of blocks with payloads.
type swept struct {
	*testing.T
	pins   map[string]bool
	blocks [][]string
	fails  map[string]error // of "read" and of payloads to unpin
	unpins func()           // runs before a payload is unpinned
	memory *memory
	read   int // blocks
}

func (w *swept) Pinned(context.Context) ([]string, error) {
	return slices.Collect(maps.Keys(w.pins)), w.fails["list"]
}

func (w *swept) registered(_ context.Context, from uint64, handle func([]ledger.Payload, []ledger.End) error) (uint64, error) {
	for ; from < uint64(len(w.blocks)); from++ {
		w.read++
		for _, cid := range w.blocks[from] {
			payloads, ends := []ledger.Payload{{CID: cid}}, []ledger.End(nil)
			if gone, ok := strings.CutPrefix(cid, "-"); ok {
				payloads, ends = nil, []ledger.End{{CID: gone}}
			}
			if err := handle(payloads, ends); err != nil {
				return 0, err
			}
		}
	}
	return from, w.fails["read"]
}

// unpinner is a swept world whose pins several calls remove at once.
type unpinner struct {
	*swept
	one chan struct{}
}

func (u unpinner) Unpin(_ context.Context, cid string) error {
	u.one <- struct{}{}
	defer func() { <-u.one }()
	if u.unpins != nil {
		u.unpins()
	}
	if err := u.fails[cid]; err != nil {
		return err
	}
	delete(u.pins, cid)
	return nil
}

func (u unpinner) Pin(_ context.Context, cid string) error {
	if err := u.fails["pin"]; err != nil {
		return err
	}
	u.pin(cid)
	return nil
}

// run sweeps for a time, like a program that is then stopped.
func (w *swept) run(d time.Duration) {
	w.Helper()
	s, err := NewSweeper(SweepConfig{Registered: w.registered, Store: unpinner{w, make(chan struct{}, 1)}, Memory: w.memory})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.Context(), d)
	defer cancel()
	s.Run(ctx)
}

func (w *swept) want(what string, cids ...string) {
	w.Helper()
	if got := slices.Sorted(maps.Keys(w.pins)); !slices.Equal(got, cids) {
		w.Errorf("%s: pinned are %v, want %v", what, got, cids)
	}
}

func inWorld(t *testing.T, test func(w *swept)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(&swept{T: t, pins: map[string]bool{}, fails: map[string]error{}, memory: &memory{}})
	})
}

func (w *swept) pin(cids ...string) {
	for _, cid := range cids {
		w.pins[cid] = true
	}
}

// TestSweep: payloads go a day after they are seen in no record, and not before. Those in
// a record stay.
func TestSweep(t *testing.T) {
	inWorld(t, func(w *swept) {
		w.pin("early", "failed", "late")
		w.blocks = [][]string{nil, {"early", "elsewhere"}}
		w.run(DefaultGrace - 2*time.Hour)
		w.want("before a day is over", "early", "failed", "late")
		w.blocks = append(w.blocks, []string{"late"})
		w.pin("younger")
		w.run(3 * time.Hour) // a restart forgets nothing
		w.want("after a day", "early", "late", "younger")
		w.run(2 * DefaultGrace)
		w.want("after three days", "early", "late")
		w.pin("failed")
		w.run(time.Hour)
		w.want("stored again", "early", "failed", "late")
		if w.read != len(w.blocks) {
			w.Errorf("%d blocks were read, want each of %d once", w.read, len(w.blocks))
		}
	})
}

// TestSweepBlind: without the whole ledger, nothing is unpinned.
func TestSweepBlind(t *testing.T) {
	for _, broken := range []string{"read", "list", "memory"} {
		inWorld(t, func(w *swept) {
			w.pin("registered", "failed")
			w.run(time.Minute)
			w.blocks = [][]string{{"registered"}}
			switch broken {
			case "memory":
				w.memory.items[registeredName] = []byte("damaged")
			default:
				w.fails[broken] = errors.New("cut off")
			}
			w.run(3 * DefaultGrace)
			w.want(broken, "failed", "registered")
			clear(w.fails)
			delete(w.memory.items, registeredName)
			w.run(2 * DefaultGrace)
			w.want(broken+" again", "registered")
		})
	}
}

// TestSweepFails: a payload that cannot be unpinned does not hold up others, and is tried
// again.
func TestSweepFails(t *testing.T) {
	inWorld(t, func(w *swept) {
		w.pin("a", "b", "c")
		w.fails["b"] = errors.New("busy")
		w.run(DefaultGrace + 2*time.Hour)
		w.want("while one fails", "b")
		delete(w.fails, "b")
		w.run(2 * time.Hour)
		w.want("afterwards")
	})
}

// TestSweepDamagedTimes: no payload goes because the times in the memory are damaged or
// in the future.
func TestSweepDamagedTimes(t *testing.T) {
	inWorld(t, func(w *swept) {
		w.pin("failed")
		w.memory.items = map[string][]byte{sweepName: []byte("{")}
		w.run(3 * DefaultGrace)
		w.want("damaged", "failed")
		if err := storeItem(w.memory, sweepName, sweepState{Since: map[string]time.Time{"failed": time.Now().Add(100 * DefaultGrace)}}); err != nil {
			w.Fatal(err)
		}
		w.run(DefaultGrace - time.Hour)
		w.want("in the future", "failed")
		w.run(2 * time.Hour)
		w.want("a day later")
	})
}

// TestSweepLateRecord: a payload that is registered after the ledger was read, and before
// the payload is unpinned, is pinned in the end: the Replicator has found it pinned, and
// does not come back. That holds too if pinning fails at first, or the ledger cannot be
// read, or the program is killed in between.
func TestSweepLateRecord(t *testing.T) {
	for _, broken := range []string{"", "pin", "read", "killed"} {
		inWorld(t, func(w *swept) {
			w.pin("late", "failed")
			w.run(DefaultGrace - 2*time.Hour)
			var saved map[string][]byte
			w.unpins = func() {
				if w.unpins = nil; broken == "read" || broken == "pin" {
					w.fails[broken] = errors.New("broken")
				}
				w.blocks = append(w.blocks, []string{"late"})
				saved = maps.Clone(w.memory.items)
			}
			w.run(4 * time.Hour)
			if broken == "killed" { // once it had unpinned, and before anything else
				delete(w.pins, "late")
				w.memory.items = saved
			}
			clear(w.fails)
			w.run(time.Minute)
			w.want(broken, "late")
		})
	}
}

// TestSweepClockAhead: a server boots with a clock that is days ahead, also several
// times. What has just been stored stays.
func TestSweepClockAhead(t *testing.T) {
	inWorld(t, func(w *swept) {
		w.pin("fresh")
		w.run(time.Minute)
		var state sweepState
		if _, err := loadItem(w.memory, sweepName, &state); err != nil {
			t.Fatal(err)
		}
		state.Since["fresh"] = state.Since["fresh"].Add(-3 * DefaultGrace)
		if err := storeItem(w.memory, sweepName, state); err != nil {
			t.Fatal(err)
		}
		for range 2 * minSweeps {
			w.run(time.Minute)
		}
		w.run(minSweeps*time.Hour - time.Minute)
		w.want("after half a day", "fresh")
		w.run(DefaultGrace)
		w.want("after a day and a half")
	})
}

// TestEnded: what is in no version any more goes hours later, much sooner than what never
// was in one. A payload that another version has stays, as somebody may register what
// belongs to another, and then erase it.
func TestEnded(t *testing.T) {
	const soon = EndedGrace + 2*time.Hour
	inWorld(t, func(w *swept) {
		w.pin("erased", "revoked", "twice", "again")
		w.blocks = [][]string{{"erased", "revoked", "twice"}, {"twice", "again"}}
		w.run(soon)
		w.want("before anything ends", "again", "erased", "revoked", "twice")
		w.blocks = append(w.blocks, []string{"-erased", "-twice"}, []string{"-revoked", "-again", "again", "-elsewhere"})
		w.pin("failed")
		w.run(EndedGrace - time.Hour)
		w.want("soon after the end", "again", "erased", "failed", "revoked", "twice")
		w.run(soon)
		w.want("after the end", "again", "failed", "twice")
		w.blocks = append(w.blocks, []string{"-twice"})
		w.fails["twice"] = errors.New("the store is away")
		w.run(soon)
		w.want("while the store fails", "again", "failed", "twice")
		delete(w.fails, "twice")
		w.run(soon)
		w.want("later", "again", "failed")
	})
}

// TestEndedInFlight: somebody registers what another person has stored, and erases it.
// The other registers it an hour later, or just while it is unpinned. It stays.
func TestEndedInFlight(t *testing.T) {
	inWorld(t, func(w *swept) {
		w.pin("victim", "late")
		w.blocks = [][]string{{"victim", "late"}, {"-victim", "-late"}}
		w.run(time.Hour)
		w.blocks = append(w.blocks, []string{"victim"})
		w.unpins = func() {
			if len(w.blocks) == 3 {
				w.blocks = append(w.blocks, []string{"late"})
			}
		}
		w.run(DefaultGrace + 2*time.Hour)
		w.want("a day later", "late", "victim")
	})
}
