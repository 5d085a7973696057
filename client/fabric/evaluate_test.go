package fabric

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/wallet"
)

// A fakePeer is a peer's gateway. It gives every evaluate the same answer, and keeps the
// organisations that the client let answer.
type fakePeer struct {
	gwproto.UnimplementedGatewayServer
	answer  []byte
	err     error
	targets [][]string
}

func (f *fakePeer) Evaluate(_ context.Context, r *gwproto.EvaluateRequest) (*gwproto.EvaluateResponse, error) {
	f.targets = append(f.targets, r.GetTargetOrganizations())
	if f.err != nil {
		return nil, f.err
	}
	return &gwproto.EvaluateResponse{Result: &peer.Response{Status: 200, Payload: f.answer}}, nil
}

// startPeer also tells how a wallet's profile of its organisation describes it.
func startPeer(t *testing.T, msp string) (*fakePeer, wallet.Peer) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // its certificate is used here
	t.Cleanup(web.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakePeer{}
	s := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0])))
	gwproto.RegisterGatewayServer(s, f)
	go s.Serve(listener)
	t.Cleanup(s.Stop)
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	return f, wallet.Peer{MSP: msp, Address: listener.Addr().String(), ServerName: "127.0.0.1", TLSRoots: roots}
}

func doctorOfA(t *testing.T) *wallet.User {
	t.Helper()
	_, ca := startCA(t)
	w, err := wallet.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Enroll(t.Context(), ca, "doctor", "pw")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Save("doctor@HospitalA", c); err != nil {
		t.Fatal(err)
	}
	writeProfile(t, w, ca)
	u, err := w.User("doctor@HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func connectTo(t *testing.T, u *wallet.User, p wallet.Peer) *Gateway {
	t.Helper()
	g, err := Connect(u.At(p), Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// TestOnlyTheAskedPeerAnswers: every evaluate names the one organisation whose peers may
// answer it: the user's own, or the one that was chosen.
func TestOnlyTheAskedPeerAnswers(t *testing.T) {
	u := doctorOfA(t)
	if u.Profile.Peer.MSP != "HospitalA" {
		t.Errorf("the profile's peer is of %q", u.Profile.Peer.MSP)
	}
	for _, msp := range []string{"HospitalA", "HospitalB"} {
		f, at := startPeer(t, msp)
		g := connectTo(t, u, at)
		if g.PeerMSP() != msp || g.MSP() != "HospitalA" {
			t.Errorf("peer of %s, user of %s", g.PeerMSP(), g.MSP())
		}
		ctx := t.Context()
		f.answer = []byte("null")
		labels := []index.Batch{{MSP: msp, Labels: make([]index.Label, 1)}}
		calls := []func(){
			func() { g.Records(ctx, []string{"x"}) },
			func() { g.Scopes(ctx) },
			func() { g.SearchEntries(ctx, "", labels) },
			func() { g.GetEntries(ctx, labels) },
			func() { g.Envelope(ctx, "x", 1, "y") },
			func() { g.ScopeKey(ctx, "x", 1, "y") },
			func() { g.AttributeKeys(ctx, []string{"x"}) },
			func() { g.AuditHistory(ctx, "x") },
			func() { g.ChannelMSPs(ctx) },
		}
		for _, call := range calls {
			call()
		}
		if len(f.targets) != len(calls) {
			t.Errorf("%d of %d calls arrived", len(f.targets), len(calls))
		}
		for i, targets := range f.targets {
			if !slices.Equal(targets, []string{msp}) {
				t.Errorf("call %d at %s may be answered by %q", i, msp, targets)
			}
		}
	}
}

// TestServedByAnother: a wrapped key that another organisation handed out is refused.
func TestServedByAnother(t *testing.T) {
	u := doctorOfA(t)
	f, at := startPeer(t, "HospitalB")
	g := connectTo(t, u, at)
	for by, want := range map[string]error{"HospitalB": nil, "HospitalA": ledger.ErrTampered, "Regulator": ledger.ErrTampered, "": ledger.ErrTampered} {
		var err error
		if f.answer, err = json.Marshal(ledger.Envelope{Data: base64.StdEncoding.EncodeToString([]byte("wrapped")), ServedBy: by}); err != nil {
			t.Fatal(err)
		}
		data, _, err := g.Envelope(t.Context(), "x", 1, "y")
		if !errors.Is(err, want) || (err == nil) != (string(data) == "wrapped") {
			t.Errorf("served by %q: %q, %v", by, data, err)
		}
		if _, err := g.ScopeKey(t.Context(), "x", 1, "y"); !errors.Is(err, want) {
			t.Errorf("scope key served by %q: %v", by, err)
		}
	}
}

// TestAwayChaincode: what a gateway says when no peer of the organisation can execute the
// chaincode is an outage of that peer. A refusal stays one.
func TestAwayChaincode(t *testing.T) {
	u := doctorOfA(t)
	f, at := startPeer(t, "HospitalA")
	g := connectTo(t, u, at)
	for name, err := range map[string]error{
		"chaincode away":   gatewayError(t, codes.Aborted, "failed to evaluate transaction, see attached details", "could not launch chaincode: connection refused"),
		"not installed":    gatewayError(t, codes.FailedPrecondition, "no peers available to evaluate chaincode chartseal in channel chartseal"),
		"endorser is away": gatewayError(t, codes.Unavailable, "failed to evaluate transaction, see attached details", "connection refused"),
	} {
		f.err = err
		_, got := g.Scopes(t.Context())
		var away *PeerError
		if !errors.As(got, &away) || !errors.Is(got, ledger.ErrUnavailable) || away.MSP != "HospitalA" || away.Address != at.Address ||
			!strings.Contains(got.Error(), at.Address) || strings.Contains(got.Error(), "endorse it") {
			t.Errorf("%s: %v", name, got)
		}
	}
	f.err = gatewayError(t, codes.Unknown, "evaluate call to endorser returned error: "+chaincode(ledger.ErrUnavailable, "the key has not arrived"))
	var away *PeerError
	if _, err := g.Scopes(t.Context()); !errors.Is(err, ledger.ErrUnavailable) || errors.As(err, &away) {
		t.Errorf("refused by the chaincode: %v", err)
	}
}
