package network

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestTwoCopies: with two copies among three hospitals, each record is at home and at one
// other. A destroyed store is filled again, a keeper that says nothing is made up for,
// and what was kept meanwhile goes when it is back.
func TestTwoCopies(t *testing.T) {
	d := testTopology(t)
	d.Copies = ledger.CopyRules{Min: 1, Max: 2, Leeway: "20s"}
	n, err := Up(t.Context(), d, Options{WaitTimeout: testWait, Progress: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
	hospitals := []string{"HospitalA", "HospitalB", "HospitalC"}
	for _, h := range hospitals {
		awaitKeepers(t, n, h, len(hospitals))
	}
	w := newCopyWatch(t, n, hospitals, 12)
	places, await, sealed := w.places, w.await, w.sealed
	twice := func(at []string) bool { return len(at) == 2 && at[0] == "HospitalA" }
	await("sealed", twice)
	shares := map[string]int{}
	for _, s := range sealed {
		for _, h := range places(s.CID) {
			shares[h]++
		}
	}
	if shares["HospitalB"] == 0 || shares["HospitalC"] == 0 {
		t.Errorf("shares %v", shares)
	}

	if err := n.Stop(t.Context(), "HospitalB/ipfs"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(n.org("HospitalB", "ipfs", "blocks")), os.RemoveAll(n.org("HospitalB", "ipfs", "datastore"))); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context(), "HospitalB/ipfs"); err != nil {
		t.Fatal(err)
	}
	await("B's store was destroyed", twice)

	if err := n.Stop(t.Context(), "HospitalC/keeper"); err != nil {
		t.Fatal(err)
	}
	await("C's keeper is silent", func(at []string) bool { return slices.Contains(at, "HospitalA") && slices.Contains(at, "HospitalB") })
	if err := n.Start(t.Context(), "HospitalC/keeper"); err != nil {
		t.Fatal(err)
	}
	await("C's keeper is back", twice)
	if data, err := os.ReadFile(n.path("run", "keeper-HospitalA.prom")); err != nil || len(data) == 0 {
		t.Errorf("metrics: %v", err)
	}
}

// A copyWatch looks where records of HospitalA are pinned.
type copyWatch struct {
	t         *testing.T
	n         *Network
	hospitals []string
	sealed    []struct{ CID string }
}

// newCopyWatch seals records at HospitalA, the last of which has several blocks.
func newCopyWatch(t *testing.T, n *Network, hospitals []string, records int) *copyWatch {
	t.Helper()
	args := []string{"seal", "--policy", "HospitalA:role=doctor", "--index", "none", "--copies", "2", "--json"}
	for i := range records {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.WriteFile(file, fmt.Append(make([]byte, i/(records-1)*3<<20), "record", i), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	out, err := n.chartseal(t.Context(), "doctor", "HospitalA", args...)
	if err != nil {
		t.Fatal(err)
	}
	w := &copyWatch{t: t, n: n, hospitals: hospitals}
	if err := json.Unmarshal([]byte(out), &w.sealed); err != nil || len(w.sealed) != records {
		t.Fatalf("%q: %v", out, err)
	}
	return w
}

// places gives the hospitals that have a payload pinned.
func (w *copyWatch) places(cid string) (at []string) {
	for _, h := range w.hospitals {
		if w.n.isPinned(w.t.Context(), h, cid) {
			at = append(at, h)
		}
	}
	return at
}

// await waits until all payloads are in the right places.
func (w *copyWatch) await(what string, right func(at []string) bool) {
	w.t.Helper()
	began := time.Now()
	for ; ; time.Sleep(500 * time.Millisecond) {
		wrong := map[string][]string{}
		for _, s := range w.sealed {
			if at := w.places(s.CID); !right(at) {
				wrong[s.CID] = at
			}
		}
		if len(wrong) == 0 {
			w.t.Logf("%s: after %.1f s", what, time.Since(began).Seconds())
			return
		}
		if time.Since(began) > 90*time.Second {
			for _, h := range w.hospitals {
				var log bytes.Buffer
				w.n.Logs(w.t.Context(), &log, h+"/keeper", false)
				w.t.Logf("the keeper of %s says\n%s", h, log.Bytes()[max(0, log.Len()-4000):])
			}
			w.t.Fatalf("%s: %v", what, wrong)
		}
	}
}

// share gives the payloads that a hospital has pinned.
func (w *copyWatch) share(hospital string) (cids []string) {
	for _, s := range w.sealed {
		if w.n.isPinned(w.t.Context(), hospital, s.CID) {
			cids = append(cids, s.CID)
		}
	}
	return cids
}

// TestFourKeepers: with two copies among four hospitals, one whose keeper starts takes
// its share from the others, and nothing else moves. When it is lost, its share goes to
// others, and comes back with it.
func TestFourKeepers(t *testing.T) {
	long(t)
	d := testTopology(t)
	const late = "HospitalD"
	d.Hospitals = append(d.Hospitals, Organisation{Name: late})
	d.Copies = ledger.CopyRules{Min: 1, Max: 2, Leeway: "20s"}
	n, err := Up(t.Context(), d, Options{WaitTimeout: testWait, Progress: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
	hospitals := []string{"HospitalA", "HospitalB", "HospitalC", late}
	awaitKeepers(t, n, "HospitalA", 4)
	if err := n.Stop(t.Context(), late+"/keeper"); err != nil {
		t.Fatal(err)
	}
	awaitKeepers(t, n, "HospitalA", 3)
	time.Sleep(20 * time.Second) // the leeway: it is lost
	w := newCopyWatch(t, n, hospitals, 24)
	before := func(at []string) bool { return len(at) == 2 && at[0] == "HospitalA" && at[1] != late }
	twice := func(at []string) bool { return len(at) == 2 && at[0] == "HospitalA" }
	w.await("sealed among three", before)
	was := map[string]string{}
	for _, s := range w.sealed {
		was[s.CID] = w.places(s.CID)[1]
	}
	if err := n.Start(t.Context(), late+"/keeper"); err != nil {
		t.Fatal(err)
	}
	awaitKeepers(t, n, "HospitalA", 4)
	for deadline := time.Now().Add(90 * time.Second); len(w.share(late)) == 0; time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the fourth hospital gets no share")
		}
	}
	w.await("the fourth has its share, and the others have released it", twice)
	for _, s := range w.sealed {
		if at := w.places(s.CID)[1]; at != was[s.CID] && at != late {
			t.Errorf("%s has moved from %s to %s", s.CID, was[s.CID], at)
		}
	}
	share := w.share(late)
	t.Logf("%s keeps %d of %d", late, len(share), len(w.sealed))
	if len(share) == len(w.sealed) {
		t.Error("the fourth hospital has got everything")
	}
	if err := n.Stop(t.Context(), late); err != nil { // all of it
		t.Fatal(err)
	}
	rest := *w
	rest.hospitals = hospitals[:3]
	rest.await("the fourth is lost", twice)
	if err := n.Start(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	w.await("it is back", func(at []string) bool { return twice(at) })
	if again := w.share(late); !slices.Equal(again, share) {
		t.Errorf("the fourth kept %d, and keeps %d of them now", len(share), len(again))
	}
}

// awaitKeepers waits until a hospital's keeper has heard of so many.
func awaitKeepers(t *testing.T, n *Network, hospital string, count int) {
	t.Helper()
	for deadline := time.Now().Add(testWait); ; time.Sleep(500 * time.Millisecond) {
		out, err := n.chartseal(t.Context(), "authority", hospital, "keeper", "status", "--json")
		if err != nil {
			t.Fatal(err)
		}
		var status struct {
			Own *struct{ Keepers []struct{ State string } }
		}
		if err := json.Unmarshal([]byte(out), &status); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		here := 0
		if status.Own != nil {
			for _, k := range status.Own.Keepers {
				if k.State == "here" {
					here++
				}
			}
		}
		if here == count {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the keeper of %s has heard of %d keepers of %d: %s", hospital, here, count, out)
		}
	}
}
