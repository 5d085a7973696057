package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/network"
)

// TestChaincodeDown stops the chaincode server of one hospital. Its peer's gateway then
// passes an evaluate on to the other organisations, the regulator included. A search must
// not go there: they would see its labels. It fails, unless the searcher chooses another
// hospital's peer.
func TestChaincodeDown(t *testing.T) {
	content := []byte("sealed while all chaincode servers were up")
	rows := seal(t, doctorB, write(t, "a.txt", content), "--policy", twoDoctors, "--keyword", "before-the-chaincode-outage")
	level(t)
	want := []string{rows[0].Record}
	if ids := found(t, doctorA, "before-the-chaincode-outage"); !slices.Equal(ids, want) {
		t.Fatalf("found %v, want %v", ids, want)
	}

	kill(t, "chaincode", "HospitalA", syscall.SIGKILL)
	up := false
	defer func() {
		if !up {
			consortium.Start(t.Context(), "HospitalA")
		}
	}()
	if _, err := raw(t, doctorA, "HospitalA").EvaluateTransaction(ledger.ScopeList); err != nil {
		t.Fatalf("the gateway answers a call without a limit itself, so this test shows nothing: %v", err)
	}
	r := expect(t, exitUnavailable, doctorA, "search", "before-the-chaincode-outage")
	if r.stdout != "" || !strings.Contains(r.stderr, "hint: try again, or ask those who run the peer of HospitalA") {
		t.Errorf("not a clear message: %s%s", r.stdout, r.stderr)
	}
	at := user(t, doctorB).At(profile(t, "HospitalA").Peer)
	witness, err := fabric.Connect(at, fabric.Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	defer witness.Close()
	var away *fabric.PeerError
	if _, err := witness.Scopes(t.Context()); !errors.As(err, &away) || away.MSP != "HospitalA" {
		t.Errorf("a witness at HospitalA: %v", err)
	}
	if _, err := witness.ChannelMSPs(t.Context()); err != nil {
		t.Errorf("the peer itself answers: %v", err)
	}

	r = expect(t, exitDone, doctorA, "search", "before-the-chaincode-outage", "--at", "HospitalB")
	if !strings.Contains(r.stdout, want[0]) || !strings.Contains(r.stderr, "asking the peer of HospitalB, which thereby learns") {
		t.Errorf("at HospitalB: %s%s", r.stdout, r.stderr)
	}
	if r := expect(t, exitDone, doctorA, "open", want[0], "--at", "HospitalB"); r.stdout != string(content) {
		t.Errorf("opened at HospitalB: %q", r.stdout)
	}

	if err := consortium.Start(t.Context(), "HospitalA"); err != nil {
		t.Fatal(err)
	}
	up = true
	if ids := found(t, doctorA, "before-the-chaincode-outage"); !slices.Equal(ids, want) {
		t.Errorf("after the outage: found %v, want %v", ids, want)
	}
	if _, err := witness.Scopes(t.Context()); err != nil {
		t.Errorf("the witness after the outage: %v", err)
	}
}

// TestLongOutage: a hospital is off while hundreds of blocks with private data are
// written. One command starts all of it. Its replicator then keeps what it has missed and
// what is new, and its authority gives keys.
func TestLongOutage(t *testing.T) {
	blocks := 300
	if testing.Short() {
		blocks = 20
	}
	if err := consortium.Stop(t.Context(), "HospitalC"); err != nil {
		t.Fatal(err)
	}
	up := false
	defer func() {
		if !up {
			consortium.Start(context.WithoutCancel(t.Context()), "HospitalC")
		}
	}()
	began := time.Now()
	first := seal(t, doctorA, write(t, "first.txt", []byte("sealed when the outage began")), "--policy", twoDoctors, "--index", "none")[0]
	for range blocks {
		var unsure *gateway.SubmitError // an orderer says so at times of a transaction that is ordered
		if err := submitRaw(t, doctorA, []ledger.NewRecord{absentRecord(t)}); err != nil && !errors.As(err, &unsure) {
			t.Fatal(err)
		}
	}
	last := seal(t, doctorB, write(t, "last.txt", []byte("sealed when the outage ended")), "--policy", twoDoctors, "--index", "none")[0]
	level(t)
	t.Logf("%d blocks in %.0f s", blocks, time.Since(began).Seconds())

	began = time.Now()
	if err := consortium.Start(t.Context(), "HospitalC"); err != nil {
		t.Error(err)
	}
	up = !t.Failed()
	t.Logf("started after %.1f s", time.Since(began).Seconds())
	if all := consortium.Status(t.Context()); !network.Healthy(all) {
		t.Errorf("not healthy:\n%s", network.Table(all))
	}
	expect(t, exitDone, nurseC, "keys", "request", "--authority", "HospitalC")
	later := seal(t, doctorA, write(t, "later.txt", []byte("sealed after the outage")), "--policy", twoDoctors, "--index", "none")[0]
	for _, row := range []sealed{first, last, later} {
		awaitPinned(t, row.CID, "HospitalC")
	}
}
