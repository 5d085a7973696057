package network

// A keeper belongs to each hospital. It keeps payloads of all hospitals on the hospital's
// IPFS node.

func (n *Network) keeperProcess(org string) *process {
	return &process{
		organisation: org, kind: "keeper",
		path: n.chartsealProgram(), args: n.chartsealArgs("authority", org, "keeper",
			"--socket", n.ipfsSocket(org), "--token-file", n.ipfsTokenFile(org, keeper),
			"--node", n.ipfsPeerID(org), "--metrics", n.path("run", "keeper-"+org+".prom")), dir: n.org(org, "authority"),
	}
}
