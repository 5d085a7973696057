package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

// configureCA writes the CA's configuration. The registrar's secret is good for one
// enrolment.
func (n *Network) configureCA(org string) error {
	home := n.org(org, "ca")
	secretFile := filepath.Join(n.registrarDir(org), "secret")
	password, err := os.ReadFile(secretFile)
	if errors.Is(err, fs.ErrNotExist) {
		password = []byte(secret())
		err = writeFile(secretFile, password)
	}
	if err != nil {
		return err
	}
	cert, key := filepath.Join(home, "tls-cert.pem"), filepath.Join(home, "tls-key.pem")
	tlsca := n.caConfig(tlsCA, org)
	if err := writeYAML(filepath.Join(home, "tlsca", "fabric-ca-server-config.yaml"), tlsca); err != nil {
		return err
	}
	ca := n.caConfig(enrolmentCA, org)
	ca["address"], ca["port"] = n.host(org), n.port(org, portCA)
	ca["tls"] = object{"enabled": true, "certfile": cert, "keyfile": key}
	ca["cafiles"] = []string{"tlsca/fabric-ca-server-config.yaml"}
	ca["registry"] = object{"maxenrollments": -1, "identities": []object{{
		"name": n.registrarName(org), "pass": string(password), "type": "client", "maxenrollments": 1,
		"attrs": object{
			"hf.Registrar.Roles": "peer,orderer,admin,client", "hf.Registrar.Attributes": "*", "hf.Revoker": true, "hf.GenCRL": true,
		},
	}}}
	// Fabric CA reads the last two under the names of its Go fields, not under those of
	// its sample configuration, which it ignores.
	ca["operations"] = object{"listenAddress": n.address(org, portCAOperations), "tls": object{
		"enabled": true,
		"cert":    object{"file": cert}, "key": object{"file": key},
		"clientCertRequired": true, "clientCACertFiles": []string{n.administrationRoot(org)},
	}}
	ca["metrics"] = object{"provider": "disabled"}
	return writeYAML(filepath.Join(home, "fabric-ca-server-config.yaml"), ca)
}

func (n *Network) registrarDir(org string) string { return n.org(org, "ca", "registrar") }

// replacedRegistrars is a directory with a file for each former registrar that is not
// revoked yet.
func (n *Network) replacedRegistrars(org string) string {
	return filepath.Join(n.registrarDir(org), "replaced")
}

// registrarName is the enrolment id of the registrar: registrar, or a new one of a
// registrar whose certificate had ended, see renewRegistrar.
func (n *Network) registrarName(org string) string {
	name, err := os.ReadFile(filepath.Join(n.registrarDir(org), "name"))
	if err != nil {
		return "registrar"
	}
	return string(name)
}

// refreshCA writes the CA's configuration, and ends the CA if it runs with another one.
func (n *Network) refreshCA(ctx context.Context, org string) error {
	read := func() []byte {
		var all []byte
		for _, dir := range []string{"", "tlsca"} {
			text, _ := os.ReadFile(n.org(org, "ca", dir, "fabric-ca-server-config.yaml")) // none is another one, too
			all = append(all, text...)
		}
		return all
	}
	before := read()
	if err := n.configureCA(org); err != nil || bytes.Equal(before, read()) {
		return err
	}
	return n.halt(ctx, []*process{n.caProcess(org)})
}

// caConfig holds the settings that both CAs of an organisation share.
func (n *Network) caConfig(name, org string) object {
	// A person may ask for any profile and for any names in the certificate. So no
	// profile is one of servers.
	profile := object{"expiry": n.topology.CertificateLifetime.String(), "usage": map[string][]string{
		enrolmentCA: {"digital signature"}, tlsCA: {"digital signature", "client auth"},
	}[name]}
	return object{
		"ca": object{"name": name},
		"db": object{"type": "sqlite3", "datasource": map[string]string{enrolmentCA: "ca.db", tlsCA: "../ca.db"}[name]},
		"csr": object{
			"cn": name + "." + org, "keyrequest": object{"algo": "ecdsa", "size": 256},
			"names": []object{{"O": org}}, "hosts": n.serverHosts(org), "ca": object{"expiry": "87600h", "pathlength": 0},
		},
		"signing": object{"default": profile, "profiles": object{"tls": profile}},
		"crl":     object{"expiry": "24h"},
		"cfg":     object{"identities": object{"passwordattempts": 10}},
		"idemix":  object{"rhpoolsize": 1}, // unused; the default fills a table for each CA
	}
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
	roots, err := os.ReadFile(n.tlsRoot(org))
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
