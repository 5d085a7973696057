// Package stage is the scene of a benchmark: a network of its own with the benchmarks'
// chaincode, and people at its hospitals. Each person has a Chartseal connection and a
// bare one. The package also measures the processor time, memory and disk of the network.
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

// Options describe the network to make.
type Options struct {
	Bin      string    // directory of the programs, absolute
	Dir      string    // of the network, absolute; its topology file is written beside it
	Topology string    // YAML without the directory, the ports and the chaincode program; the rest has defaults
	Keep     bool      // leave the network running
	Out      io.Writer // receives the output of chartnet
}

// A Stage is a running network.
type Stage struct {
	Options
	Took time.Duration // time to start from nothing
	tidy []func() error
}

// Up makes a network. It replaces one that an interrupted run has left in the directory.
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

// Chartnet runs a chartnet command on this network.
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

// Wallet returns the directory of the network's wallet.
func (s *Stage) Wallet() string { return filepath.Join(s.Dir, "wallet") }

// User returns a user of the wallet, such as doctor@HospitalA.
func (s *Stage) User(name string) (*wallet.User, error) {
	w, err := wallet.Open(s.Wallet())
	if err != nil {
		return nil, err
	}
	return w.User(name)
}

// Close ends all connections. It removes the network unless Keep is set.
func (s *Stage) Close() error {
	var errs []error
	for i := len(s.tidy) - 1; i >= 0; i-- {
		errs = append(errs, s.tidy[i]())
	}
	s.tidy = nil
	return errors.Join(errs...)
}
