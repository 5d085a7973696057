package e2e

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric"
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
