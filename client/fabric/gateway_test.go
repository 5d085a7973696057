package fabric

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/wallet"
)

func writeProfile(t *testing.T, w *wallet.Wallet, ca *wallet.CA) {
	t.Helper()
	roots := "|\n    " + strings.ReplaceAll(strings.TrimSpace(string(ca.TLSRoots)), "\n", "\n    ")
	text := fmt.Sprintf("msp: HospitalA\nchannel: chartseal\nchaincode: chartseal\npeer:\n  address: \"127.0.0.1:1\"\n  tlsRoots: %s\nca:\n  url: %s\n  name: ca\n  tlsName: tlsca\n  tlsRoots: %s\n", roots, ca.URL, roots)
	if err := os.WriteFile(filepath.Join(w.Dir(), "HospitalA.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestUnreachablePeer: every call names the peer, and none is an unknown outcome, since
// nothing was sent.
func TestUnreachablePeer(t *testing.T) {
	g, err := Connect(doctorOfA(t), Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.Actor() != "HospitalA/doctor" || g.MSP() != "HospitalA" {
		t.Errorf("actor %s, MSP %s", g.Actor(), g.MSP())
	}
	_, evaluateErr := g.Records(t.Context(), []string{"x"})
	_, submitErr := g.RequestAccess(t.Context(), []string{"x"}, "TREAT")
	_, configErr := g.ChannelMSPs(t.Context())
	for name, err := range map[string]error{"evaluate": evaluateErr, "submit": submitErr, "config": configErr} {
		if !errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, client.ErrUnknownOutcome) || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	interrupted := 0
	err = g.FollowRecords(ctx, Following[[]ledger.Payload]{Checkpoint: CheckpointFile(filepath.Join(t.TempDir(), "at")),
		Handle:      func(context.Context, []ledger.Payload) error { return nil },
		Interrupted: func(err error, _ time.Duration) { interrupted++ }})
	if !errors.Is(err, context.DeadlineExceeded) || interrupted == 0 {
		t.Errorf("follow: %v after %d interruptions", err, interrupted)
	}
}

func TestCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "at")
	file := CheckpointFile(path)
	if c, err := file.Load(); err != nil || c != (Position{}) {
		t.Errorf("before: %v, %v", c, err)
	}
	want := Position{Block: 7, Tx: "4f1a"}
	if err := file.Save(want); err != nil {
		t.Fatal(err)
	}
	if c, err := file.Load(); err != nil || c != want {
		t.Errorf("got %v, %v", c, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Load(); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("damaged: %v", err)
	}
}

func TestMembersOf(t *testing.T) {
	root := mustOtherRoots(t)
	organisation := func(name string, kind int32) *common.ConfigGroup {
		inner, err := proto.Marshal(&msp.FabricMSPConfig{Name: name, RootCerts: [][]byte{root}, TlsRootCerts: [][]byte{root, root}})
		if err != nil {
			t.Fatal(err)
		}
		outer, err := proto.Marshal(&msp.MSPConfig{Type: kind, Config: inner})
		if err != nil {
			t.Fatal(err)
		}
		return &common.ConfigGroup{Values: map[string]*common.ConfigValue{"MSP": {Value: outer}}}
	}
	config := func(organisations map[string]*common.ConfigGroup) []byte {
		data, err := proto.Marshal(&common.Config{ChannelGroup: &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{
			"Application": {Groups: organisations}}}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	members, err := membersOf(config(map[string]*common.ConfigGroup{"b": organisation("HospitalB", 0), "a": organisation("HospitalA", 0)}))
	if err != nil || len(members) != 2 || members[0].ID != "HospitalA" || len(members[1].Roots) != 1 || len(members[1].TLSRoots) != 2 {
		t.Errorf("members %+v, %v", members, err)
	}
	if _, err := membersOf(config(nil)); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("no members: %v", err)
	}
	if _, err := membersOf(config(map[string]*common.ConfigGroup{"a": organisation("HospitalA", 1)})); err == nil {
		t.Error("an Idemix MSP was taken")
	}
	if _, err := membersOf([]byte("not a configuration")); err == nil {
		t.Error("rubbish was taken")
	}
}

func TestEnrolmentID(t *testing.T) {
	cert := func(name, attrs string) *x509.Certificate {
		c := &x509.Certificate{Subject: pkix.Name{CommonName: name}}
		if attrs != "" {
			c.Extensions = []pkix.Extension{{Id: attributeExtension, Value: []byte(attrs)}}
		}
		return c
	}
	if id, err := EnrolmentID(cert("jane", `{"attrs":{"hf.EnrollmentID":"jane","role":"doctor"}}`)); err != nil || id != "jane" {
		t.Errorf("got %q, %v", id, err)
	}
	for name, c := range map[string]*x509.Certificate{
		"no attributes": cert("jane", ""), "not JSON": cert("jane", "x"), "another name": cert("john", `{"attrs":{"hf.EnrollmentID":"jane"}}`),
		"no enrolment id": cert("jane", `{"attrs":{"role":"doctor"}}`), "empty": cert("", `{"attrs":{"hf.EnrollmentID":""}}`),
	} {
		if _, err := EnrolmentID(c); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
