package fabric

import (
	"context"
	"errors"
	"io"
	"iter"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// The SDK's own streams end without saying why. So the SDK makes the requests here, and
// the gRPC clients below it are used for the rest.

// Blocks implements [BlockSource] with the deliver service of the own peer. The channel's
// access control list decides who may: by default every member, and only administrators
// where blocks are closed to people.
//
// Errors of the stream:
//   - ErrDenied if the peer does not serve blocks to this user.
//   - ErrUnavailable if the peer does not answer, or stops.
func (g *Gateway) Blocks(ctx context.Context, from uint64) iter.Seq2[*common.Block, error] {
	return func(yield func(*common.Block, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the stream when the caller breaks off
		stream, err := g.deliver(ctx, from)
		for err == nil {
			var response *peer.DeliverResponse
			if response, err = stream.Recv(); err != nil {
				break
			}
			b := response.GetBlock()
			if b == nil {
				yield(nil, g.refused(response.GetStatus()))
				return
			}
			if !yield(b, nil) {
				return
			}
		}
		yield(nil, g.explainEnd(ctx, "follow blocks", err))
	}
}

func (g *Gateway) deliver(ctx context.Context, from uint64) (peer.Deliver_DeliverClient, error) {
	request, err := g.network.NewBlockEventsRequest(gateway.WithStartBlock(from))
	if err != nil {
		return nil, err
	}
	unsigned, err := request.Bytes()
	if err != nil {
		return nil, err
	}
	var envelope common.Envelope
	if err := proto.Unmarshal(unsigned, &envelope); err != nil {
		return nil, err
	}
	if envelope.Signature, err = g.user.Sign(request.Digest()); err != nil {
		return nil, err
	}
	stream, err := peer.NewDeliverClient(g.conn).Deliver(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&envelope); err != nil && !errors.Is(err, io.EOF) { // the reason of an EOF comes with Recv
		return nil, err
	}
	return stream, nil
}

// explainEnd explains why a stream ended. One that the peer closed is as good as a peer
// that does not answer.
func (g *Gateway) explainEnd(ctx context.Context, operation string, err error) error {
	if errors.Is(err, io.EOF) {
		err = status.Error(codes.Unavailable, "it closed the stream")
	}
	return g.explain(ctx, operation, err)
}

// refused is the error of a status that ends a stream of blocks.
func (g *Gateway) refused(s common.Status) error {
	kind := ledger.ErrUnavailable
	if s == common.Status_FORBIDDEN {
		kind = ledger.ErrDenied
	}
	return ledger.Errorf(kind, "the peer %s does not serve blocks of channel %s to %s: %s", g.user.Profile.Peer.Address, g.user.Profile.Channel, g.user, s)
}

// FollowRecords hands the CIDs of the payloads that each transaction registered to
// f.Handle, for the records of all hospitals, until ctx ends or f.Handle fails. It works
// like [FollowBlocks], and takes less: a chaincode event, which every member may read,
// instead of whole blocks.
//
// Errors:
//   - The error of f.Handle or f.Checkpoint, unchanged.
//   - The error of ctx when it ends.
//   - ErrTampered if an event holds anything but CIDs.
func (g *Gateway) FollowRecords(ctx context.Context, f Following[[]string]) error {
	return follow(ctx, f, g.registrations)
}

// registrations streams the chaincode's events from a position on.
func (g *Gateway) registrations(ctx context.Context, from Position) iter.Seq2[step[[]string], error] {
	return func(yield func(step[[]string], error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := g.chaincodeEvents(ctx, from)
		for err == nil {
			var response *gwproto.ChaincodeEventsResponse
			if response, err = stream.Recv(); err != nil {
				break
			}
			for _, e := range response.GetEvents() {
				if e.GetEventName() != ledger.EventRecords {
					continue
				}
				cids, err := ledger.UnpackCIDs(e.GetPayload())
				if err != nil {
					err = &finalError{ledger.Errorf(ledger.ErrTampered, "event of transaction %s: %v", e.GetTxId(), err)}
				}
				next := Position{Block: response.GetBlockNumber(), Tx: e.GetTxId()}
				if !yield(step[[]string]{cids, next}, err) || err != nil {
					return
				}
			}
		}
		yield(step[[]string]{}, g.explainEnd(ctx, "follow records", err))
	}
}

func (g *Gateway) chaincodeEvents(ctx context.Context, from Position) (gwproto.Gateway_ChaincodeEventsClient, error) {
	request, err := g.network.NewChaincodeEventsRequest(g.user.Profile.Chaincode, gateway.WithStartBlock(0), gateway.WithCheckpoint(from))
	if err != nil {
		return nil, err
	}
	unsigned, err := request.Bytes()
	if err != nil {
		return nil, err
	}
	var signed gwproto.SignedChaincodeEventsRequest
	if err := proto.Unmarshal(unsigned, &signed); err != nil {
		return nil, err
	}
	if signed.Signature, err = g.user.Sign(request.Digest()); err != nil {
		return nil, err
	}
	return gwproto.NewGatewayClient(g.conn).ChaincodeEvents(ctx, &signed)
}
