// Package bare holds the yardsticks: plain clients of the systems under Chartseal. They
// call those systems directly, with none of Chartseal's code around the call.
package bare

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/client/wallet"
)

// Fabric is a plain fabric-gateway client. It is safe for concurrent use.
type Fabric struct {
	conn     *grpc.ClientConn
	gateway  *gateway.Gateway
	contract *gateway.Contract
	channel  string
}

// ConnectFabric connects a user to the peer of their organisation.
func ConnectFabric(u *wallet.User) (*Fabric, error) {
	id, err := identity.NewX509Identity(u.Profile.MSP, u.Certificate)
	if err != nil {
		return nil, fmt.Errorf("bare Fabric client of %s: %w", u, err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(u.Profile.Peer.TLSRoots)
	conn, err := grpc.NewClient("passthrough:///"+u.Profile.Peer.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: u.Profile.Peer.ServerName, Certificates: []tls.Certificate{u.TLS},
	})))
	if err != nil {
		return nil, fmt.Errorf("bare Fabric client of %s: %w", u, err)
	}
	tlsHash := sha256.Sum256(u.TLS.Certificate[0])
	gw, err := gateway.Connect(id, gateway.WithSign(u.Sign), gateway.WithHash(hash.SHA256), gateway.WithClientConnection(conn),
		gateway.WithTLSClientCertificateHash(tlsHash[:]))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("bare Fabric client of %s: %w", u, err)
	}
	return &Fabric{conn: conn, gateway: gw, contract: gw.GetNetwork(u.Profile.Channel).GetContract(u.Profile.Chaincode), channel: u.Profile.Channel}, nil
}

// Submit returns when the transaction is committed. Under load, BFT orderers sometimes
// accept a transaction and still answer "request already processed". A gateway client
// sees that as a failure. Submit then asks for the status of the same transaction, as a
// careful program must.
func (f *Fabric) Submit(ctx context.Context, transaction string, args ...string) error {
	proposal, err := f.contract.NewProposal(transaction, gateway.WithArguments(args...))
	if err != nil {
		return err
	}
	tx, err := proposal.EndorseWithContext(ctx)
	if err != nil {
		return err
	}
	commit, submitErr := tx.SubmitWithContext(ctx)
	if submitErr != nil {
		if commit, err = f.commitOf(tx.TransactionID()); err != nil {
			return errors.Join(submitErr, err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	status, err := commit.StatusWithContext(ctx)
	if err != nil {
		return errors.Join(submitErr, err)
	}
	if !status.Successful {
		return fmt.Errorf("bare %s: transaction %s was refused at commit: %s", transaction, status.TransactionID, status.Code)
	}
	return nil
}

// patience limits the wait for a transaction that the orderers did not acknowledge.
const patience = 20 * time.Second

// commitOf builds the status request of a transaction from its id.
func (f *Fabric) commitOf(id string) (*gateway.Commit, error) {
	own := f.gateway.Identity()
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: own.MspID(), IdBytes: own.Credentials()})
	if err != nil {
		return nil, err
	}
	request, err := proto.Marshal(&gwproto.CommitStatusRequest{ChannelId: f.channel, TransactionId: id, Identity: creator})
	if err != nil {
		return nil, err
	}
	signed, err := proto.Marshal(&gwproto.SignedCommitStatusRequest{Request: request})
	if err != nil {
		return nil, err
	}
	return f.gateway.NewCommit(signed)
}

// Put writes an asset. Only the benchmarks' chaincode program has this contract.
func (f *Fabric) Put(ctx context.Context, key, value string) error {
	return f.Submit(ctx, "asset:Put", key, value)
}

// PutMany writes assets in one transaction.
func (f *Fabric) PutMany(ctx context.Context, assets map[string]string) error {
	text, err := json.Marshal(assets)
	if err != nil {
		return err
	}
	return f.Submit(ctx, "asset:PutMany", string(text))
}

// Get reads an asset.
func (f *Fabric) Get(ctx context.Context, key string) (string, error) {
	value, err := f.contract.EvaluateWithContext(ctx, "asset:Get", gateway.WithArguments(key))
	return string(value), err
}

// Close ends the connection.
func (f *Fabric) Close() error {
	f.gateway.Close()
	return f.conn.Close()
}
