package network

import (
	"context"
	"os"
	"path/filepath"
)

// An attribute authority belongs to each hospital. Package network knows nothing of keys:
// it runs the commands of chartseal as the users authority and custodian.

func (n *Network) authorityProcess(org string) *process {
	server := n.org(org, "authority")
	args := append([]string{"authority", "serve"}, n.authorityFlags(org)...)
	args = append(args, "--listen", n.address(org, portAuthority),
		"--tls-cert", server+"/tls-cert.pem", "--tls-key", server+"/tls-key.pem")
	return &process{
		organisation: org, kind: "authority", address: "https://" + n.address(org, portAuthority), ports: []int{n.port(org, portAuthority)},
		path: n.chartsealProgram(), args: n.chartsealArgs("authority", org, args...), dir: n.org(org, "authority"),
		ready: func(ctx context.Context) error {
			config, err := n.personTLS(org)
			if err != nil {
				return err
			}
			return n.dialTLS(ctx, n.address(org, portAuthority), config)
		},
		askedBy: asPerson(org),
	}
}

func (n *Network) authorityFlags(org string) []string {
	dir := n.org(org, "authority")
	flags := []string{"--dir", filepath.Join(dir, "master")}
	// Networks of earlier releases have a passphrase, which costs each command a second.
	if passphrase := filepath.Join(dir, "passphrase"); isFile(passphrase) {
		return append(flags, "--passphrase-file", passphrase)
	}
	return append(flags, "--identity", filepath.Join(dir, "identity.txt"))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// makeSecrets makes the secrets of a hospital's authority and custodian. It needs the
// wallet and no server.
func (n *Network) makeSecrets(ctx context.Context, org string) error {
	return inParallel(ctx,
		func(ctx context.Context) error {
			_, err := n.chartseal(ctx, "authority", org, append([]string{"authority", "init"}, n.authorityFlags(org)...)...)
			return err
		},
		func(ctx context.Context) error {
			_, err := n.chartseal(ctx, "custodian", org, "custodian", "init")
			return err
		})
}

// publishAuthority writes a hospital's authority, its public keys and the custodian to
// the ledger.
func (n *Network) publishAuthority(ctx context.Context, org string) error {
	recipient, err := n.chartseal(ctx, "custodian", org, "custodian", "init")
	if err != nil {
		return err
	}
	args := append([]string{"authority", "publish"}, n.authorityFlags(org)...)
	_, err = n.chartseal(ctx, "authority", org, append(args, "--url", "https://"+n.address(org, portAuthority), "--skip-url-check", "--custodian", recipient)...)
	return err
}
