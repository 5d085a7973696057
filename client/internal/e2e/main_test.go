// Package e2e tests Chartseal on a consortium of real servers: Fabric peers, BFT
// orderers, Fabric CAs, kubo nodes and attribute authorities. It starts them on free
// ports in a directory of its own and stops them by process id. If a server does not
// start, the tests fail; they never skip.
package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipfs/kubo/client/rpc"
	iface "github.com/ipfs/kubo/core/coreiface"
	"github.com/ipfs/kubo/core/coreiface/options"
	"github.com/multiformats/go-multiaddr"

	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/ipfs"
	"github.com/chartseal/chartseal/client/wallet"
	"github.com/chartseal/chartseal/network"
)

// consortium is the network that all tests of the package share.
var consortium *network.Network

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	os.Setenv("CHARTSEAL_BACKGROUND", "no") // the tests leave no process
	dir, err := os.MkdirTemp("", "chartseal-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute) // the servers may have to be built first
	defer cancel()
	programs, err := layOut(ctx, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	topology := network.Default()
	topology.Directory, topology.Ports = filepath.Join(programs, "network"), network.FreePorts
	topology.Watch = false // tests stop servers themselves
	consortium, err = network.Up(ctx, topology, network.Options{Programs: programs, Progress: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bring up the network:", err)
		if n, err := network.Open(topology.Directory); err == nil {
			n.Clean(context.Background())
		}
		return 1
	}
	defer func() {
		if err := consortium.Clean(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "clean the network:", err)
		}
	}()
	return m.Run()
}

// user loads one of the network's users.
func user(t *testing.T, name string) *wallet.User {
	t.Helper()
	w, err := wallet.Open(consortium.Wallet())
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.User(name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// connect returns a user's connection to the ledger.
func connect(t *testing.T, name string) *fabric.Gateway {
	t.Helper()
	g, err := fabric.Connect(user(t, name), fabric.Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// store returns the IPFS node of a hospital as its operator, with a limit on its idle
// time. Zero is the default limit.
func store(t *testing.T, hospital string, idle time.Duration) *ipfs.Store {
	t.Helper()
	token, err := consortium.OperatorToken(hospital)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ipfs.New(ipfs.Options{API: "/unix" + consortium.IPFSSocket(hospital), Token: token, Idle: idle})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// storeOf returns the IPFS node of a person's hospital, as the person reaches it.
func storeOf(t *testing.T, u *wallet.User, idle time.Duration) *ipfs.Store {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{u.TLS}}
	config.RootCAs.AppendCertsFromPEM(u.Profile.IPFS.TLSRoots)
	s, err := ipfs.New(ipfs.Options{API: u.Profile.IPFS.API, TLS: config, Idle: idle})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// kubo returns the RPC client of a hospital's IPFS node as its operator, without our
// adapter.
func kubo(t *testing.T, hospital string) *rpc.HttpApi {
	t.Helper()
	address, err := multiaddr.NewMultiaddr("/unix" + consortium.IPFSSocket(hospital))
	if err != nil {
		t.Fatal(err)
	}
	api, err := rpc.NewApi(address)
	if err != nil {
		t.Fatal(err)
	}
	token, err := consortium.OperatorToken(hospital)
	if err != nil {
		t.Fatal(err)
	}
	api.Headers.Set("Authorization", "Bearer "+token)
	return api
}

// pins lists the pinned CIDs of a hospital's IPFS node: the roots and the nodes that they
// link to.
func pins(t *testing.T, hospital string) []string {
	t.Helper()
	found := make(chan iface.Pin)
	failed := make(chan error, 1)
	go func() { failed <- kubo(t, hospital).Pin().Ls(t.Context(), found, options.Pin.Ls.All()) }()
	var cids []string
	for pin := range found {
		cids = append(cids, pin.Path().RootCid().String())
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return cids
}

func profile(t *testing.T, organisation string) *wallet.Profile {
	t.Helper()
	w, err := wallet.Open(consortium.Wallet())
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Profile(organisation)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
