package fabric

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"

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

// Blocks is a [BlockSource] over the user's own peer. The peer announces each block in
// its stream of filtered blocks, and its system chaincode qscc gives the block, which
// every member of the channel may read. The stream of full blocks is closed to people: it
// would also serve private data.
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
			announced := response.GetFilteredBlock()
			if announced == nil {
				yield(nil, g.refused(response.GetStatus()))
				return
			}
			var b *common.Block
			if b, err = g.block(ctx, announced.Number); err != nil {
				yield(nil, err)
				return
			}
			if !yield(b, nil) {
				return
			}
		}
		yield(nil, g.explainEnd(ctx, "follow blocks", err))
	}
}

// block reads one block from the peer's system chaincode for queries.
func (g *Gateway) block(ctx context.Context, number uint64) (*common.Block, error) {
	const function = "GetBlockByNumber"
	ectx, cancel := context.WithTimeout(ctx, g.timeouts.Evaluate)
	defer cancel()
	raw, err := g.network.GetContract("qscc").EvaluateWithContext(ectx, function,
		gateway.WithArguments(g.user.Profile.Channel, strconv.FormatUint(number, 10)))
	if err != nil {
		return nil, g.explain(ctx, function, err)
	}
	var b common.Block
	if err := proto.Unmarshal(raw, &b); err != nil {
		return nil, ledger.Errorf(ledger.ErrTampered, "block %d of the peer %s cannot be read: %v", number, g.user.Profile.Peer.Address, err)
	}
	return &b, nil
}

func (g *Gateway) deliver(ctx context.Context, from uint64) (peer.Deliver_DeliverFilteredClient, error) {
	request, err := g.network.NewFilteredBlockEventsRequest(gateway.WithStartBlock(from))
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
	stream, err := peer.NewDeliverClient(g.conn).DeliverFiltered(ctx)
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

// FollowRecords hands the payloads that each transaction registered to f.Handle, for the
// records of all hospitals, until ctx ends or f.Handle fails. It works like
// [FollowBlocks], and takes less: a chaincode event, which every member may read, instead
// of whole blocks.
//
// Errors:
//   - The error of f.Handle or f.Checkpoint, unchanged.
//   - The error of ctx when it ends.
//   - ErrTampered if an event holds anything but payloads.
func (g *Gateway) FollowRecords(ctx context.Context, f Following[[]ledger.Payload]) error {
	return follow(ctx, f, g.registrations)
}

// registrations streams the chaincode's events from a position on.
func (g *Gateway) registrations(ctx context.Context, from Position) iter.Seq2[step[[]ledger.Payload], error] {
	return func(yield func(step[[]ledger.Payload], error) bool) {
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
				payloads, err := ledger.UnpackPayloads(e.GetPayload())
				if err != nil {
					err = &finalError{ledger.Errorf(ledger.ErrTampered, "event of transaction %s: %v", e.GetTxId(), err)}
				}
				for i := range payloads {
					payloads[i].Tx = e.GetTxId()
				}
				next := Position{Block: response.GetBlockNumber(), Tx: e.GetTxId()}
				if !yield(step[[]ledger.Payload]{payloads, next}, err) || err != nil {
					return
				}
			}
		}
		yield(step[[]ledger.Payload]{}, g.explainEnd(ctx, "follow records", err))
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
