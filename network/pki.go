package network

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// An organisation's TLS certificates come from several roots, so that no certificate
// serves a purpose that it was not made for:
//
//   - the servers' root certifies servers, never a person;
//   - the TLS CA of Fabric CA certifies people, as TLS clients only;
//   - the administration's root certifies one client, this program. Administration ports
//     trust nothing else;
//   - the chaincode link's root certifies one client, the peer.
//
// This program makes all roots except the enrolment CA's. Their keys stay in the
// network's directory.

const rootLifetime = 10 * 365 * 24 * time.Hour

// A root is a certificate that certifies others, with its key.
type root struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// makeRoot makes a root, unless the directory has one: ca-cert.pem and ca-key.pem.
// Restrict may set limits on what it certifies.
func makeRoot(dir, name, organisation string, restrict func(*x509.Certificate)) error {
	if isFile(filepath.Join(dir, "ca-cert.pem")) {
		return nil
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: name + "." + organisation, Organization: []string{organisation}},
		NotAfter: time.Now().Add(rootLifetime),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:     true, MaxPathLenZero: true,
	}
	if restrict != nil {
		restrict(template)
	}
	pair, err := certify(template, nil, nil)
	if err != nil {
		return fmt.Errorf("make root %s of %s: %w", name, organisation, err)
	}
	return writeKeyPair(pair, dir, "ca-")
}

// clientsWithoutNames restricts a root to TLS clients. A certificate with the name or
// address of a server is invalid. Fabric CA puts every name into a certificate that its
// owner asks for.
func clientsWithoutNames(root *x509.Certificate) {
	root.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	root.PermittedDNSDomainsCritical = true
	root.ExcludedDNSDomains = []string{""} // the empty suffix is one of every name
	root.ExcludedIPRanges = []*net.IPNet{
		{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
	}
}

func readRoot(dir string) (*root, error) {
	pair, err := readKeyPair(dir, "ca-")
	if err != nil {
		return nil, err
	}
	r := &root{}
	if r.certificate, err = parseCertificate(pair.Certificate); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	id, err := pair.Identity()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	r.key = id.Key
	return r, nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// issue certifies a new key. Hosts are the names and addresses of a server.
func (r *root) issue(name string, hosts []string, lifetime time.Duration, usage ...x509.ExtKeyUsage) (fabricca.KeyPair, error) {
	return r.issueFor(nil, name, hosts, lifetime, usage...)
}

// issueFor certifies a key, or a new one if it is nil.
func (r *root) issueFor(key crypto.Signer, name string, hosts []string, lifetime time.Duration, usage ...x509.ExtKeyUsage) (fabricca.KeyPair, error) {
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: name, Organization: r.certificate.Subject.Organization},
		NotAfter: time.Now().Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usage,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	return certify(template, key, r)
}

// certify signs the certificate of a key with a root, or with itself. If the key is nil,
// certify makes one.
func certify(template *x509.Certificate, signer crypto.Signer, by *root) (pair fabricca.KeyPair, err error) {
	key, ok := signer.(*ecdsa.PrivateKey)
	if !ok {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return pair, err
		}
	}
	if by == nil {
		by = &root{template, key}
	}
	serial := make([]byte, 16)
	rand.Read(serial) // never fails
	template.SerialNumber = new(big.Int).SetBytes(serial)
	template.NotBefore = time.Now().Add(-5 * time.Minute)
	template.BasicConstraintsValid = true
	if template.NotAfter.After(by.certificate.NotAfter) {
		template.NotAfter = by.certificate.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		return pair, err
	}
	pair.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pair.Key, err = fabricca.EncodeKey(key)
	return pair, err
}

