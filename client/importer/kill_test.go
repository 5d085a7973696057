package importer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/importer"
)

// export makes a bulk export and what it holds.
func export(n int) (text string, want []string) {
	var b strings.Builder
	for i := range n {
		line := fmt.Sprintf(`{"resourceType":"Observation","id":"o%d","subject":{"reference":"Patient/p%d"},"effectiveDateTime":"2020-01-%02d"}`, i, i%7, i%28+1)
		b.WriteString(line + "\n")
		want = append(want, line)
	}
	slices.Sort(want)
	return b.String(), want
}

// TestKilledAtAnyMoment kills an import at a random step, several times, resumes it, and
// looks for what is lost or there twice. A killed process does nothing more: from that
// step on nothing reaches the ledger, the store or the journal. The step itself may have
// taken effect or not.
func TestKilledAtAnyMoment(t *testing.T) {
	text, want := export(130)
	dir := tree(t, map[string]string{"bulk/Observation.ndjson": text, "note.txt": "a note of 2021-05-06"})
	want = append(want, "a note of 2021-05-06")
	slices.Sort(want)
	rules := one(t, importer.Rule{Policy: doctors, Keywords: []string{"all"}})
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		random := rand.New(rand.NewPCG(uint64(round), 7))
		h := newHospital(t)
		kills := 0
		for kills = 0; ; kills++ {
			if kills == 30 {
				t.Fatal("it never ends")
			}
			if !h.killed(t, dir, rules, random) {
				break
			}
			h.tear(t, random)
		}
		t.Logf("round %d: %d kills", round, kills)
		h.complete(t, want)
		var rows []importer.Row
		if sum := run(t, h.job(t, dir, rules, &rows)); sum.Sealed != 0 || sum.Before != len(want) || len(rows) != 0 {
			t.Errorf("run again: %+v, %d rows", sum, len(rows))
		}
		h.complete(t, want)
	}
}

var errKilled = errors.New("killed")

// killed runs the job until it is killed, or to its end.
func (h *hospital) killed(t *testing.T, dir string, rules *importer.Rules, random *rand.Rand) bool {
	t.Helper()
	var rows []importer.Row
	j := h.job(t, dir, rules, &rows)
	box := filepath.Join(h.disk, "outbox")
	left := int64(1 + random.IntN(60))
	if random.IntN(4) == 0 {
		left = int64(1 + random.IntN(600)) // payloads are most of the steps
	}
	var steps atomic.Int64
	var dead atomic.Bool
	die := func() error {
		if !dead.Swap(true) {
			j.Journal.Close()
			os.Rename(box, box+".gone") // what still runs finds no disk
			os.WriteFile(box, nil, 0o600)
		}
		return errKilled
	}
	step := func(string) error {
		if dead.Load() || steps.Add(1) == left {
			return die()
		}
		return nil
	}
	commits, lose := atomic.Int64{}, int64(random.IntN(12)) // 0 loses none
	lost := func(string) error {
		if dead.Load() {
			return errKilled
		}
		if commits.Add(1) == lose { // it took effect, and nobody heard of it
			return die()
		}
		return nil
	}
	h.world.Fail, h.world.Lose, h.blobs.Fail = step, lost, step
	_, err := j.Run(t.Context())
	h.world.Fail, h.world.Lose, h.blobs.Fail = nil, nil, nil
	j.Journal.Close()
	if dead.Load() {
		check(t, os.Remove(box))
		check(t, os.Rename(box+".gone", box))
		return true
	}
	check(t, err)
	return false
}

// tear cuts off the end of the journal, as a crash may: what is not synced may be there
// in part.
func (h *hospital) tear(t *testing.T, random *rand.Rand) {
	t.Helper()
	text, err := os.ReadFile(h.journal)
	check(t, err)
	header := strings.IndexByte(string(text), '\n') + 1 // synced before anything else was done
	if n := len(text) - random.IntN(120); n > header {
		check(t, os.Truncate(h.journal, int64(n)))
	}
}

// complete: every record is there once, and found once.
func (h *hospital) complete(t *testing.T, want []string) {
	t.Helper()
	if got := h.contents(t); !slices.Equal(got, want) {
		t.Fatalf("%d records, want %d: %s", len(got), len(want), firstDifference(got, want))
	}
	if got := h.found(t, "all"); len(got) != len(want) || len(slices.Compact(got)) != len(want) {
		t.Fatalf("%d of %d are found", len(got), len(want))
	}
	if got := h.found(t, "patient:p3 and date:2020-01"); len(got) != 19 {
		t.Fatalf("patient p3 has %d records, want 19", len(got))
	}
	if n := h.entries(t); n > 0 {
		t.Fatalf("%d index entries still wait", n)
	}
}

func (h *hospital) entries(t *testing.T) int {
	t.Helper()
	s, err := h.client(t).IndexStatus()
	check(t, err)
	return s.Entries
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%q, want %q", got[i], want[i])
		}
	}
	return "one is longer"
}

// TestSecondProcess is refused while the first one works.
func TestSecondProcess(t *testing.T) {
	h := newHospital(t)
	j, err := importer.OpenJournal(h.journal, importer.Header{})
	check(t, err)
	if _, err := importer.OpenJournal(h.journal, importer.Header{}); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	check(t, j.Close())
	again, err := importer.OpenJournal(h.journal, importer.Header{})
	check(t, err)
	defer again.Close()
	if !again.Resumed || !slices.Equal(again.Header.Secret, j.Header.Secret) {
		t.Error("the job has another secret")
	}
}
