package network

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stateFile marks a directory as a network, and keeps the settings that the next Up must
// use again.
const stateFile = "network.json"

type state struct {
	ID        string         `json:"id"`        // random; in the environment of every process of this network
	Ports     int            `json:"ports"`     // first port of the block
	Created   bool           `json:"created"`   // the channel works and the chaincode is committed
	Closed    bool           `json:"closed"`    // people get blocks and wrapped keys from the chaincode only, see close
	Settings  int            `json:"settings"`  // the release of its servers' settings
	Services  bool           `json:"services"`  // authorities and keepers belong to it
	Announced bool           `json:"announced"` // every authority's keys are on the ledger
	Scopes    []string       `json:"scopes"`    // that exist
	Programs  string         `json:"programs"`  // directory of chartseal and the chaincode server
	Servers   serverBinaries `json:"servers"`   // directories of the server binaries
	Topology  Topology       `json:"topology"`
}

// settings is the release of the servers' settings. Up restarts the servers of a network
// with older ones:
//
//	0: people's certificates administered their hospital's servers
//	1: the administration, the servers and people have TLS roots of their own, and the
//	   wallet's token for kubo is good for the calls of a client only
//	2: people reach kubo through a proxy that knows them
//	3: the CA gives no certificate to somebody whom it revokes meanwhile
//	4: kubo compares blocks with their hashes, and takes good copies of damaged ones
//	5: a keeper, which was called replicator
const settings = 5

func readState(dir string) (*state, error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoNetwork)
	}
	if err != nil {
		return nil, fmt.Errorf("read network state: %w", err)
	}
	d := Default() // networks of earlier releases lack settings that had one value then
	s := state{Topology: Topology{
		ChaincodeProgram: d.ChaincodeProgram, Ordering: d.Ordering, CertificateLifetime: d.CertificateLifetime, Watch: d.Watch, Copies: d.Copies,
	}}
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("read network state %s: %w", filepath.Join(dir, stateFile), err)
	}
	return &s, nil
}

func (s *state) write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, stateFile), append(data, '\n'))
}

// claimDirectory makes sure that dir may hold a network: it does not exist, is empty, or
// holds one already.
func claimDirectory(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make network directory: %w", err)
		}
		return os.Chmod(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("network directory: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, stateFile)); err == nil {
		return nil
	}
	var locked, foreign bool
	for _, e := range entries {
		switch name := e.Name(); {
		case name == lockName:
			locked = true
		case !strings.HasPrefix(name, newPrefix):
			foreign = true
		}
	}
	if locked && !foreign {
		return nil // an earlier Up died before it wrote its state
	}
	return fmt.Errorf("directory %s is not empty and holds no network: choose another", dir)
}

// difference names the first setting that differs from a topology and cannot be changed,
// or gives "". Users and scopes may be added at any time, and the lifetime of
// certificates may change.
func (s *state) difference(t *Topology) string {
	old := s.Topology
	switch {
	case organisationNames(old.Hospitals) != organisationNames(t.Hospitals):
		return "hospitals"
	case organisationNames(old.Regulators) != organisationNames(t.Regulators):
		return "regulators"
	case old.Channel != t.Channel:
		return "channel"
	case old.Chaincode != t.Chaincode:
		return "chaincode"
	case old.Ordering != t.Ordering:
		return "ordering"
	case t.Ports != FreePorts && int(t.Ports) != s.Ports:
		return "ports"
	}
	return ""
}

func organisationNames(organisations []Organisation) string {
	var names []string
	for _, o := range organisations {
		names = append(names, o.Name)
	}
	return strings.Join(names, " ")
}

const lockName = "lock"

var errLocked = errors.New("locked by another process")

// lockFile takes an advisory lock, which the kernel drops when this process ends. Without
// wait, it fails with errLocked if another process holds the lock.
func lockFile(name string, wait bool) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}

// awaitLock waits for a lock. It asks again and again, because a context cannot end a
// wait in the kernel.
func awaitLock(ctx context.Context, name string) (*os.File, error) {
	for {
		f, err := lockFile(name, false)
		if !errors.Is(err, errLocked) {
			return f, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// lockNetwork keeps two commands from changing the network at once. It is patient: a
// command that was killed may leave a child that holds its lock until the child becomes
// another program.
func lockNetwork(dir string, patience time.Duration) (unlock func(), err error) {
	f, err := lockFile(filepath.Join(dir, lockName), false)
	for end := time.Now().Add(patience); errors.Is(err, errLocked) && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
		f, err = lockFile(filepath.Join(dir, lockName), false)
	}
	if errors.Is(err, errLocked) {
		return nil, mark(ErrUnavailable, fmt.Errorf("another command is working on the network in %s: wait for it to end", dir))
	}
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// newPrefix begins the name of a file that is being written.
const newPrefix = ".new-"

// writeFile writes a private file in one step, and its directory when that is missing.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), newPrefix+"*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// secret gives 32 random bytes in hexadecimal.
func secret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