// makeRoots makes an organisation's roots, and the certificates that do not wait for
// Fabric CA.
func (n *Network) makeRoots(org string) error {
	if err := n.keepOlderRoot(org); err != nil {
		return err
	}
	err := errors.Join(
		makeRoot(n.org(org, "servers"), "servers", org, nil),
		makeRoot(filepath.Dir(n.peopleRoot(org)), tlsCA, org, clientsWithoutNames),
		makeClient(n.administration(org), "administration", org),
		makeClient(n.chaincodeLink(org), "chaincode-link", org),
	)
	if err != nil {
		return err
	}
	for dir, name := range map[string]string{n.org(org, "ca"): "ca", n.org(org, "chaincode"): "chaincode", n.org(org, "authority"): "authority",
		n.org(org, "ipfs-proxy"): "ipfs-proxy"} {
		if (name == "authority" || name == "ipfs-proxy") && !n.topology.isHospital(org) {
			continue
		}
		if err := n.certifyServer(org, name, dir, x509.ExtKeyUsageServerAuth); err != nil {
			return err
		}
	}
	return nil
}

// keepOlderRoot makes the TLS root of a network of an earlier release the servers' root.
// Its TLS CA certified both servers and people. The servers' certificates are in the
// channel's configuration, so they stay.
func (n *Network) keepOlderRoot(org string) error {
	tlsca := filepath.Dir(n.peopleRoot(org))
	certificate, err := os.ReadFile(n.peopleRoot(org))
	if isFile(n.tlsRoot(org)) || errors.Is(err, fs.ErrNotExist) || isFile(filepath.Join(tlsca, "ca-key.pem")) {
		return nil
	}
	if err != nil {
		return err
	}
	parsed, err := parseCertificate(certificate)
	if err != nil {
		return fmt.Errorf("%s: %w", n.peopleRoot(org), err)
	}
	files, err := filepath.Glob(filepath.Join(tlsca, "msp", "keystore", "*_sk"))
	if err != nil {
		return err
	}
	for _, file := range files {
		key, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		pair := fabricca.KeyPair{Certificate: certificate, Key: key}
		id, err := pair.Identity()
		if err != nil {
			continue
		}
		if public, ok := id.Key.Public().(*ecdsa.PublicKey); ok && public.Equal(parsed.PublicKey) {
			return writeKeyPair(pair, n.org(org, "servers"), "ca-")
		}
	}
	return fmt.Errorf("the key of %s is not in %s", n.peopleRoot(org), filepath.Join(tlsca, "msp", "keystore"))
}

// makeClient makes a root with one client: ca-cert.pem, client-cert.pem and their keys.
func makeClient(dir, name, organisation string) error {
	if isFile(filepath.Join(dir, "client-cert.pem")) {
		return nil
	}
	clientsOnly := func(root *x509.Certificate) { root.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	if err := makeRoot(dir, name, organisation, clientsOnly); err != nil {
		return err
	}
	r, err := readRoot(dir)
	if err != nil {
		return err
	}
	pair, err := r.issue(name, nil, rootLifetime, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return err
	}
	return writeKeyPair(pair, dir, "client-")
}

// certifyServer makes tls-cert.pem and tls-key.pem of an organisation's server, once.
func (n *Network) certifyServer(org, name, dir string, usage ...x509.ExtKeyUsage) error {
	if n.isServerCertificate(org, filepath.Join(dir, "tls-cert.pem")) {
		return nil
	}
	return n.recertifyServer(org, name, dir, usage...)
}

// recertifyServer makes a new tls-cert.pem and tls-key.pem of an organisation's server.
func (n *Network) recertifyServer(org, name, dir string, usage ...x509.ExtKeyUsage) error {
	servers, err := readRoot(n.org(org, "servers"))
	if err != nil {
		return err
	}
	pair, err := servers.issue(name, n.serverHosts(org), n.topology.CertificateLifetime, usage...)
	if err != nil {
		return err
	}
	return writeKeyPair(pair, dir, "tls-")
}

// isServerCertificate tells whether a file holds a certificate below the servers' root.
func (n *Network) isServerCertificate(org, file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	certificate, err := parseCertificate(text)
	if err != nil {
		return false
	}
	servers, err := readRoot(n.org(org, "servers"))
	return err == nil && certificate.CheckSignatureFrom(servers.certificate) == nil
}
