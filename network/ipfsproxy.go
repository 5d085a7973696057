package network

import "context"

// A proxy stands before each hospital's kubo node. People reach the node through it, with
// their TLS certificates.

func (n *Network) ipfsProxyProcess(org string) *process {
	dir := n.org(org, "ipfs-proxy")
	args := []string{"ipfs", "serve",
		"--socket", n.ipfsSocket(org), "--token-file", n.ipfsTokenFile(org, ipfsProxy),
		"--people", n.peopleRoot(org), "--revoked", n.revokedPeople(org),
		"--listen", n.address(org, portIPFSProxy), "--tls-cert", dir + "/tls-cert.pem", "--tls-key", dir + "/tls-key.pem"}
	if token := n.ipfsTokenFile(org, collector); isFile(token) { // networks of earlier releases have none until the next up
		args = append(args, "--collect-token-file", token)
	}
	return &process{
		organisation: org, kind: "ipfs-proxy", address: "https://" + n.address(org, portIPFSProxy), ports: []int{n.port(org, portIPFSProxy)},
		path: n.chartsealProgram(), args: args,
		dir: dir,
		ready: func(ctx context.Context) error {
			config, err := n.personTLS(org)
			if err != nil {
				return err
			}
			return n.dialTLS(ctx, n.address(org, portIPFSProxy), config)
		},
		askedBy: asPerson(org),
	}
}

// revokedPeople is the revocation list that a hospital's proxy reads.
func (n *Network) revokedPeople(org string) string { return n.org(org, "ipfs-proxy", "revoked.pem") }

// listRevoked gives the proxy the CA's present revocation list.
func (n *Network) listRevoked(ctx context.Context, org string) error {
	ca, registrar, err := n.asRegistrar(ctx, org)
	if err != nil {
		return err
	}
	list, err := ca.RevocationList(ctx, registrar, enrolmentCA)
	if err != nil {
		return err
	}
	return writeFile(n.revokedPeople(org), list)
}
