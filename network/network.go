package network

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// A Network is a network that exists in a directory, whether its processes run or not.
// Its methods may be called by several goroutines, but Up, Down, Start, Stop, Renew,
// Revoke, Reissue and Clean exclude one another, also between processes: a second one is
// refused. The watcher waits for them.
type Network struct {
	// WaitTimeout bounds each wait, see [Options]. It may be changed before a method is
	// called.
	WaitTimeout time.Duration

	// Progress gets lines of text about long waits, see [Options]. It may be changed too.
	Progress io.Writer

	dir      string // absolute
	state    *state
	topology *Topology
	lenient  atomic.Bool // see lenientOrderer
}

// Open finds the network in a directory.
//
// Errors:
//   - ErrNoNetwork if the directory holds none.
func Open(dir string) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	return &Network{dir: dir, state: s, topology: &s.Topology}, nil
}

// Directory is the network's directory, absolute.
func (n *Network) Directory() string { return n.dir }

// Wallet is the directory of the organisations' profiles and the users' certificates and
// keys.
func (n *Network) Wallet() string { return n.path("wallet") }

// Programs is the directory of the programs chartseal and chartseal-chaincode with which
// the network runs.
func (n *Network) Programs() string { return n.state.Programs }

// Topology is the network's declaration. The caller must not change it.
func (n *Network) Topology() *Topology { return n.topology }

// LedgerDirectory is where an organisation's peer keeps blocks and state.
func (n *Network) LedgerDirectory(org string) string { return n.org(org, "peer", "data") }

// IPFSDirectory is a hospital's kubo repository.
func (n *Network) IPFSDirectory(org string) string { return n.org(org, "ipfs") }

// exclusively runs a command that no other one may disturb.
//
// Errors:
//   - ErrUnavailable if another command works on the network.
func (n *Network) exclusively(command func() error) error {
	unlock, err := lockNetwork(n.dir, n.probeTimeout())
	if err != nil {
		return err
	}
	defer unlock()
	return command()
}

// Down stops all processes of the network. Ledgers, pins and keys stay for the next [Up].
//
// Errors:
//   - ErrUnavailable if another command works on the network.
func (n *Network) Down(ctx context.Context) error {
	return n.exclusively(func() error { return n.down(ctx) })
}

func (n *Network) down(ctx context.Context) error {
	if err := n.stop(ctx, n.processes()); err != nil {
		return err
	}
	// A killed launcher leaves commands that were running, and perhaps a server that has
	// not recorded itself yet.
	return stopProcesses(ctx, n.strays())
}

// halt ends processes that are started again in a moment. They stay wanted, so the
// watcher does so if this program is killed.
func (n *Network) halt(ctx context.Context, processes []*process) error {
	var records []processRecord
	for _, p := range processes {
		if r, ok := n.record(p); ok {
			records = append(records, r)
		}
	}
	return stopProcesses(ctx, records)
}

// stop ends processes for good.
func (n *Network) stop(ctx context.Context, processes []*process) error {
	if err := n.halt(ctx, processes); err != nil {
		return err
	}
	for _, p := range processes {
		os.Remove(n.pidFile(p))
	}
	return nil
}

// Clean stops the network and removes its directory. The built servers stay in the cache.
//
// Errors:
//   - ErrUnavailable if another command works on the network.
func (n *Network) Clean(ctx context.Context) error {
	return n.exclusively(func() error {
		if err := n.down(ctx); err != nil {
			return err
		}
		if filepath.Join(n.state.Programs, "network") == n.dir {
			os.Remove(filepath.Join(n.state.Programs, "chartseal.yaml")) // see writeWallet
		}
		return os.RemoveAll(n.dir)
	})
}
