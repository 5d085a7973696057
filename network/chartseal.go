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

// A hospital's own services, the authority and the keeper, are the program chartseal,
// which the network also runs to make keys and scopes.

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

// requestKeys gets attribute keys for the people of a hospital who have none.
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

// createScopes creates the missing scopes of the topology.
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
