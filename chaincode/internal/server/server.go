// Package server serves contracts to a peer (chaincode as a service). [Main] is a whole
// program. It reads its configuration from the environment, which external builders and
// service managers set, see [config].
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/chartseal/chartseal/chaincode/contract"
)

// drainTime bounds the wait for running transactions after a stop signal. Service
// managers usually wait ten seconds.
const drainTime = 5 * time.Second

// maxGRPC is the size limit of messages, the same as in Fabric's own server.
const maxGRPC = 100 << 20

// Main serves a chaincode until a signal stops the process. It returns the exit code.
func Main(program string, build func(contract.Config) (shim.Chaincode, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Getenv, slog.New(slog.NewTextHandler(os.Stderr, nil)), build); err != nil {
		fmt.Fprintf(os.Stderr, "%s: error: %v\n", program, err)
		return 1
	}
	return 0
}

// run serves until the context ends.
func run(ctx context.Context, getenv func(string) string, log *slog.Logger, build func(contract.Config) (shim.Chaincode, error)) error {
	c, err := fromEnv(getenv)
	if err != nil {
		return err
	}
	// The clock decides what is endorsed and never what is written, see contract.Config.
	chaincode, err := build(contract.Config{MSP: c.msp, Hospitals: c.hospitals, Amenders: c.amenders, Resealers: c.resealers, Erasers: c.erasers,
		ErasePersons: c.persons, Copies: c.copies, Clock: time.Now, Log: log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.address, err)
	}
	log.Info("serving chaincode", "address", listener.Addr().String(), "package", c.packageID, "msp", c.msp,
		"hospitals", c.hospitals, "tls", c.tls != nil, "mutual", c.tls != nil && c.tls.ClientCAs != nil)
	return serve(ctx, listener, c, chaincode, log)
}

// serve answers peers on the listener until the context ends. Then it waits for running
// transactions. It replaces the shim's own server, which cannot be stopped.
func serve(ctx context.Context, listener net.Listener, c config, chaincode shim.Chaincode, log *slog.Logger) error {
	counted := &counter{Chaincode: chaincode}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxGRPC),
		grpc.MaxSendMsgSize(maxGRPC),
		grpc.ConnectionTimeout(5 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Minute, PermitWithoutStream: true}),
	}
	if c.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(c.tls)))
	}
	server := grpc.NewServer(options...)
	peer.RegisterChaincodeServer(server, &shim.ChaincodeServer{CCID: c.packageID, CC: counted})

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve chaincode: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping", "running", counted.running.Load())
	go server.GracefulStop() // refuses new connections; a peer's stream never ends by itself
	deadline := time.Now().Add(drainTime)
	for quiet := 0; quiet < 5 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if counted.running.Load() == 0 {
			quiet++ // the shim sends the answer after Invoke returns
		} else {
			quiet = 0
		}
	}
	server.Stop()
	return nil
}

// A counter counts the running transactions.
type counter struct {
	shim.Chaincode
	running atomic.Int64
}

func (c *counter) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	c.running.Add(1)
	defer c.running.Add(-1)
	return c.Chaincode.Invoke(stub)
}
