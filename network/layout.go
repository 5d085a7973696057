package network

import "path/filepath"

// A network's directory holds
//
//	network.json                      the state, see type state
//	lock                              held by the command that works on the network
//	chartseal.yaml  wallet/           for the client: profiles and users
//	orgs/ORG/ca                       the Fabric CA's home, with tlsca/ in it, and the registrar
//	orgs/ORG/{peer,orderer,chaincode} msp, tls, configuration and data of a node
//	orgs/ORG/admin/msp                the administrator's MSP directory, for the peer command
//	orgs/ORG/msp                      the organisation's definition in the channel
//	orgs/ORG/ipfs                     kubo's repository
//	orgs/ORG/authority                the encrypted master secret, and the age identity that opens it
//	channel/                          configtx.yaml, genesis block, chaincode package, collections
//	builder/bin/                      the external builder
//	run/ORG/KIND.pid  logs/ORG/KIND.log

func (n *Network) path(elements ...string) string {
	return filepath.Join(append([]string{n.dir}, elements...)...)
}

// org gives a path below an organisation's directory.
func (n *Network) org(name string, elements ...string) string {
	return n.path(append([]string{"orgs", name}, elements...)...)
}

// caRoot is the root certificate of an organisation's enrolment CA, which also signs the
// CA server's TLS certificate.
func (n *Network) caRoot(org string) string { return n.org(org, "ca", "ca-cert.pem") }

// tlsRoot is the root certificate of an organisation's TLS CA.
func (n *Network) tlsRoot(org string) string { return n.org(org, "ca", "tlsca", "ca-cert.pem") }

// tlsRoots gives the TLS roots of all organisations.
func (n *Network) tlsRoots() []string {
	var files []string
	for _, o := range n.topology.Organisations() {
		files = append(files, n.tlsRoot(o.Name))
	}
	return files
}

// allTLSRoots is one file with the TLS roots of all organisations. Without it a peer
// refuses the other organisations until it has read the channel's configuration, which
// delays gossip by seconds.
func (n *Network) allTLSRoots() string { return n.path("channel", "tls-roots.pem") }

// userDir is a user's directory in the wallet.
func (n *Network) userDir(user, org string) string { return n.path("wallet", user+"@"+org) }
