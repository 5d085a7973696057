package network

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// Renew replaces the certificates of organisations, or of all if none is named, whether
// they have ended or not. Servers that run are restarted, one organisation after the
// other, so that the network goes on; those that an operator has stopped stay down. It
// also completes an earlier renewal that was interrupted. An organisation whose
// certificates cannot be replaced keeps no other one from it. Progress gets lines of
// text; nil discards them.
//
// Errors:
//   - ErrNotFound if there is no such organisation.
//   - ErrUnavailable if a server does not serve afterwards, or another command works on
//     the network.
func (n *Network) Renew(ctx context.Context, progress io.Writer, organisations ...string) error {
	for _, org := range organisations {
		if err := n.checkOrganisation(org); err != nil {
			return err
		}
	}
	return n.renewSome(ctx, progress, slices.DeleteFunc(n.Certificates(), func(c Certificate) bool {
		return len(organisations) > 0 && !slices.Contains(organisations, c.Organisation)
	}))
}

// RenewDue is Renew for the certificates that are [Network.Due]. It does nothing if there
// is none, and no renewal to complete.
//
// Errors:
//   - those of [Network.Renew].
func (n *Network) RenewDue(ctx context.Context, progress io.Writer) error {
	return n.renewSome(ctx, progress, n.Due(time.Now()))
}

func (n *Network) renewSome(ctx context.Context, progress io.Writer, chosen []Certificate) error {
	chosen = renewable(chosen)
	if len(chosen) == 0 && !n.unfinished() {
		return nil
	}
	return n.exclusively(func() error {
		if !n.state.Created {
			return fmt.Errorf("the network in %s was never completed: bring it up first", n.dir)
		}
		u := &bringUp{Network: n, say: talk(progress)}
		u.allowEnded()
		defer u.lenient.Store(false)
		wanted := slices.DeleteFunc(u.processes(), func(p *process) bool { return !u.wanted(p) })
		err := u.renew(ctx, chosen)
		// Those that are down come first: the others are restarted one after the other.
		dead := slices.DeleteFunc(slices.Clone(wanted), func(p *process) bool { return u.pid(p) != 0 })
		err = errors.Join(err, u.startAgain(ctx, dead), u.restartOutdated(ctx, u.organisations()...))
		if err == nil {
			err = u.renewConsenters(ctx)
		}
		// A CA whose organisation is down has served its purpose.
		idle := slices.DeleteFunc(u.running(u.processes()), func(p *process) bool {
			return p.kind != "ca" || slices.ContainsFunc(wanted, func(w *process) bool { return w.name() == p.name() })
		})
		return errors.Join(err, u.stop(ctx, idle))
	})
}

// renewable leaves out the roots, which are for people to replace.
func renewable(chosen []Certificate) []Certificate {
	return slices.DeleteFunc(chosen, func(c Certificate) bool { return c.Use == UseRoot })
}

func (n *Network) running(all []*process) []*process {
	return slices.DeleteFunc(all, func(p *process) bool { return n.pid(p) == 0 })
}

// unreachable chooses, of the processes that run, the peers and orderers with a
// certificate that has ended. No other server speaks to them, so a restart of one after
// the other would wait for ever. If too few orderers are left to order, it chooses all
// orderers: see lenientOrderer.
func (n *Network) unreachable(running []*process, chosen []Certificate) []*process {
	now := time.Now()
	unreachable := func(p *process) bool {
		return (p.kind == "peer" || p.kind == "orderer") && slices.ContainsFunc(chosen, func(c Certificate) bool {
			unpaired := c.NotAfter.IsZero() // on the disk: the server has read a good one
			return !unpaired && c.ended(now) && c.Holder == p.name()
		})
	}
	good := 0
	for _, p := range running {
		if p.kind == "orderer" && !unreachable(p) {
			good++
		}
	}
	return slices.DeleteFunc(slices.Clone(running), func(p *process) bool {
		return !unreachable(p) && (p.kind != "orderer" || good >= n.quorum() || !n.lenient.Load())
	})
}

// holders names the holders of the certificates with which a process serves.
func (p *process) holders() []string {
	all := []string{p.name()}
	if p.kind == "authority" || p.kind == "keeper" {
		all = append(all, "authority@"+p.organisation)
	}
	return all
}

