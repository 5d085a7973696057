package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Options say how [Up] works. The zero value is good for tests.
type Options struct {
	// Programs is the directory of chartseal, the chaincode server and ccbuilder. If it
	// is empty, Up compiles them from the repository around the working directory into
	// the network's directory.
	Programs string

	// WithoutServices leaves out attribute authorities, keepers, attribute keys and
	// scopes. Tests of the chaincode need only the rest, which comes up sooner.
	WithoutServices bool

	// WaitTimeout bounds each wait for a server to start, or for the ledger to reach a
	// state. A server that dies ends the wait at once. Zero is two minutes; tests on a
	// busy machine want more. A single question to a server gets a fortieth of it.
	WaitTimeout time.Duration

	// Progress gets lines of text about long work and the time of each phase. Nil
	// discards them.
	Progress io.Writer
}

// Up brings a network up and returns when every process serves. The package comment says
// how it treats a network that exists. After an error the started processes run on, so
// that their logs and status can be read. Up may be called again, or [Network.Down].
//
// Errors:
//   - ErrInvalid if the topology is not valid.
//   - ErrUnavailable if a server dies, does not serve within WaitTimeout, or another
//     command works on the network.
func Up(ctx context.Context, t *Topology, o Options) (*Network, error) {
	if err := t.Validate(); err != nil {
		return nil, mark(ErrInvalid, fmt.Errorf("topology: %w", err))
	}
	t = t.clone()
	dir, err := filepath.Abs(t.Directory)
	if err != nil {
		return nil, err
	}
	binaries, err := buildServers(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	if err := claimDirectory(dir); err != nil {
		return nil, err
	}
	unlock, err := lockNetwork(dir, probeTimeout(o.WaitTimeout))
	if err != nil {
		return nil, err
	}
	defer unlock()

	n, claim, err := prepare(ctx, dir, t)
	if err != nil {
		return nil, err
	}
	n.WaitTimeout = o.WaitTimeout
	if claim != nil {
		defer claim.close()
	}
	if err := n.adopt(ctx, o, binaries); err != nil {
		return nil, err
	}
	u := &bringUp{Network: n, say: talk(o.Progress)}
	defer n.lenient.Store(false)
	started := time.Now()
	if !n.state.Created {
		err = u.create(ctx)
	} else {
		err = u.resume(ctx)
	}
	if err == nil && n.state.Services {
		err = u.serve(ctx)
	}
	if n.state.Created { // the watcher tries again to start what has failed
		err = errors.Join(u.late, err, u.watch(ctx))
	}
	if err != nil {
		return nil, err
	}
	u.say("all of it ready after %.1f s", time.Since(started).Seconds())
	return n, nil
}

// prepare opens the network in dir. If there is none, or it was never completed, prepare
// starts a new one, and returns the claim on its ports if it chose them.
func prepare(ctx context.Context, dir string, t *Topology) (*Network, *portClaim, error) {
	old, err := readState(dir)
	switch {
	case err == nil && old.Created:
		if what := old.difference(t); what != "" {
			return nil, nil, fmt.Errorf("the network in %s was made with other %s: clean it first, or choose another directory", dir, what)
		}
		old.Topology = *t
		return &Network{dir: dir, state: old, topology: t}, nil, nil
	case err == nil:
		if err := (&Network{dir: dir, state: old, topology: &old.Topology}).discard(ctx); err != nil {
			return nil, nil, err
		}
	case !errors.Is(err, ErrNoNetwork):
		return nil, nil, err
	}
	s := &state{ID: secret(), Ports: int(t.Ports), Topology: *t}
	var claim *portClaim
	if t.Ports == FreePorts {
		cache, err := cacheDirectory()
		if err != nil {
			return nil, nil, err
		}
		s.Ports, claim, err = claimFreePorts(filepath.Join(cache, "ports"), dir, portsEach*len(t.Organisations()))
		if err != nil {
			return nil, nil, err
		}
	}
	return &Network{dir: dir, state: s, topology: t}, claim, s.write(dir)
}

// discard removes a network that was never completed, except for the lock on its
// directory.
func (n *Network) discard(ctx context.Context) error {
	if err := n.down(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(n.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockName || e.Name() == stateFile {
			continue // the next state replaces it
		}
		if err := os.RemoveAll(n.path(e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// adopt chooses the programs that the network runs.
func (n *Network) adopt(ctx context.Context, o Options, binaries serverBinaries) error {
	n.state.Servers, n.state.Services = binaries, !o.WithoutServices
	if o.Programs == "" {
		n.state.Programs = n.path("bin")
		if err := os.MkdirAll(n.state.Programs, 0o700); err != nil {
			return err
		}
		if err := buildPrograms(ctx, n.state.Programs, n.programs()); err != nil {
			return err
		}
	} else {
		dir, err := filepath.Abs(o.Programs)
		if err != nil {
			return err
		}
		n.state.Programs = dir
	}
	for _, name := range n.programs() {
		if _, err := os.Stat(filepath.Join(n.state.Programs, name)); err != nil {
			return fmt.Errorf("program %s is not in %s: build it first (make build)", name, n.state.Programs)
		}
	}
	return n.state.write(n.dir)
}

// programs names the programs of Chartseal that the network runs.
func (n *Network) programs() []string {
	all := []string{"ccbuilder", n.topology.ChaincodeProgram, "chartseal"}
	if n.topology.Watch {
		all = append(all, "chartnet")
	}
	return all
}

// A bringUp is one call of Up at work.
type bringUp struct {
	*Network
	say  func(string, ...any)
	late error // of a renewal, which keeps nothing from starting
}

// phase does steps at the same time and reports how long they took.
func (u *bringUp) phase(ctx context.Context, name string, steps ...func(context.Context) error) error {
	started := time.Now()
	if err := inParallel(ctx, steps...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	u.say("%-28s %5.1f s", name, time.Since(started).Seconds())
	return nil
}

// everywhere makes one step of the same step at all organisations.
func (u *bringUp) everywhere(step func(context.Context, string) error) func(context.Context) error {
	return func(ctx context.Context) error { return forEach(ctx, u.organisations(), step) }
}

// inOrder makes one step of several that follow one another.
func inOrder(steps ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, step := range steps {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func (u *bringUp) enrollUsers(ctx context.Context) error {
	return forEach(ctx, u.topology.Organisations(), func(ctx context.Context, o Organisation) error {
		return u.enrollAll(ctx, o.Name, u.users(o))
	})
}

func (u *bringUp) hospitals(step func(context.Context, string) error) func(context.Context) error {
	return func(ctx context.Context) error {
		return forEach(ctx, u.topology.Hospitals, func(ctx context.Context, h Organisation) error { return step(ctx, h.Name) })
	}
}

func (u *bringUp) makeAllSecrets(ctx context.Context) error {
	if !u.state.Services || u.state.Announced {
		return nil
	}
	return u.hospitals(u.makeSecrets)(ctx)
}

// makePeople fills the wallet and makes the hospitals' secrets. These come last: the
// program that makes them is a user of the wallet, so it reads certificates and profiles.
func (u *bringUp) makePeople(ctx context.Context) error {
	if err := inParallel(ctx, u.enrollUsers, u.makeProfiles); err != nil {
		return err
	}
	return u.makeAllSecrets(ctx)
}

// makeProfiles makes the IPFS nodes and writes the profiles.
func (u *bringUp) makeProfiles(ctx context.Context) error {
	if err := u.hospitals(u.initIPFS)(ctx); err != nil {
		return err
	}
	return errors.Join(u.configureIPFS(), u.writeWallet())
}

func (u *bringUp) startIPFS(ctx context.Context) error {
	return u.hospitals(func(ctx context.Context, org string) error {
		if err := u.startAll(ctx, []*process{u.ipfsProcess(org)}); err != nil {
			return err
		}
		return u.startIPFSProxy(ctx, org)
	})(ctx)
}

// startIPFSProxy starts a hospital's proxy with the present revocation list of its CA,
// which has to run. The list makes good what an interrupted Revoke, or one of an earlier
// release, did not do.
func (u *bringUp) startIPFSProxy(ctx context.Context, org string) error {
	if err := u.listRevoked(ctx, org); err != nil {
		return err
	}
	return u.startAll(ctx, []*process{u.ipfsProxyProcess(org)})
}

// resume starts what is not running, and enrols users that are new in the topology.
func (u *bringUp) resume(ctx context.Context) error {
	if u.state.Settings < settings {
		if err := u.down(ctx); err != nil {
			return err
		}
		for _, org := range u.organisations() {
			os.Remove(u.path("run", org, "replicator.pid")) // the keeper's, in earlier releases
		}
	}
	for _, org := range u.organisations() {
		if err := errors.Join(u.makeRoots(org), u.refreshCA(ctx, org), u.mendSigners(org), u.configureNodes(org)); err != nil {
			return err
		}
	}
	if err := errors.Join(u.configureIPFS(), u.writeWallet()); err != nil {
		return err
	}
	u.allowEnded()
	if due := renewable(u.Due(time.Now())); len(due) > 0 {
		u.late = u.renew(ctx, due)
	}
	if err := u.phase(ctx, "servers", u.startOthers, u.startPeers); err != nil {
		return err
	}
	err := u.phase(ctx, "gossip, users", u.everywhere(u.awaitGossip), u.everywhere(u.awaitActive), u.hospitals(u.startIPFSProxy), inOrder(u.enrollUsers, u.makeAllSecrets))
	if err == nil {
		err = u.restartOutdated(ctx, u.organisations()...)
	}
	if err == nil {
		err = u.renewConsenters(ctx)
	}
	if err == nil && !u.state.Closed {
		err = u.phase(ctx, "upgrade of an older network", u.close)
	}
	if err != nil || u.state.Settings == settings {
		return err
	}
	u.state.Settings = settings
	return u.state.write(u.dir)
}

// define makes the chaincode's definition with a sequence number: all organisations
// approve it, and one commits it.
func (u *bringUp) define(sequence int) func(context.Context) error {
	approve := func(ctx context.Context, org string) error { return u.approveChaincode(ctx, org, sequence) }
	return inOrder(u.everywhere(approve), u.awaitSameHeight, func(ctx context.Context) error { return u.commitChaincode(ctx, sequence) })
}

// startOthers starts all servers except the peers and the proxies, which need the CAs.
func (u *bringUp) startOthers(ctx context.Context) error {
	all := u.servers(u.organisations()...)
	return u.startEach(ctx, slices.DeleteFunc(all, func(p *process) bool { return p.kind == "peer" || p.kind == "ipfs-proxy" }))
}

// startPeers starts the peers one after the other, see reconnectInterval.
func (u *bringUp) startPeers(ctx context.Context) (err error) {
	for _, org := range u.organisations() {
		err = errors.Join(err, u.startEach(ctx, []*process{u.peerProcess(org)}))
	}
	return err
}

// serve starts the hospitals' own services, and gives people their keys.
func (u *bringUp) serve(ctx context.Context) error {
	start := func(ctx context.Context) error { return u.startAll(ctx, u.services(u.organisations()...)) }
	publish := u.hospitals(u.publishAuthority)
	if u.state.Announced {
		publish = inOrder()
	}
	if err := u.phase(ctx, "attribute authorities", start, publish); err != nil {
		return err
	}
	u.state.Announced = true
	err := u.phase(ctx, "attribute keys, scopes", u.createScopes, func(ctx context.Context) error {
		return forEach(ctx, u.topology.Hospitals, u.requestKeys)
	})
	return errors.Join(err, u.state.write(u.dir))
}
