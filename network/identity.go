package network

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// An identity is a node or a user of one organisation. Its certificates and keys are
// cert.pem, key.pem, tls-cert.pem and tls-key.pem in its directory.
type identity struct {
	name       string // enrolment id
	kind       string // Fabric's node OU: peer, orderer, admin or client
	attributes map[string]string
	server     bool // its TLS certificate is one of a server
	dir        string
	msp        bool // also write an MSP directory
}

// nodes are the identities that the channel needs before it can be made.
func (n *Network) nodes(org string) []identity {
	return []identity{
		{name: "orderer", kind: "orderer", server: true, dir: n.org(org, "orderer"), msp: true},
		{name: "peer", kind: "peer", server: true, dir: n.org(org, "peer"), msp: true},
		{name: "admin", kind: "admin", attributes: map[string]string{"role": "admin"}, dir: n.userDir("admin", org), msp: true},
	}
}

// users are the other identities of an organisation: the ones that every hospital has,
// and the people of the topology.
func (n *Network) users(o Organisation) []identity {
	var all []identity
	if n.topology.isHospital(o.Name) {
		all = append(all,
			identity{name: "authority", kind: "client", attributes: map[string]string{"role": "authority"}, dir: n.userDir("authority", o.Name)},
			identity{name: "custodian", kind: "client", attributes: map[string]string{"role": "custodian"}, dir: n.userDir("custodian", o.Name)})
	}
	for _, user := range sortedKeys(o.Users) {
		all = append(all, identity{name: user, kind: "client", attributes: o.Users[user], dir: n.userDir(user, o.Name)})
	}
	return all
}

// enrollAll makes sure that identities have their certificates.
func (n *Network) enrollAll(ctx context.Context, org string, identities []identity) error {
	ca, registrar, err := n.asRegistrar(ctx, org)
	if err != nil {
		return err
	}
	return forEach(ctx, identities, func(ctx context.Context, id identity) error {
		if err := n.enrollOne(ctx, org, ca, registrar, id); err != nil {
			return fmt.Errorf("enrol %s@%s: %w", id.name, org, err)
		}
		return nil
	})
}

// asRegistrar gives an organisation's CA and the identity that may register others there.
// Its first use enrols that identity with the CA's bootstrap secret.
func (n *Network) asRegistrar(ctx context.Context, org string) (*fabricca.Client, fabricca.Identity, error) {
	fail := func(err error) (*fabricca.Client, fabricca.Identity, error) {
		return nil, fabricca.Identity{}, fmt.Errorf("registrar of %s: %w", org, err)
	}
	ca, err := n.caClient(org)
	if err != nil {
		return fail(err)
	}
	dir := n.registrarDir(org)
	replace := func(format string, args ...any) error {
		return mark(ErrUnavailable, fmt.Errorf(format+": run chartnet renew %s", append(args, org)...))
	}
	if !isFile(filepath.Join(dir, "cert.pem")) {
		password, err := os.ReadFile(filepath.Join(dir, "secret"))
		if err != nil {
			return fail(err)
		}
		pair, err := ca.Enroll(ctx, fabricca.Request{CA: enrolmentCA, Name: n.registrarName(org)}, string(password))
		if errors.Is(err, fabricca.ErrDenied) {
			err = replace("it has no certificate, and its secret is used: %v", err)
		}
		if err == nil {
			err = writeKeyPair(pair, dir, "")
		}
		if err != nil {
			return fail(err)
		}
	}
	registrar, err := readIdentity(dir, "")
	if err != nil {
		return fail(replace("its certificate cannot be used: %w", err))
	}
	if end, err := endOf(filepath.Join(dir, "cert.pem")); err != nil || !end.After(time.Now()) {
		return fail(replace("its certificate ended on %v", end))
	}
	return ca, registrar, nil
}

// enrollOne registers an identity and enrols it at both CAs. The secret is kept until
// that is done, so that the next Up finishes an interrupted enrolment.
func (n *Network) enrollOne(ctx context.Context, org string, ca *fabricca.Client, registrar fabricca.Identity, id identity) error {
	done := filepath.Join(id.dir, "tls-cert.pem")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	secretFile := filepath.Join(id.dir, "enrolment-secret")
	password, err := os.ReadFile(secretFile)
	if errors.Is(err, fs.ErrNotExist) {
		password = []byte(secret())
		err = ca.Register(ctx, registrar, fabricca.Registration{
			CA: enrolmentCA, ID: id.name, Type: id.kind, Attributes: id.attributes, Secret: string(password),
			Enrolments: 4, // two, and two more after an interruption
		})
		if err == nil {
			err = writeFile(secretFile, password)
		}
	}
	if err != nil {
		return err
	}
	pair, tlsPair, err := n.certifyBoth(ctx, org, ca, id, string(password))
	if err != nil {
		return err
	}
	if err := n.installIdentity(org, id, pair); err != nil {
		return err
	}
	if err := writeKeyPair(tlsPair, id.dir, "tls-"); err != nil { // last: done marks the whole
		return err
	}
	return os.Remove(secretFile)
}