// outdated tells whether a process runs with a certificate that was replaced after its
// start, or as a lenient orderer without need.
func (n *Network) outdated(p *process) bool {
	r, running := n.record(p)
	started, err := os.Stat(n.pidFile(p)) // written at the start
	if !running || err != nil {
		return false
	}
	if p.kind == "orderer" && !n.lenient.Load() && hasVariable(r.pid, lenientOrderer) {
		return true
	}
	for _, o := range n.topology.Organisations() {
		if o.Name != p.organisation {
			continue
		}
		for _, c := range n.certificatesOf(o) {
			if !slices.Contains(p.holders(), c.Holder) || c.file == "" {
				continue
			}
			if written, err := os.Stat(c.file); err == nil && written.ModTime().After(started.ModTime()) {
				return true
			}
		}
	}
	return false
}

// unfinished tells whether a renewal was interrupted before every server ran with its new
// certificates.
func (n *Network) unfinished() bool {
	return slices.ContainsFunc(n.organisations(), n.waits) || slices.ContainsFunc(n.members(n.organisations()...), func(p *process) bool {
		return n.outdated(p) || n.wanted(p) && n.pid(p) == 0
	})
}

// renew replaces the files of certificates. The caller starts the servers that it ends,
// and restarts those that are outdated then. An orderer of a BFT channel gets its new
// identity from renewConsenters.
func (u *bringUp) renew(ctx context.Context, chosen []Certificate) error {
	if err := u.halt(ctx, u.unreachable(u.running(u.members(u.organisations()...)), chosen)); err != nil {
		return err
	}
	return u.phase(ctx, "new certificates", func(ctx context.Context) error { return u.issue(ctx, chosen) })
}

// issue replaces the files of certificates.
func (u *bringUp) issue(ctx context.Context, chosen []Certificate) error {
	holders := map[string]bool{}
	for _, c := range chosen {
		holders[c.Holder] = true
	}
	return tryEach(ctx, u.topology.Organisations(), func(ctx context.Context, o Organisation) error {
		if !slices.ContainsFunc(chosen, func(c Certificate) bool { return c.Organisation == o.Name }) {
			return nil
		}
		if err := u.renewFiles(ctx, o, holders); err != nil {
			return fmt.Errorf("renew certificates of %s: %w", o.Name, err)
		}
		return nil
	})
}

// restartOutdated restarts the servers that run with older certificates than those on the
// disk, one organisation after the other.
func (u *bringUp) restartOutdated(ctx context.Context, organisations ...string) error {
	for _, org := range organisations {
		outdated := slices.DeleteFunc(u.members(org), func(p *process) bool {
			return !u.outdated(p) || p.kind == "orderer" && u.topology.Ordering.Type == BFT
		})
		if len(outdated) == 0 {
			continue
		}
		if err := u.halt(ctx, outdated); err != nil {
			return err
		}
		again := func(ctx context.Context) error { return u.startAgain(ctx, outdated) }
		if err := u.phase(ctx, "restart of "+org, again); err != nil {
			return err
		}
	}
	return nil
}

// startAgain starts processes that ran before, in the order in which Up starts them, and
// waits until they take part in the channel. An error of one keeps none of the others
// from starting.
func (u *bringUp) startAgain(ctx context.Context, processes []*process) error {
	var servers, services []*process
	var errs []error
	for _, p := range processes {
		switch p.kind {
		case "peer": // one after the other, see reconnectInterval
		case "authority", "keeper":
			services = append(services, p)
		default:
			servers = append(servers, p)
		}
	}
	errs = append(errs, u.startEach(ctx, servers))
	for _, p := range processes {
		if p.kind == "peer" {
			errs = append(errs, u.startEach(ctx, []*process{p}))
		}
	}
	for _, p := range processes {
		if u.pid(p) == 0 {
			continue // there is an error already
		}
		var err error
		switch p.kind {
		case "orderer":
			err = u.awaitActive(ctx, p.organisation)
		case "peer":
			err = u.awaitCaughtUp(ctx, []*process{p}, u.highest(ctx))
		}
		if errors.Is(err, ErrCatchingUp) {
			u.say("%v", err)
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, u.startEach(ctx, services))...)
}

// renewFiles replaces the certificates of the holders that belong to an organisation. Its
// CA runs afterwards.
func (u *bringUp) renewFiles(ctx context.Context, o Organisation, holders map[string]bool) error {
	org := o.Name
	for _, kind := range []string{"ca", "chaincode", "authority", "ipfs-proxy"} {
		if holders[org+"/"+kind] {
			if err := u.recertifyServer(org, kind, u.org(org, kind), x509.ExtKeyUsageServerAuth); err != nil {
				return err
			}
		}
	}
	if err := u.renewRegistrar(ctx, org, holders[org+"/registrar"], holders[org+"/ca"]); err != nil {
		return err
	}
	ca, registrar, err := u.asRegistrar(ctx, org)
	if err != nil {
		return err
	}
	if err := u.revokeReplaced(ctx, org, ca, registrar); err != nil {
		return err
	}
	identities := slices.DeleteFunc(append(u.nodes(org), u.users(o)...), func(id identity) bool { return !holders[id.holder(org)] })
	return forEach(ctx, identities, func(ctx context.Context, id identity) error {
		err := u.renewIdentity(ctx, org, ca, registrar, id)
		if _, person := o.Users[id.name]; person && errors.Is(err, errRefused) {
			u.say("%s gets no new certificates, and is not asked for again: %v", id.holder(org), err)
			return writeFile(u.refused(org, id.name), nil)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", id.holder(org), err)
		}
		return err
	})
}

