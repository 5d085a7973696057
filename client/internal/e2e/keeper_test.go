package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/replica"
	"github.com/chartseal/chartseal/client/session"
)

// TestKeepers: seal waits for receipts; a node that lies about its pins is found by
// another hospital's keeper; its own keeper fills it again.
func TestKeepers(t *testing.T) {
	all := []string{"HospitalA", "HospitalB", "HospitalC"}
	row := seal(t, doctorA, write(t, "kept.txt", []byte("kept three times")), "--policy", twoDoctors, "--index", "none", "--copies", "3")[0]
	r := expect(t, exitDone, doctorB, "keeper", "status", "--json", row.Record)
	var kept []struct{ Keepers []string }
	if err := json.Unmarshal([]byte(r.stdout), &kept); err != nil || len(kept) != 1 || !slices.Equal(kept[0].Keepers, all) {
		t.Fatalf("keepers %q: %v", r.stdout, err)
	}
	file := write(t, "four.txt", []byte("there are only three"))
	r = start(t, nil, doctorA, "seal", file, "--policy", twoDoctors, "--index", "none", "--copies", "4", "--copies-within", "2s")
	if r.code == exitDone {
		t.Errorf("four of three hospitals keep a record: %s", r.stdout)
	}
	t.Logf("%s", r.stderr)

	const liar = "HospitalC"
	kill(t, "keeper", liar, syscall.SIGSTOP)
	node := store(t, liar, 0)
	listed, err := node.Pinned(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, cid := range listed {
		if err := node.Unpin(t.Context(), cid); err != nil {
			t.Fatal(err)
		}
	}
	if err := kubo(t, liar).Request("repo/gc").Exec(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	balancer, last := newBalancer(t, "HospitalA")
	for range 3 {
		if err := balancer.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := balancer.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, k := range last().Keepers {
		states[k.MSP] = k.State
	}
	if states[liar] != "not believed" || states["HospitalB"] == "not believed" || last().Under == 0 {
		t.Errorf("%+v, %d payloads have too few copies", last().Keepers, last().Under)
	}

	// Its keeper compares when it starts.
	kill(t, "keeper", liar, syscall.SIGCONT)
	if err := consortium.Stop(t.Context(), liar+"/keeper"); err != nil {
		t.Fatal(err)
	}
	if err := consortium.Start(t.Context(), liar+"/keeper"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		again, err := node.Pinned(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		missing := slices.DeleteFunc(slices.Clone(listed), func(cid string) bool { return slices.Contains(again, cid) })
		if !slices.Contains(missing, row.CID) && len(missing) < len(listed)/2+1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d payloads are pinned again", len(again), len(listed))
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Second) {
		if err := balancer.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(last().Keepers, func(k replica.KeeperStatus) bool { return k.MSP == liar })
		if k := last().Keepers[i]; k.State == "here" && k.Receipts > 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("after its node was filled again: %+v", k)
		}
	}
}

// newBalancer returns a balancer of a hospital beside its keeper, which knows nothing yet
// and pins nothing, and what its last look has found.
func newBalancer(t *testing.T, hospital string) (*replica.Balancer, func() replica.Status) {
	t.Helper()
	s, err := session.Open(user(t, "authority@"+hospital), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	node, memory := store(t, hospital, 0), sweepMemory{}
	r, err := replica.New(replica.Config{Feed: func(context.Context, func(context.Context, []ledger.Payload) error) error { return nil }, Store: node, Memory: memory, Own: hospital})
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.Ledger.Keepers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(before.Keepers, func(k ledger.Keeper) bool { return k.MSP == hospital })
	if i < 0 || before.Keepers[i].Node == "" {
		t.Fatalf("the keeper of %s names no node: %+v", hospital, before)
	}
	var last replica.Status
	b, err := replica.NewBalancer(replica.BalanceConfig{
		Own: hospital, Node: before.Keepers[i].Node, Replicator: r, Store: node, Memory: memory,
		Keepers: s.Ledger.Keepers, Keep: s.Ledger.Keep, Ask: node.Ask,
		Read:   s.ReadCopies,
		Report: func(status replica.Status) { last = status },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, func() replica.Status { return last }
}
