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
// other, so that the network goes on; those that do not run stay down. Progress gets
// lines of text; nil discards them.
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
// is none.
//
// Errors:
//   - those of [Network.Renew].
func (n *Network) RenewDue(ctx context.Context, progress io.Writer) error {
	return n.renewSome(ctx, progress, n.Due(time.Now()))
}

func (n *Network) renewSome(ctx context.Context, progress io.Writer, chosen []Certificate) error {
	chosen = renewable(chosen)
	if len(chosen) == 0 {
		return nil
	}
	return n.exclusively(func() error {
		if !n.state.Created {
			return fmt.Errorf("the network in %s was never completed: bring it up first", n.dir)
		}
		u := &bringUp{Network: n, say: talk(progress)}
		running := u.running(u.processes())
		if u.stuck(chosen) {
			if err := u.stop(ctx, running); err != nil {
				return err
			}
		}
		if err := u.renew(ctx, chosen); err != nil {
			return err
		}
		if err := u.startAgain(ctx, running); err != nil {
			return err
		}
		// A CA whose organisation is down has served its purpose.
		idle := slices.DeleteFunc(u.running(u.processes()), func(p *process) bool {
			return p.kind != "ca" || slices.ContainsFunc(running, func(r *process) bool { return r.name() == p.name() })
		})
		return errors.Join(u.renewConsenters(ctx), u.stop(ctx, idle))
	})
}

// renewAtStart renews certificates before the servers are started that do not run. What
// it stops is started with them.
func (u *bringUp) renewAtStart(ctx context.Context, due []Certificate) error {
	if u.stuck(due) {
		if err := u.down(ctx); err != nil {
			return err
		}
	}
	return u.renew(ctx, due)
}

// renewable leaves out the roots, which are for people to replace.
func renewable(chosen []Certificate) []Certificate {
	return slices.DeleteFunc(chosen, func(c Certificate) bool { return c.Use == UseRoot })
}

func (n *Network) running(all []*process) []*process {
	return slices.DeleteFunc(all, func(p *process) bool { return n.pid(p) == 0 })
}

// stuck tells whether a peer or orderer runs with a certificate that has ended: then they
// no longer reach one another, and a restart of one after the other would wait for ever.
func (n *Network) stuck(chosen []Certificate) bool {
	now := time.Now()
	return slices.ContainsFunc(n.running(n.processes()), func(p *process) bool {
		return (p.kind == "peer" || p.kind == "orderer") && slices.ContainsFunc(chosen, func(c Certificate) bool {
			return !c.NotAfter.After(now) && slices.Contains(p.holders(), c.Holder)
		})
	})
}

// holders names the holders of the certificates with which a process serves.
func (p *process) holders() []string {
	all := []string{p.name()}
	if p.kind == "authority" || p.kind == "replicator" {
		all = append(all, "authority@"+p.organisation)
	}
	return all
}

// renew replaces certificates, and restarts the servers that run with them. An orderer of
// a BFT channel gets its new identity from renewConsenters.
func (u *bringUp) renew(ctx context.Context, chosen []Certificate) error {
	holders := map[string]bool{}
	for _, c := range chosen {
		holders[c.Holder] = true
	}
	issue := func(ctx context.Context) error {
		return forEach(ctx, u.topology.Organisations(), func(ctx context.Context, o Organisation) error {
			if !slices.ContainsFunc(chosen, func(c Certificate) bool { return c.Organisation == o.Name }) {
				return nil
			}
			if err := u.renewFiles(ctx, o, holders); err != nil {
				return fmt.Errorf("renew certificates of %s: %w", o.Name, err)
			}
			return nil
		})
	}
	if err := u.phase(ctx, "new certificates", issue); err != nil {
		return err
	}
	for _, org := range u.organisations() {
		affected := slices.DeleteFunc(u.running(append(u.servers(org), u.services(org)...)), func(p *process) bool {
			return !slices.ContainsFunc(p.holders(), func(h string) bool { return holders[h] }) ||
				p.kind == "ca" || // it has been restarted
				p.kind == "orderer" && u.topology.Ordering.Type == BFT
		})
		if len(affected) == 0 {
			continue
		}
		if err := u.stop(ctx, affected); err != nil {
			return err
		}
		again := func(ctx context.Context) error { return u.startAgain(ctx, affected) }
		if err := u.phase(ctx, "restart of "+org, again); err != nil {
			return err
		}
	}
	return nil
}

// startAgain starts processes that ran before, in the order in which Up starts them, and
// waits until they take part in the channel.
func (u *bringUp) startAgain(ctx context.Context, processes []*process) error {
	var servers, peers, services []*process
	for _, p := range processes {
		switch p.kind {
		case "peer":
			peers = append(peers, p)
		case "authority", "replicator":
			services = append(services, p)
		default:
			servers = append(servers, p)
		}
	}
	if err := u.startAll(ctx, servers); err != nil {
		return err
	}
	for _, p := range peers {
		if err := u.startAll(ctx, []*process{p}); err != nil {
			return err
		}
	}
	for _, p := range processes {
		var err error
		switch p.kind {
		case "orderer":
			err = u.awaitActive(ctx, p.organisation)
		case "peer":
			err = u.awaitCaughtUp(ctx, []*process{p}, u.highest(ctx))
		}
		if err != nil {
			return err
		}
	}
	return u.startAll(ctx, services)
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
		if _, person := o.Users[id.name]; person && errors.Is(err, fabricca.ErrDenied) {
			u.say("%s gets no new certificates, as after a revocation: %v", id.holder(org), err)
			return nil
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
		if err := u.stop(ctx, []*process{p}); err != nil {
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

// renewIdentity gets new certificates for an identity, which a new secret authenticates:
// it may have no certificate any more that does.
func (u *bringUp) renewIdentity(ctx context.Context, org string, ca *fabricca.Client, registrar fabricca.Identity, id identity) error {
	password := secret()
	const enrolments = 2 // one at each of the two CAs
	if err := ca.Reissue(ctx, registrar, enrolmentCA, id.name, password, enrolments); err != nil {
		return err
	}
	pair, tlsPair, err := u.certifyBoth(ctx, org, ca, id, password)
	if err != nil {
		return err
	}
	switch {
	case id.kind != "orderer" || u.topology.Ordering.Type != BFT:
		err = u.installIdentity(org, id, pair)
	case !u.waits(org):
		err = writeKeyPair(pair, u.nextIdentity(org), "")
	}
	if err != nil {
		return err
	}
	return writeKeyPair(tlsPair, id.dir, "tls-")
}
