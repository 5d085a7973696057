// Package fabric is the consortium's ledger through a Fabric gateway: [Connect] makes a
// [Gateway], which is a client.Ledger. It also enrols people with a Fabric CA ([Enroll]),
// reads the channel's organisations ([Gateway.ChannelMSPs]) and follows the records that
// hospitals register ([Gateway.FollowRecords]).
//
// # How calls fail
//
// A refusal by our chaincode comes back as the sentinel of package ledger that it had
// there, whatever Fabric wrapped around it. The phase of a transaction decides the rest:
//
//   - Endorsing and evaluating change nothing. A peer that does not answer is
//     [ledger.ErrUnavailable] with its address. Endorsers at different heights disagree
//     for a moment; then the proposal is made anew, a few times.
//   - What the peers endorsed is held against what was asked for before it is signed:
//     other writes are [ledger.ErrTampered], and nothing is committed. So nothing of a
//     call has to come back in the transaction's response, which would be in the block.
//   - Submitting may fail although the orderers took the transaction (BFT's "request
//     already processed"), so a transaction is never sent twice: its status is asked for
//     under the same id, also after the caller's context has ended.
//   - A transaction found invalid wrote nothing: client.ErrConflict.
//   - When nobody can tell in time, the error is client.ErrUnknownOutcome and names the
//     transaction.
package fabric

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"time"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/wallet"
)

// Timeouts bound the phases of a call. A zero field takes the default.
type Timeouts struct {
	Evaluate time.Duration // 15 s
	Endorse  time.Duration // 15 s
	Submit   time.Duration // 15 s; a BFT view change after the death of a leader fits in
	Commit   time.Duration // 45 s
	Grace    time.Duration // 5 s: how long the outcome is awaited after the caller's context has ended
}

func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		d   *time.Duration
		def time.Duration
	}{{&t.Evaluate, 15 * time.Second}, {&t.Endorse, 15 * time.Second}, {&t.Submit, 15 * time.Second},
		{&t.Commit, 45 * time.Second}, {&t.Grace, 5 * time.Second}} {
		if *f.d <= 0 {
			*f.d = f.def
		}
	}
	return t
}

// A Gateway acts for one user at the peer of their own organisation. It is safe for
// concurrent use.
type Gateway struct {
	user     *wallet.User
	actor    string
	timeouts Timeouts
	conn     *grpc.ClientConn
	gateway  *gateway.Gateway
	network  *gateway.Network
	contract *gateway.Contract
}

var _ client.Ledger = (*Gateway)(nil)

// maxMessage bounds what a peer may answer: a full read of the index is far below it.
const maxMessage = 64 << 20

// Connect prepares a connection to the peer of the user's organisation; it is made at the
// first call. It fails with [wallet.ExpiredError] (which is ErrDenied) when the user's
// certificates are not valid now, and with ErrInvalid when the certificate has no
// enrolment id. Close the Gateway when done.
func Connect(u *wallet.User, t Timeouts) (*Gateway, error) {
	if err := u.Valid(time.Now()); err != nil {
		return nil, err
	}
	enrolled, err := EnrolmentID(u.Certificate)
	if err != nil {
		return nil, fmt.Errorf("connect as %s: %w", u, err)
	}
	id, err := identity.NewX509Identity(u.Profile.MSP, u.Certificate)
	if err != nil {
		return nil, fmt.Errorf("connect as %s: %w", u, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(u.Profile.Peer.TLSRoots) {
		return nil, ledger.Errorf(ledger.ErrInvalid, "connect as %s: the profile has no TLS roots of the peer", u)
	}
	creds := credentials.NewTLS(&tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      roots,
		ServerName:   u.Profile.Peer.ServerName,
		Certificates: []tls.Certificate{u.TLS},
	})
	conn, err := grpc.NewClient("passthrough:///"+u.Profile.Peer.Address,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 2 * time.Minute, Timeout: 20 * time.Second}))
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "peer address %s: %v", u.Profile.Peer.Address, err)
	}
	// With mutual TLS, events arrive only if the request names the client's TLS
	// certificate.
	tlsHash := sha256.Sum256(u.TLS.Certificate[0])
	gw, err := gateway.Connect(id, gateway.WithSign(u.Sign), gateway.WithHash(hash.SHA256), gateway.WithClientConnection(conn),
		gateway.WithTLSClientCertificateHash(tlsHash[:]))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect as %s: %w", u, err)
	}
	network := gw.GetNetwork(u.Profile.Channel)
	return &Gateway{
		user: u, actor: ledger.Actor(u.Profile.MSP, enrolled), timeouts: t.withDefaults(),
		conn: conn, gateway: gw, network: network, contract: network.GetContract(u.Profile.Chaincode),
	}, nil
}

// Close ends the connection. Calls in progress fail.
func (g *Gateway) Close() error {
	g.gateway.Close()
	return g.conn.Close()
}

// Actor implements client.Ledger.
func (g *Gateway) Actor() string { return g.actor }

// MSP implements client.Ledger.
func (g *Gateway) MSP() string { return g.user.Profile.MSP }

// evaluate asks the own peer and decodes its answer into out.
func (g *Gateway) evaluate(ctx context.Context, out any, transaction string, args ...any) error {
	texts, err := arguments(args)
	if err != nil {
		return err
	}
	ectx, cancel := context.WithTimeout(ctx, g.timeouts.Evaluate)
	defer cancel()
	answer, err := g.contract.EvaluateWithContext(ectx, transaction, gateway.WithArguments(texts...))
	if err != nil {
		return g.explain(ctx, transaction, err)
	}
	return decode(transaction, answer, out)
}

// arguments encodes as contractapi reads it: strings and numbers as they are, everything
// else as JSON.
func arguments(args []any) ([]string, error) {
	texts := make([]string, len(args))
	for i, a := range args {
		if s, ok := a.(string); ok {
			texts[i] = s
			continue
		}
		data, err := json.Marshal(a)
		if err != nil {
			return nil, fmt.Errorf("encode argument %d: %w", i+1, err)
		}
		texts[i] = string(data)
	}
	return texts, nil
}

func decode(transaction string, answer []byte, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return ledger.Errorf(ledger.ErrTampered, "%s: the peer's answer does not have the form of this version: %v", transaction, err)
	}
	return nil
}
