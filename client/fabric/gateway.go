// Package fabric is the consortium's ledger over a Fabric gateway. [Connect] returns a
// [Gateway], which implements client.Ledger at the peer of the user's own organisation.
// Beside it, [Enroll] and [Renew] get certificates from a Fabric CA,
// [Gateway.ChannelMSPs] reads the channel's organisations, [FollowBlocks] follows blocks,
// and [Gateway.FollowRecords] follows the registration of records over chaincode events.
//
// # Errors
//
// If our chaincode refuses a call, the error wraps the sentinel of package ledger that
// the chaincode chose. Other errors depend on the phase of the transaction:
//
//   - Evaluate and endorse change nothing. If a peer does not answer, the error is a
//     [PeerError], which is [ledger.ErrUnavailable]. Only peers of the organisation that
//     was asked answer an evaluate: an outage of their chaincode is an error too.
//     Endorsers at different heights return different results for a moment; the client
//     then sends a new proposal, a few times.
//   - Before it signs an endorsed transaction, the client compares the write set with the
//     changes that the caller asked for, deletions and purges included. On any difference
//     the error is [ledger.ErrTampered], and nothing is committed. For that reason no
//     call needs a response in the transaction, which would be stored in the block.
//   - Submit may fail although the orderers took the transaction: BFT orderers answer
//     "request already processed". So a transaction is never submitted twice. The client
//     asks for the commit status of the same transaction id, also after the caller's
//     context has ended.
//   - A transaction that fails validation wrote nothing: client.ErrConflict.
//   - If the commit status is unknown when the time is over, the error is
//     client.ErrUnknownOutcome and has the transaction id.
//
// # Trust
//
// A peer can withhold blocks and can answer an evaluated call with anything. The package
// believes evaluated answers; package client and client/trust confirm with other
// organisations' peers the ones that matter. Streams of blocks are not verified either,
// see client/fabric/block.
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

// Timeouts bound the phases of a call. A zero field means the default.
type Timeouts struct {
	Evaluate time.Duration // 15 s
	Endorse  time.Duration // 15 s
	Submit   time.Duration // 15 s; a BFT view change after the death of a leader fits in
	Commit   time.Duration // 45 s
	Grace    time.Duration // 5 s; how long to wait for the commit status after the caller's context has ended
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

// A Gateway acts for one user at one peer: that of their own organisation, or another for
// a user from [wallet.User.At]. It is safe for concurrent use.
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

// maxMessage bounds a message to or from a peer. A full read of the index is far smaller.
const maxMessage = 64 << 20

// Connect returns a Gateway to the peer in the user's profile. The connection is
// made at the first call. Close the Gateway when done.
//
// Errors:
//   - [wallet.ExpiredError], which is ErrDenied, if a certificate of the user is not
//     valid now.
//   - ErrInvalid if the certificate has no enrolment id, or if the profile has no
//     organisation, TLS roots or usable address of the peer.
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
	if u.Profile.Peer.MSP == "" {
		return nil, ledger.Errorf(ledger.ErrInvalid, "connect as %s: the profile does not name the peer's organisation", u)
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

// CertificateID names the caller's enrolment certificate.
func (g *Gateway) CertificateID() ledger.CertificateID {
	return ledger.IDOfCertificate(g.user.Certificate.Raw)
}

// Channel implements client.Ledger.
func (g *Gateway) Channel() string { return g.user.Profile.Channel }

// MSP implements client.Ledger.
func (g *Gateway) MSP() string { return g.user.Profile.MSP }

// PeerMSP is the organisation whose peer answers evaluated calls.
func (g *Gateway) PeerMSP() string { return g.user.Profile.Peer.MSP }

// evaluate calls a function of our chaincode and decodes the answer into out.
func (g *Gateway) evaluate(ctx context.Context, out any, transaction string, args ...any) error {
	texts, err := arguments(args)
	if err != nil {
		return err
	}
	answer, err := g.evaluateOn(ctx, g.contract, transaction, texts...)
	if err != nil {
		return err
	}
	return decode(transaction, answer, out)
}

// evaluateOn calls a function of any chaincode. Only peers of the organisation that was
// chosen may answer. Without that limit, the gateway of a peer whose chaincode is away
// passes the call on to other organisations, who then see it.
func (g *Gateway) evaluateOn(ctx context.Context, contract *gateway.Contract, transaction string, args ...string) ([]byte, error) {
	ectx, cancel := context.WithTimeout(ctx, g.timeouts.Evaluate)
	defer cancel()
	answer, err := contract.EvaluateWithContext(ectx, transaction, gateway.WithArguments(args...),
		gateway.WithEndorsingOrganizations(g.PeerMSP()))
	if err != nil {
		return nil, g.explainEvaluate(ctx, transaction, err)
	}
	return answer, nil
}

// arguments encodes arguments as contractapi reads them: strings as they are, everything
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
