package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// An identity is a node or a user of one organisation. Its certificates and keys are
// cert.pem, key.pem, tls-cert.pem and tls-key.pem in its directory.
type identity struct {
	name       string // enrolment id
	kind       string // Fabric's node OU: peer, orderer, admin or client
	attributes map[string]string
	hosts      []string // names in the TLS certificate; empty for who never serves
	dir        string
	msp        bool // an MSP directory is wanted beside the certificates
}

// serverHosts are the names of everything that listens.
var serverHosts = []string{"localhost", host}

// nodes are the identities without which the channel cannot be made.
func (n *Network) nodes(org string) []identity {
	return []identity{
		{name: "orderer", kind: "orderer", hosts: serverHosts, dir: n.org(org, "orderer"), msp: true},
		{name: "peer", kind: "peer", hosts: serverHosts, dir: n.org(org, "peer"), msp: true},
		{name: "chaincode", kind: "client", hosts: serverHosts, dir: n.org(org, "chaincode")},
		{name: "admin", kind: "admin", attributes: map[string]string{"role": "admin"}, dir: n.userDir("admin", org), msp: true},
	}
}

// users are the other identities of an organisation: those that every hospital has, and
// those of the topology.
func (n *Network) users(o Organisation) []identity {
	var all []identity
	if n.topology.isHospital(o.Name) {
		all = append(all,
			identity{name: "authority", kind: "client", attributes: map[string]string{"role": "authority"}, hosts: serverHosts, dir: n.userDir("authority", o.Name)},
			identity{name: "custodian", kind: "client", attributes: map[string]string{"role": "custodian"}, dir: n.userDir("custodian", o.Name)})
	}
	for _, user := range sortedKeys(o.Users) {
		all = append(all, identity{name: user, kind: "client", attributes: o.Users[user], dir: n.userDir(user, o.Name)})
	}
	return all
}

// enrollAll makes sure that identities have their certificates.
func (n *Network) enrollAll(ctx context.Context, org string, identities []identity) error {
	registrar, err := n.registrar(ctx, org)
	if err != nil {
		return fmt.Errorf("%s: %w", org, err)
	}
	return forEach(ctx, identities, func(ctx context.Context, id identity) error {
		if err := n.enrollOne(ctx, org, registrar, id); err != nil {
			return fmt.Errorf("%s: %w", org, err)
		}
		return nil
	})
}

// registrar gives the identity that may register others, enrolled with the CA's bootstrap
// secret on its first use.
func (n *Network) registrar(ctx context.Context, org string) (keyPair, error) {
	dir := n.org(org, "ca", "registrar")
	pair, err := readKeyPair(dir, "")
	if !errors.Is(err, fs.ErrNotExist) {
		return pair, err
	}
	password, err := os.ReadFile(filepath.Join(dir, "secret"))
	if err != nil {
		return keyPair{}, err
	}
	pair, err = n.caClient(org).enroll(ctx, "registrar", string(password), "ca", "")
	if err != nil {
		return keyPair{}, err
	}
	return pair, pair.write(dir, "")
}

// enrollOne registers an identity and enrols it at both CAs. The secret is kept until
// that is done, so that an interrupted enrolment can be taken up.
func (n *Network) enrollOne(ctx context.Context, org string, registrar keyPair, id identity) error {
	done := filepath.Join(id.dir, "tls-cert.pem")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	ca := n.caClient(org)
	secretFile := filepath.Join(id.dir, "enrolment-secret")
	password, err := os.ReadFile(secretFile)
	if errors.Is(err, fs.ErrNotExist) {
		const enrolments = 4 // two, and two more after an interruption
		var text string
		if text, err = ca.register(ctx, registrar, id.name, id.kind, id.attributes, enrolments); err == nil {
			password, err = []byte(text), writeFile(secretFile, []byte(text))
		}
	}
	if err != nil {
		return err
	}
	var pair, tlsPair keyPair
	err = inParallel(ctx,
		func(ctx context.Context) (err error) {
			pair, err = ca.enroll(ctx, id.name, string(password), "ca", "")
			return err
		},
		func(ctx context.Context) (err error) {
			tlsPair, err = ca.enroll(ctx, id.name, string(password), "tlsca", "tls", id.hosts...)
			return err
		})
	if err != nil {
		return err
	}
	if id.msp {
		// The administrator's MSP directory is the peer command's, and no business of the
		// wallet's.
		dir := filepath.Join(id.dir, "msp")
		if id.kind == "admin" {
			dir = n.org(org, "admin", "msp")
		}
		if err := n.writeMSP(org, dir, &pair); err != nil {
			return err
		}
	}
	if err := errors.Join(pair.write(id.dir, ""), tlsPair.write(id.dir, "tls-")); err != nil {
		return err
	}
	return os.Remove(secretFile)
}

// writeMSP writes an MSP directory: the organisation's roots and node OUs, and a signer
// unless it is nil.
func (n *Network) writeMSP(org, dir string, signer *keyPair) error {
	for from, to := range map[string]string{n.caRoot(org): "cacerts/ca.pem", n.tlsRoot(org): "tlscacerts/tlsca.pem"} {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, to), data); err != nil {
			return err
		}
	}
	units := object{"Enable": true}
	for _, unit := range []string{"Client", "Peer", "Admin", "Orderer"} {
		units[unit+"OUIdentifier"] = object{
			"Certificate": "cacerts/ca.pem", "OrganizationalUnitIdentifier": map[string]string{
				"Client": "client", "Peer": "peer", "Admin": "admin", "Orderer": "orderer"}[unit],
		}
	}
	if err := writeYAML(filepath.Join(dir, "config.yaml"), object{"NodeOUs": units}); err != nil || signer == nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "keystore", "key.pem"), signer.key); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "signcerts", "cert.pem"), signer.cert)
}

// Register tells an organisation's CA of a new person and returns the secret with which
// they enrol, at most maxEnrolments times (chartseal enroll needs two: an enrolment and a
// TLS certificate).
func (n *Network) Register(ctx context.Context, org, user string, attributes map[string]string, maxEnrolments int) (string, error) {
	if err := n.checkOrganisation(org); err != nil {
		return "", err
	}
	if err := errors.Join(validatePerson(org, user, attributes)...); err != nil {
		return "", err
	}
	registrar, err := n.registrar(ctx, org)
	if err != nil {
		return "", fmt.Errorf("register %s@%s: %w", user, org, err)
	}
	return n.caClient(org).register(ctx, registrar, user, "client", attributes, maxEnrolments)
}