// certifyBoth gets an identity's certificates from both CAs.
func (n *Network) certifyBoth(ctx context.Context, org string, ca *fabricca.Client, id identity, password string) (pair, tlsPair fabricca.KeyPair, err error) {
	request := fabricca.Request{CA: enrolmentCA, Name: id.name}
	if id.kind == "orderer" && n.consenterEnded(org) { // see renewEnded
		if old, err := readIdentity(id.dir, ""); err == nil {
			request.Key, _ = old.Key.(*ecdsa.PrivateKey)
		}
	}
	err = inParallel(ctx,
		func(ctx context.Context) (err error) {
			pair, err = ca.Enroll(ctx, request, password)
			return err
		},
		func(ctx context.Context) (err error) {
			tlsPair, err = n.certifyTLS(ctx, org, ca, id, password)
			return err
		})
	return pair, tlsPair, err
}

// installIdentity writes an enrolment certificate and its key where their holder reads
// them.
func (n *Network) installIdentity(org string, id identity, pair fabricca.KeyPair) error {
	if id.msp {
		if err := n.writeMSP(org, n.mspDir(org, id), &pair); err != nil {
			return err
		}
	}
	return writeKeyPair(pair, id.dir, "")
}

// mspDir is the MSP directory of an identity that has one. The peer command reads the
// administrator's. The wallet does not need it.
func (n *Network) mspDir(org string, id identity) string {
	if id.kind == "admin" {
		return n.org(org, "admin", "msp")
	}
	return filepath.Join(id.dir, "msp")
}

// mendSigners gives back a certificate and its key to MSP directories that have one
// without the other. An earlier release, killed during a renewal, left the new key with
// the old certificate there, and the old pair beside the directory.
func (n *Network) mendSigners(org string) error {
	for _, id := range n.nodes(org) {
		msp := n.mspDir(org, id)
		certificate, err := os.ReadFile(filepath.Join(msp, "signcerts", "cert.pem"))
		if err != nil || signerKeyIn(filepath.Join(msp, "keystore"), certificate) {
			continue
		}
		if _, err := readIdentity(id.dir, ""); err != nil {
			continue // it is due for renewal
		}
		pair, err := readKeyPair(id.dir, "")
		if err == nil {
			err = replaceSigner(msp, &pair)
		}
		if err != nil {
			return fmt.Errorf("the signer in %s: %w", msp, err)
		}
	}
	return nil
}

// signerKeyIn tells whether a directory holds the key of a certificate.
func signerKeyIn(keystore string, certificate []byte) bool {
	files, _ := os.ReadDir(keystore)
	return slices.ContainsFunc(files, func(f fs.DirEntry) bool {
		key, err := os.ReadFile(filepath.Join(keystore, f.Name()))
		if err == nil {
			_, err = tls.X509KeyPair(certificate, key)
		}
		return err == nil
	})
}

// certifyTLS gets the TLS certificate of an identity. Peers and orderers are servers and
// one another's clients. An orderer's is for the key that it has: Raft knows its members
// by that key, also when the certificate has ended.
func (n *Network) certifyTLS(ctx context.Context, org string, ca *fabricca.Client, id identity, password string) (fabricca.KeyPair, error) {
	if !id.server {
		return ca.Enroll(ctx, fabricca.Request{CA: tlsCA, Profile: fabricca.ProfileTLS, Name: id.name}, password)
	}
	servers, err := readRoot(n.org(org, "servers"))
	if err != nil {
		return fabricca.KeyPair{}, err
	}
	var key crypto.Signer
	if old, err := readIdentity(id.dir, "tls-"); err == nil && id.kind == "orderer" {
		key = old.Key
	}
	return servers.issueFor(key, id.name, n.serverHosts(org), n.topology.CertificateLifetime, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
}

// writeKeyPair stores a pair as PREFIXcert.pem and PREFIXkey.pem. The certificate comes
// last: where it is, the key is too.
func writeKeyPair(k fabricca.KeyPair, dir, prefix string) error {
	if err := writeFile(filepath.Join(dir, prefix+"key.pem"), k.Key); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, prefix+"cert.pem"), k.Certificate)
}

func readKeyPair(dir, prefix string) (k fabricca.KeyPair, err error) {
	if k.Certificate, err = os.ReadFile(filepath.Join(dir, prefix+"cert.pem")); err == nil {
		k.Key, err = os.ReadFile(filepath.Join(dir, prefix+"key.pem"))
	}
	return k, err
}

// readIdentity reads a pair whose key belongs to its certificate.
func readIdentity(dir, prefix string) (id fabricca.Identity, err error) {
	pair, err := readKeyPair(dir, prefix)
	if err != nil {
		return id, err
	}
	if _, err := tls.X509KeyPair(pair.Certificate, pair.Key); err != nil {
		return id, fmt.Errorf("%s: %w", dir, err)
	}
	return pair.Identity()
}

