package network

// A replicator belongs to each hospital. It keeps the payloads of all hospitals on the
// hospital's IPFS node.

func (n *Network) replicatorProcess(org string) *process {
	return &process{
		organisation: org, kind: "replicator",
		path: n.chartsealProgram(), args: n.chartsealArgs("authority", org, "replicate",
			"--socket", n.ipfsSocket(org), "--token-file", n.ipfsTokenFile(org, replicator)), dir: n.org(org, "authority"),
	}
}
