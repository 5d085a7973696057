// Package stage is where benchmarks play: a network of their own with the benchmarks'
// chaincode, people at its hospitals who have a connection through our client and a bare
// one, and what its processes take of the machine.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/chartseal/chartseal/client/wallet"
)

// Options say which network to make.
type Options struct {
	Bin      string    // directory of the programs, absolute
	Dir      string    // of the network, absolute; its topology file stands beside it
	Topology string    // YAML, beside the directory, the ports and the chaincode program; what it leaves out has a default
	Keep     bool      // leave the network running
	Out      io.Writer // gets what chartnet says
}

// A Stage is a network that runs.
type Stage struct {
	Options
	Took time.Duration // to come up from nothing
	tidy []func() error
}

// Up makes a network, in place of one that an interrupted run has left there.
func Up(ctx context.Context, o Options) (*Stage, error) {
	s := &Stage{Options: o}
	if err := os.MkdirAll(filepath.Dir(o.Dir), 0o755); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("directory: %q\nports: free\nchaincodeProgram: chartseal-bench-chaincode\n%s", o.Dir, o.Topology)
	if err := os.WriteFile(s.topology(), []byte(text), 0o644); err != nil {
		return nil, err
	}
	if !o.Keep {
		s.tidy = append(s.tidy, func() error { return os.Remove(s.topology()) },
			func() error { return s.Chartnet(context.Background(), "clean") })
	}
	if err := s.Chartnet(ctx, "clean"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	start := time.Now()
	if err := s.Chartnet(ctx, "up"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Took = time.Since(start)
	return s, nil
}

func (s *Stage) topology() string { return s.Dir + ".yaml" }

// Chartnet runs a command of the program on this network.
func (s *Stage) Chartnet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "chartnet"), append([]string{"--topology", s.topology(), "--bin", s.Bin}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("chartnet %s: %w\n%s", args[0], err, out)
	}
	if s.Out != nil {
		s.Out.Write(out)
	}
	return nil
}

// Wallet is the directory of the network's people.
func (s *Stage) Wallet() string { return filepath.Join(s.Dir, "wallet") }

// User is somebody of the wallet, such as doctor@HospitalA.
func (s *Stage) User(name string) (*wallet.User, error) {
	w, err := wallet.Open(s.Wallet())
	if err != nil {
		return nil, err
	}
	return w.User(name)
}

// Close ends all connections and removes the network, unless it is to be kept.
func (s *Stage) Close() error {
	var errs []error
	for i := len(s.tidy) - 1; i >= 0; i-- {
		errs = append(errs, s.tidy[i]())
	}
	s.tidy = nil
	return errors.Join(errs...)
}
