package fabric

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// Bounds on new proposals. Peers at different heights agree soon. After a hospital's
// outage, gossip at the other hospitals needs seconds until it stops asking that hospital
// to acknowledge private data; until then endorsement fails.
const (
	staleAttempts   = 5
	endorsePatience = 12 * time.Second
)

// submit endorses, verifies, submits and awaits a transaction. expect returns the changes
// that the transaction must make, no more and no less. For the errors see the package
// comment.
func (g *Gateway) submit(ctx context.Context, transient map[string][]byte, expect func(stamp) writes, transaction string, args ...any) (stamp, error) {
	texts, err := arguments(args)
	if err != nil {
		return stamp{}, err
	}
	options := []gateway.ProposalOption{gateway.WithArguments(texts...)}
	if transient != nil {
		options = append(options, gateway.WithTransient(transient))
	}
	tx, err := g.endorse(ctx, transaction, options)
	if err != nil {
		return stamp{}, err
	}
	s, err := g.verify(transaction, tx, expect)
	if err != nil {
		return stamp{}, err
	}
	code, err := g.order(ctx, transaction, tx)
	if err != nil {
		return stamp{}, err
	}
	if code != peer.TxValidationCode_VALID {
		return stamp{}, &invalidError{transaction: transaction, tx: tx.TransactionID(), code: code}
	}
	return s, nil
}

// endorse sends proposals until enough peers endorse one. If it fails, the ledger is
// unchanged.
func (g *Gateway) endorse(ctx context.Context, transaction string, options []gateway.ProposalOption) (*gateway.Transaction, error) {
	patience, cancelPatience := context.WithTimeout(ctx, endorsePatience)
	defer cancelPatience()
	for attempt := 1; ; attempt++ {
		proposal, err := g.contract.NewProposal(transaction, options...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", transaction, err)
		}
		ectx, cancel := context.WithTimeout(ctx, g.timeouts.Endorse)
		tx, err := proposal.EndorseWithContext(ectx)
		cancel()
		if err == nil {
			return tx, nil
		}
		explained := g.explain(ctx, transaction, err)
		var refusal *ledger.Error
		if errors.As(explained, &refusal) && attempt >= staleAttempts || !lagging(err, explained) {
			return nil, explained
		}
		if pause(patience, min(attempt, 5)) != nil {
			return nil, explained
		}
	}
}

// lagging reports whether the refusal may come from a peer that has not seen the newest
// block: results differ, or something was not found. The gateway answers both with
// Aborted.
func lagging(err, explained error) bool {
	if status.Code(err) != codes.Aborted {
		return false
	}
	var refusal *ledger.Error
	return !errors.As(explained, &refusal) || refusal.Kind == ledger.ErrNotFound || refusal.Kind == ledger.ErrUnavailable
}

// pause waits before the next attempt, with jitter so that clients do not collide again.
func pause(ctx context.Context, attempt int) error {
	mean := 50 * time.Millisecond << (attempt - 1)
	n, err := rand.Int(rand.Reader, big.NewInt(int64(mean)))
	if err != nil {
		return err
	}
	select {
	case <-time.After(mean/2 + time.Duration(n.Int64())):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// order submits the transaction to the orderers and waits for its commit status.
func (g *Gateway) order(ctx context.Context, transaction string, tx *gateway.Transaction) (peer.TxValidationCode, error) {
	if err := ctx.Err(); err != nil {
		return 0, err // from here on, giving up could leave a transaction behind
	}
	// The outcome matters even if the caller cancels, so cancellation only shortens the
	// wait.
	octx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	unhook := context.AfterFunc(ctx, func() { time.AfterFunc(g.timeouts.Grace, stop) })
	defer unhook()

	sctx, cancel := context.WithTimeout(octx, g.timeouts.Submit)
	commit, submitErr := tx.SubmitWithContext(sctx)
	cancel()
	if submitErr != nil {
		var err error
		if commit, err = g.commitOf(tx.TransactionID()); err != nil {
			return 0, g.unknown(transaction, tx, errors.Join(submitErr, err))
		}
	}
	wctx, cancel := context.WithTimeout(octx, g.timeouts.Commit)
	defer cancel()
	for attempt := 1; ; attempt++ {
		st, err := commit.StatusWithContext(wctx)
		if err == nil {
			return st.Code, nil
		}
		// The peer may be restarting. Asking again is harmless.
		if wctx.Err() != nil || pause(wctx, min(attempt, 6)) != nil {
			return 0, g.unknown(transaction, tx, errors.Join(submitErr, err))
		}
	}
}

// commitOf returns a request for the commit status that needs only the transaction id.
func (g *Gateway) commitOf(id string) (*gateway.Commit, error) {
	identity := g.gateway.Identity()
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: identity.MspID(), IdBytes: identity.Credentials()})
	if err != nil {
		return nil, err
	}
	request, err := proto.Marshal(&gwproto.CommitStatusRequest{
		ChannelId: g.user.Profile.Channel, TransactionId: id, Identity: creator,
	})
	if err != nil {
		return nil, err
	}
	signed, err := proto.Marshal(&gwproto.SignedCommitStatusRequest{Request: request})
	if err != nil {
		return nil, err
	}
	return g.gateway.NewCommit(signed)
}

func (g *Gateway) unknown(transaction string, tx *gateway.Transaction, cause error) error {
	return &unknownError{transaction: transaction, tx: tx.TransactionID(), peer: g.user.Profile.Peer.Address, cause: cause}
}

// unknownError is a submitted transaction whose commit status is unknown. It may still be
// committed.
type unknownError struct {
	transaction, tx, peer string
	cause                 error
}

func (e *unknownError) Error() string {
	return fmt.Sprintf("%s: transaction %s was sent and the peer %s could not say whether it was committed (%s)",
		e.transaction, e.tx, e.peer, describe(e.cause))
}

func (e *unknownError) Unwrap() []error {
	return []error{client.ErrUnknownOutcome, ledger.ErrUnavailable}
}

// invalidError is a transaction that was ordered and failed validation. It wrote nothing.
type invalidError struct {
	transaction, tx string
	code            peer.TxValidationCode
}

func (e *invalidError) Error() string {
	return fmt.Sprintf("%s: transaction %s was refused at commit: %s", e.transaction, e.tx, e.code)
}

func (e *invalidError) Unwrap() []error {
	return []error{client.ErrConflict, ledger.ErrUnavailable}
}

// conflict reports whether another transaction wrote a key that this one had read.
func (e *invalidError) conflict() bool {
	return e.code == peer.TxValidationCode_MVCC_READ_CONFLICT || e.code == peer.TxValidationCode_PHANTOM_READ_CONFLICT
}
