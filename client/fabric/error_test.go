package fabric

import (
	"context"
	"errors"
	"strings"
	"testing"

	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/wallet"
)

func testGateway() *Gateway {
	p := &wallet.Profile{MSP: "HospitalA", Channel: "chartseal", Peer: wallet.Peer{MSP: "HospitalA", Address: "127.0.0.1:7051"}}
	return &Gateway{user: &wallet.User{Name: "doctor", Profile: p}, timeouts: Timeouts{}.withDefaults()}
}

// gatewayError is what a gateway sends: a status, and what each peer said as details.
func gatewayError(t *testing.T, code codes.Code, message string, peers ...string) error {
	t.Helper()
	var details []protoadapt.MessageV1
	for _, p := range peers {
		details = append(details, protoadapt.MessageV1Of(&gwproto.ErrorDetail{Address: "peer:7051", MspId: "HospitalB", Message: p}))
	}
	s, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

func chaincode(kind error, message string) string {
	return "chaincode response 500, " + ledger.Encode(ledger.Errorf(kind, "%s", message))
}

func TestExplain(t *testing.T) {
	const generic = "failed to endorse transaction, see attached details for more info"
	for name, c := range map[string]struct {
		err  error
		want error
		says string
	}{
		"refused by the chaincode":    {gatewayError(t, codes.Aborted, generic, chaincode(ledger.ErrExists, "record 1 exists")), ledger.ErrExists, "record 1 exists"},
		"refused in the message":      {gatewayError(t, codes.Unknown, "evaluate call to endorser returned error: "+chaincode(ledger.ErrDenied, "not yours")), ledger.ErrDenied, "not yours"},
		"one lags, another refuses":   {gatewayError(t, codes.Aborted, generic, chaincode(ledger.ErrNotFound, "no record"), chaincode(ledger.ErrDenied, "not yours")), ledger.ErrDenied, "not yours"},
		"results differ":              {gatewayError(t, codes.Aborted, "ProposalResponsePayloads do not match"), ledger.ErrUnavailable, "not enough hospitals"},
		"peer away":                   {gatewayError(t, codes.Unavailable, "connection refused"), ledger.ErrUnavailable, "127.0.0.1:7051"},
		"phase timeout":               {gatewayError(t, codes.DeadlineExceeded, "context deadline exceeded"), ledger.ErrUnavailable, "in time"},
		"certificate refused":         {gatewayError(t, codes.Aborted, generic, "error validating proposal: access denied: channel [chartseal] creator org [HospitalA]"), ledger.ErrDenied, "does not accept the certificate of doctor@HospitalA"},
		"a code of a later chaincode": {gatewayError(t, codes.Internal, "[chartseal/unheard-of] x"), nil, "unheard-of"},
	} {
		err := testGateway().explain(t.Context(), "record:Create", c.err)
		if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := testGateway().explain(ctx, "x", gatewayError(t, codes.Canceled, "context canceled")); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller gave up: %v", err)
	}
}

// TestLagging: only what may pass by itself is tried again.
func TestLagging(t *testing.T) {
	g := testGateway()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"results differ":   {gatewayError(t, codes.Aborted, "ProposalResponsePayloads do not match"), true},
		"not there yet":    {gatewayError(t, codes.Aborted, "x", chaincode(ledger.ErrNotFound, "no record")), true},
		"taken":            {gatewayError(t, codes.Aborted, "x", chaincode(ledger.ErrExists, "taken")), false},
		"denied":           {gatewayError(t, codes.Aborted, "x", chaincode(ledger.ErrDenied, "no")), false},
		"invalid":          {gatewayError(t, codes.Aborted, "x", chaincode(ledger.ErrInvalid, "no")), false},
		"own peer is away": {gatewayError(t, codes.Unavailable, "connection refused"), false},
	} {
		if got := lagging(c.err, g.explain(t.Context(), "x", c.err)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPhaseErrors(t *testing.T) {
	var unknown error = &unknownError{transaction: "record:Create", tx: "4f1a", peer: "p:1", cause: errors.Join(status.Error(codes.Unavailable, "a"), context.DeadlineExceeded)}
	if !errors.Is(unknown, client.ErrUnknownOutcome) || !errors.Is(unknown, ledger.ErrUnavailable) || !strings.Contains(unknown.Error(), "4f1a") {
		t.Errorf("unknown: %v", unknown)
	}
	invalid := &invalidError{"index:Put", "4f1a", peer.TxValidationCode_MVCC_READ_CONFLICT}
	if !errors.Is(invalid, client.ErrConflict) || !invalid.conflict() || errors.Is(invalid, client.ErrUnknownOutcome) {
		t.Errorf("invalid: %v", invalid)
	}
	if policy := (&invalidError{"x", "y", peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE}); policy.conflict() {
		t.Error("a policy failure is taken for a conflict")
	}
}