// writeMSP writes an MSP directory: the organisation's roots and node OUs, and a signer
// unless it is nil.
func (n *Network) writeMSP(org, dir string, signer *fabricca.KeyPair) error {
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
	return replaceSigner(dir, signer)
}

// replaceSigner gives an MSP directory another signer, in one step: Fabric looks in the
// keystore for the key of the certificate. So the new key lies beside the old one until
// the certificate is there.
func replaceSigner(msp string, signer *fabricca.KeyPair) error {
	keys, certificates := filepath.Join(msp, "keystore"), filepath.Join(msp, "signcerts")
	sum := sha256.Sum256(signer.Certificate)
	key, certificate := hex.EncodeToString(sum[:8])+".pem", "cert.pem"
	if err := writeFile(filepath.Join(keys, key), signer.Key); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(certificates, certificate), signer.Certificate); err != nil {
		return err
	}
	return errors.Join(removeOthers(keys, key), removeOthers(certificates, certificate))
}

// removeOthers removes all files of a directory but one. An interruption may have left
// some, which Fabric would read.
func removeOthers(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != keep {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// Register introduces a new person to their organisation's CA and returns the secret with
// which they enrol, at most maxEnrolments times. The command chartseal enroll needs two:
// an enrolment certificate and a TLS certificate.
//
// Errors:
//   - ErrNotFound if there is no such organisation.
//   - ErrInvalid if the name or an attribute is not allowed.
//   - fabricca.ErrExists if the name is taken, even by a revoked identity.
//   - fabricca.ErrUnavailable if the organisation's CA does not answer.
func (n *Network) Register(ctx context.Context, org, user string, attributes map[string]string, maxEnrolments int) (string, error) {
	if err := n.checkOrganisation(org); err != nil {
		return "", err
	}
	if err := errors.Join(validatePerson(org, user, attributes)...); err != nil {
		return "", mark(ErrInvalid, err)
	}
	ca, registrar, err := n.asRegistrar(ctx, org)
	if err != nil {
		return "", fmt.Errorf("register %s@%s: %w", user, org, err)
	}
	password := secret()
	err = ca.Register(ctx, registrar, fabricca.Registration{
		CA: enrolmentCA, ID: user, Type: "client", Attributes: attributes, Secret: password, Enrolments: maxEnrolments,
	})
	if err != nil {
		return "", fmt.Errorf("register %s@%s: %w", user, org, err)
	}
	return password, nil
}

// Reissue gives a person who is registered a new secret. It gets them certificates after
// the end of the old ones, which authenticate nobody then. The person's attributes stay.
// The secret is good for maxEnrolments.
//
// Errors:
//   - ErrNotFound if there is no such organisation.
//   - ErrInvalid if the name is not allowed.
//   - fabricca.ErrNotFound if its CA knows no such person.
//   - fabricca.ErrUnavailable if its CA does not answer.
//   - ErrUnavailable if another command works on the network.
func (n *Network) Reissue(ctx context.Context, org, user string, maxEnrolments int) (string, error) {
	if err := n.checkOrganisation(org); err != nil {
		return "", err
	}
	if err := errors.Join(validatePerson(org, user, nil)...); err != nil {
		return "", mark(ErrInvalid, err)
	}
	password := secret()
	err := n.exclusively(func() error {
		ca, registrar, err := n.asRegistrar(ctx, org)
		if err != nil {
			return err
		}
		if err := ca.Reissue(ctx, registrar, enrolmentCA, user, password, maxEnrolments); err != nil {
			return err
		}
		return os.RemoveAll(n.refused(org, user))
	})
	if err != nil {
		return "", fmt.Errorf("new secret of %s@%s: %w", user, org, err)
	}
	return password, nil
}

// ServerCertificate gets a TLS certificate for a server of an organisation that the
// network does not run itself. Its clients reach it under the hosts: names or IP
// addresses.
//
// Errors:
//   - ErrNotFound if there is no such organisation.
//   - ErrInvalid if a host is neither a name nor an address.
func (n *Network) ServerCertificate(org string, hosts []string) (fabricca.KeyPair, error) {
	if err := n.checkOrganisation(org); err != nil {
		return fabricca.KeyPair{}, err
	}
	for _, h := range hosts {
		if net.ParseIP(h) == nil && !hostName.MatchString(h) {
			return fabricca.KeyPair{}, mark(ErrInvalid, fmt.Errorf("host %q: want a name such as authority.example, or an IP address", h))
		}
	}
	servers, err := readRoot(n.org(org, "servers"))
	if err != nil {
		return fabricca.KeyPair{}, fmt.Errorf("the servers' root of %s: %w", org, err)
	}
	return servers.issue("server", hosts, n.topology.CertificateLifetime, x509.ExtKeyUsageServerAuth)
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

func (n *Network) checkOrganisation(name string) error {
	if !slices.Contains(n.organisations(), name) {
		return mark(ErrNotFound, fmt.Errorf("no organisation %q: this network has %s", name, strings.Join(n.organisations(), ", ")))
	}
	return nil
}
