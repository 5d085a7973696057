package network

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/network/fabricca"
)

// Each organisation runs one Fabric CA process with two CAs: one for enrolment
// certificates and one for TLS certificates. They share one database, so that an identity
// is registered once and enrols at both.

const (
	enrolmentCA = "ca"
	tlsCA       = "tlsca"
)

type object = map[string]any

// configureCA writes the CA's configuration, once, because it holds the registrar's
// secret, which is good for one enrolment.
func (n *Network) configureCA(org string) error {
	home := n.org(org, "ca")
	config := filepath.Join(home, "fabric-ca-server-config.yaml")
	if _, err := os.Stat(config); err == nil {
		return nil
	}
	password := secret()
	if err := writeFile(filepath.Join(home, "registrar", "secret"), []byte(password)); err != nil {
		return err
	}
	if err := operationsCertificate(home); err != nil {
		return fmt.Errorf("make certificate for operations of %s's CA: %w", org, err)
	}
	tlsca := n.caConfig(tlsCA, org)
	if err := writeYAML(filepath.Join(home, "tlsca", "fabric-ca-server-config.yaml"), tlsca); err != nil {
		return err
	}
	ca := n.caConfig(enrolmentCA, org)
	ca["address"], ca["port"] = n.host(org), n.port(org, portCA)
	ca["tls"] = object{"enabled": true}
	ca["cafiles"] = []string{"tlsca/fabric-ca-server-config.yaml"}
	ca["registry"] = object{"maxenrollments": -1, "identities": []object{{
		"name": "registrar", "pass": password, "type": "client", "maxenrollments": 1,
		"attrs": object{
			"hf.Registrar.Roles": "peer,orderer,admin,client", "hf.Registrar.Attributes": "*", "hf.Revoker": true, "hf.GenCRL": true,
		},
	}}}
	// The endpoint can change the log level, so it answers only the launcher.
	ca["operations"] = object{"listenAddress": n.address(org, portCAOperations), "tls": object{
		"enabled": true, "clientAuthRequired": true,
		"cert": object{"file": filepath.Join(home, "operations-cert.pem")}, "key": object{"file": filepath.Join(home, "operations-key.pem")},
		"clientRootCAs": object{"files": []string{filepath.Join(home, "operations-cert.pem")}},
	}}
	ca["metrics"] = object{"provider": "disabled"}
	return writeYAML(config, ca)
}

// caConfig holds the settings that both CAs of an organisation share.
func (n *Network) caConfig(name, org string) object {
	return object{
		"ca": object{"name": name},
		"db": object{"type": "sqlite3", "datasource": map[string]string{enrolmentCA: "ca.db", tlsCA: "../ca.db"}[name]},
		"csr": object{
			"cn": name + "." + org, "keyrequest": object{"algo": "ecdsa", "size": 256},
			"names": []object{{"O": org}}, "hosts": n.serverHosts(org), "ca": object{"expiry": "87600h", "pathlength": 0},
		},
		"signing": object{
			"default": object{"usage": []string{"digital signature"}, "expiry": "8760h"},
			"profiles": object{"tls": object{
				"usage":  []string{"signing", "key encipherment", "server auth", "client auth", "key agreement"},
				"expiry": "8760h",
			}},
		},
		"crl":    object{"expiry": "24h"},
		"cfg":    object{"identities": object{"passwordattempts": 10}},
		"idemix": object{"rhpoolsize": 1}, // unused; the default fills a table for each CA
	}
}

// operationsCertificate makes a self-signed certificate and key that only the launcher
// knows. The CA cannot issue it: its operations endpoint opens before the CA answers.
func operationsCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "operations"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP(loopback)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyPEM, err := fabricca.EncodeKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "operations-key.pem"), keyPEM); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "operations-cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (n *Network) caProcess(org string) *process {
	home := n.org(org, "ca")
	return &process{
		organisation: org, kind: "ca", address: n.caURL(org),
		ports: []int{n.port(org, portCA), n.port(org, portCAOperations)},
		path:  filepath.Join(n.state.Servers.FabricCA, "fabric-ca-server"), args: []string{"start", "--home", home},
		env: []string{"FABRIC_CA_HOME=" + home}, dir: home,
		ready: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, n.probeTimeout())
			defer cancel()
			ca, err := n.caClient(org)
			if err != nil {
				return err
			}
			return ca.Ping(ctx, enrolmentCA)
		},
	}
}

// caClient speaks to an organisation's CA. Fabric's own client program would cost a
// process for each of the seventy or so certificates of a network.
func (n *Network) caClient(org string) (*fabricca.Client, error) {
	roots, err := os.ReadFile(n.caRoot(org))
	if err != nil {
		return nil, err
	}
	return fabricca.New(n.caURL(org), roots)
}

func (n *Network) caURL(org string) string { return "https://" + n.address(org, portCA) }

func writeYAML(name string, value any) error {
	data, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return writeFile(name, data)
}
