package network

import (
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
	args := []string{"seal", "--policy", "HospitalA:role=doctor", "--index", "none", "--copies", "2", "--json"}
	for i := range 12 {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.WriteFile(file, fmt.Append(make([]byte, i/11*3<<20), "record", i), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	out, err := n.chartseal(t.Context(), "doctor", "HospitalA", args...)
	if err != nil {
		t.Fatal(err)
	}
	var sealed []struct{ CID string }
	if err := json.Unmarshal([]byte(out), &sealed); err != nil || len(sealed) != 12 {
		t.Fatalf("%q: %v", out, err)
	}
	places := func(cid string) (at []string) {
		for _, h := range hospitals {
			if n.isPinned(t.Context(), h, cid) {
				at = append(at, h)
			}
		}
		return at
	}
	await := func(what string, right func(at []string) bool) {
		t.Helper()
		began := time.Now()
		for ; ; time.Sleep(500 * time.Millisecond) {
			wrong := map[string][]string{}
			for _, s := range sealed {
				if at := places(s.CID); !right(at) {
					wrong[s.CID] = at
				}
			}
			if len(wrong) == 0 {
				t.Logf("%s: after %.1f s", what, time.Since(began).Seconds())
				return
			}
			if time.Since(began) > 90*time.Second {
				t.Fatalf("%s: %v", what, wrong)
			}
		}
	}
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