// renewRegistrar makes sure that an organisation's CA runs and accepts its registrar,
// whom it gives a new certificate if wanted. A registrar whose certificate has ended
// cannot ask for another one, and nobody stands above a registrar. So the CA gets another
// one in its configuration, as it got the first. The CA is restarted if it has another
// registrar, or another certificate itself.
func (u *bringUp) renewRegistrar(ctx context.Context, org string, wanted, restart bool) error {
	dir := u.registrarDir(org)
	file := filepath.Join(dir, "cert.pem")
	end, _ := endOf(file)
	_, unpaired := readIdentity(dir, "") // there may be none: it enrolled, and was killed before it wrote the certificate
	ended := unpaired != nil || !end.After(time.Now())
	if ended {
		err := errors.Join(
			writeFile(filepath.Join(u.replacedRegistrars(org), u.registrarName(org)), nil),
			writeFile(filepath.Join(dir, "name"), []byte("registrar-"+secret()[:16])),
			writeFile(filepath.Join(dir, "secret"), []byte(secret())),
			os.RemoveAll(file)) // the next use of the registrar enrols it
		if err != nil {
			return err
		}
	}
	if err := u.refreshCA(ctx, org); err != nil {
		return err
	}
	p := u.caProcess(org)
	if ended || restart {
		if err := u.halt(ctx, []*process{p}); err != nil {
			return err
		}
	}
	if err := u.startAll(ctx, []*process{p}); err != nil || ended || !wanted {
		return err
	}
	ca, registrar, err := u.asRegistrar(ctx, org)
	if err != nil {
		return err
	}
	pair, err := ca.Reenroll(ctx, fabricca.Request{CA: enrolmentCA, Name: u.registrarName(org)}, registrar)
	if err != nil {
		return err
	}
	return writeKeyPair(pair, dir, "")
}

// revokeReplaced revokes the registrars that another one has replaced. Their names are
// those of files, which stay until it is done.
func (n *Network) revokeReplaced(ctx context.Context, org string, ca *fabricca.Client, registrar fabricca.Identity) error {
	dir := n.replacedRegistrars(org)
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil // there is none
	}
	for _, f := range files {
		if f.Name() == n.registrarName(org) {
			continue // it was never replaced
		}
		// The CA knows only those with whom it has run.
		if err := ca.Revoke(ctx, registrar, enrolmentCA, f.Name()); err != nil && !errors.Is(err, fabricca.ErrNotFound) {
			return fmt.Errorf("revoke the former registrar %s: %w", f.Name(), err)
		}
	}
	return os.RemoveAll(dir)
}

// errRefused: the CA does not take a new secret from whom it was made for. So the
// identity is revoked.
var errRefused = errors.New("revoked at the CA")

// refused is a file that is there for a user of the topology who is revoked at the CA.
// Their certificates are not renewed any more.
func (n *Network) refused(org, user string) string { return n.org(org, "ca", "refused", user) }

// renewIdentity gets new certificates for an identity, which a new secret authenticates:
// it may have no certificate any more that does.
func (u *bringUp) renewIdentity(ctx context.Context, org string, ca *fabricca.Client, registrar fabricca.Identity, id identity) error {
	password := secret()
	const enrolments = 2 // one at each of the two CAs
	if err := ca.Reissue(ctx, registrar, enrolmentCA, id.name, password, enrolments); err != nil {
		return err
	}
	pair, tlsPair, err := u.certifyBoth(ctx, org, ca, id, password)
	if errors.Is(err, fabricca.ErrDenied) {
		return mark(errRefused, err)
	}
	if err != nil {
		return err
	}
	switch {
	case id.kind != "orderer" || u.topology.Ordering.Type != BFT:
		err = u.installIdentity(org, id, pair)
	case !u.waits(org) || u.nextEnds(org).Before(time.Now().Add(u.renewalPeriod())):
		err = writeKeyPair(pair, u.nextIdentity(org), "")
	}
	if err != nil {
		return err
	}
	return writeKeyPair(tlsPair, id.dir, "tls-")
}
