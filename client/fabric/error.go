package fabric

import (
	"context"
	"errors"
	"fmt"
	"strings"

	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// explain turns the gRPC error of a call that changed nothing into one of ours.
func (g *Gateway) explain(ctx context.Context, transaction string, err error) error {
	if refusal := refusalIn(err); refusal != nil {
		return fmt.Errorf("%s: %w", transaction, refusal)
	}
	// The caller's own deadline or cancellation; ours for the phase counts as a peer that
	// does not answer.
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", transaction, ctx.Err())
	}
	address := g.user.Profile.Peer.Address
	if identityRefused(err) {
		return ledger.Errorf(ledger.ErrDenied, "%s: the peer %s does not accept the certificate of %s: it was revoked, or is not of a member of channel %s",
			transaction, address, g.user, g.user.Profile.Channel)
	}
	switch status.Code(err) {
	case codes.Unavailable:
		return g.peerError(transaction, "does not answer: "+describe(err))
	case codes.DeadlineExceeded:
		return g.peerError(transaction, "did not answer in time")
	case codes.Aborted, codes.FailedPrecondition:
		return &disagreedError{transaction: transaction, cause: err}
	}
	return fmt.Errorf("%s at peer %s: %s", transaction, address, describe(err))
}

// explainEvaluate is explain for an evaluate. One organisation was asked, so no answer
// means that its peers have no running chaincode.
func (g *Gateway) explainEvaluate(ctx context.Context, transaction string, err error) error {
	explained := g.explain(ctx, transaction, err)
	if _, ok := explained.(*disagreedError); ok {
		return g.peerError(transaction, "cannot answer: "+describe(err))
	}
	return explained
}

// A PeerError says that the peer which was asked does not answer. It is
// [ledger.ErrUnavailable].
type PeerError struct {
	MSP     string // organisation of the peer
	Address string

	transaction, problem string
}

func (g *Gateway) peerError(transaction, problem string) error {
	return &PeerError{MSP: g.PeerMSP(), Address: g.user.Profile.Peer.Address, transaction: transaction, problem: problem}
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("%s: the peer %s %s", e.transaction, e.Address, e.problem)
}

// Unwrap makes it ErrUnavailable.
func (e *PeerError) Unwrap() error { return ledger.ErrUnavailable }

// refusalIn finds our chaincode's error in a gateway error: in the details that endorsers
// add, or in the message. If endorsers disagree, a permanent refusal takes precedence
// over a temporary one.
func refusalIn(err error) *ledger.Error {
	var found *ledger.Error
	for _, text := range texts(err) {
		e := ledger.Decode(text)
		if e == nil {
			continue
		}
		if found == nil || passing(found) && !passing(e) {
			found = e
		}
	}
	return found
}

func passing(e *ledger.Error) bool {
	return e.Kind == ledger.ErrUnavailable || e.Kind == ledger.ErrNotFound
}

// texts are all messages of a gRPC error, those of single peers first.
func texts(err error) []string {
	var all []string
	s := status.Convert(err)
	for _, d := range s.Details() {
		if detail, ok := d.(*gwproto.ErrorDetail); ok {
			all = append(all, detail.GetMessage())
		}
	}
	return append(all, s.Message())
}

// identityRefused reports whether a peer refused the caller's identity. Fabric has no
// code for that, only this text. Its endorser sends it for each identity that it cannot
// validate or that may not write to the channel.
func identityRefused(err error) bool {
	if status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated {
		return true
	}
	for _, text := range texts(err) {
		if strings.Contains(text, "access denied: channel [") {
			return true
		}
	}
	return false
}

// disagreedError says that not enough endorsers returned the same result.
type disagreedError struct {
	transaction string
	cause       error
}

func (e *disagreedError) Error() string {
	return fmt.Sprintf("%s: not enough hospitals' peers endorse it: %s", e.transaction, describe(e.cause))
}

func (e *disagreedError) Unwrap() error { return ledger.ErrUnavailable }

// describe returns the messages of a gRPC error in one line.
func describe(err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var parts []string
		for _, e := range joined.Unwrap() {
			if e != nil {
				parts = append(parts, describe(e))
			}
		}
		return strings.Join(parts, "; ")
	}
	s := status.Convert(err)
	parts := []string{s.Message()}
	for _, d := range s.Details() {
		if detail, ok := d.(*gwproto.ErrorDetail); ok {
			parts = append(parts, fmt.Sprintf("%s (%s): %s", detail.GetAddress(), detail.GetMspId(), detail.GetMessage()))
		}
	}
	text := strings.Join(parts, "; ")
	if _, dial, found := strings.Cut(text, "Error while dialing: "); found { // inside quotes inside a sentence of gRPC's
		text = strings.TrimRight(dial, "\"")
	}
	return strings.Join(strings.Fields(text), " ")
}
