// Package bare is the yardsticks: the systems under Chartseal as anybody would call them, with nothing of ours around the call.
package bare

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/chartseal/chartseal/client/wallet"
)

// Fabric is a plain fabric-gateway client. It is safe for concurrent use.
type Fabric struct {
	conn     *grpc.ClientConn
	gateway  *gateway.Gateway
	contract *gateway.Contract
}

// ConnectFabric makes a user's connection to the peer of their organisation.
func ConnectFabric(u *wallet.User) (*Fabric, error) {
	id, err := identity.NewX509Identity(u.Profile.MSP, u.Certificate)
	if err != nil {
		return nil, fmt.Errorf("bare Fabric client of %s: %w", u, err)
	}
	sign, err := identity.NewPrivateKeySign(u.Key())
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
	gw, err := gateway.Connect(id, gateway.WithSign(sign), gateway.WithHash(hash.SHA256), gateway.WithClientConnection(conn),
		gateway.WithTLSClientCertificateHash(tlsHash[:]))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("bare Fabric client of %s: %w", u, err)
	}
	return &Fabric{conn: conn, gateway: gw, contract: gw.GetNetwork(u.Profile.Channel).GetContract(u.Profile.Chaincode)}, nil
}

// Evaluate asks the peer.
func (f *Fabric) Evaluate(ctx context.Context, transaction string, args ...string) ([]byte, error) {
	return f.contract.EvaluateWithContext(ctx, transaction, gateway.WithArguments(args...))
}

// Submit returns when the transaction is committed.
func (f *Fabric) Submit(ctx context.Context, transaction string, args ...string) ([]byte, error) {
	return f.contract.SubmitWithContext(ctx, transaction, gateway.WithArguments(args...))
}

// Close ends the connection.
func (f *Fabric) Close() error {
	f.gateway.Close()
	return f.conn.Close()
}
