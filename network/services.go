package network

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The services of a hospital are Chartseal's own: the attribute authority and the
// replicator, both run by the program chartseal as the user authority.

func (n *Network) chartsealProgram() string { return filepath.Join(n.state.Programs, "chartseal") }

// chartseal runs a command of the client as a user.
func (n *Network) chartseal(ctx context.Context, user, org string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, n.chartsealProgram(), n.chartsealArgs(user, org, args...)...)
	out, err := n.run(ctx, cmd)
	if err != nil {
		return "", fmt.Errorf("%s@%s: %w", user, org, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (n *Network) chartsealArgs(user, org string, args ...string) []string {
	return append(args, "--wallet", n.path("wallet"), "--user", user+"@"+org)
}

func (n *Network) authorityFlags(org string) []string {
	dir := n.org(org, "authority")
	flags := []string{"--dir", filepath.Join(dir, "master")}
	// Networks of earlier releases have a passphrase, which takes each command a second
	// to try.
	if passphrase := filepath.Join(dir, "passphrase"); isFile(passphrase) {
		return append(flags, "--passphrase-file", passphrase)
	}
	return append(flags, "--identity", filepath.Join(dir, "identity.txt"))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// makeSecrets makes what a hospital's authority and custodian keep to themselves. It
// needs no server.
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

// publishAuthority announces a hospital's authority and its custodian on the ledger, with
// the authority's public keys.
func (n *Network) publishAuthority(ctx context.Context, org string) error {
	recipient, err := n.chartseal(ctx, "custodian", org, "custodian", "init")
	if err != nil {
		return err
	}
	args := append([]string{"authority", "publish"}, n.authorityFlags(org)...)
	_, err = n.chartseal(ctx, "authority", org, append(args, "--url", "https://"+n.address(org, portAuthority), "--skip-url-check", "--custodian", recipient)...)
	return err
}

// requestKeys gets the attribute keys of a hospital's people, unless they have some.
func (n *Network) requestKeys(ctx context.Context, o Organisation) error {
	return forEach(ctx, sortedKeys(o.Users), func(ctx context.Context, user string) error {
		keys, err := os.ReadDir(filepath.Join(n.userDir(user, o.Name), "keys"))
		if err == nil && len(keys) > 0 {
			return nil
		}
		_, err = n.chartseal(ctx, user, o.Name, "keys", "request")
		return err
	})
}

// createScopes makes the topology's scopes that do not exist yet.
func (n *Network) createScopes(ctx context.Context) error {
	org := n.topology.Hospitals[0].Name
	for _, s := range n.topology.Scopes {
		if slices.Contains(n.state.Scopes, s.Name) {
			continue
		}
		args := []string{"scope", "create", s.Name, "--policy", n.topology.policyText(s), "--if-absent"}
		if _, err := n.chartseal(ctx, "custodian", org, args...); err != nil {
			return err
		}
		n.state.Scopes = append(n.state.Scopes, s.Name)
	}
	return nil
}

func (n *Network) authorityProcess(org string) *process {
	user := n.userDir("authority", org)
	args := append([]string{"authority", "serve"}, n.authorityFlags(org)...)
	args = append(args, "--listen", n.address(org, portAuthority),
		"--tls-cert", user+"/tls-cert.pem", "--tls-key", user+"/tls-key.pem")
	return &process{
		organisation: org, kind: "authority", address: "https://" + n.address(org, portAuthority), ports: []int{n.port(org, portAuthority)},
		path: n.chartsealProgram(), args: n.chartsealArgs("authority", org, args...), dir: n.org(org, "authority"),
		ready: func(ctx context.Context) error {
			config, err := n.adminTLS(org)
			if err != nil {
				return err
			}
			return n.dialTLS(ctx, n.address(org, portAuthority), config)
		},
	}
}

func (n *Network) replicatorProcess(org string) *process {
	return &process{
		organisation: org, kind: "replicator",
		path: n.chartsealProgram(), args: n.chartsealArgs("authority", org, "replicate"), dir: n.org(org, "authority"),
	}
}
