package network

import "path/filepath"

// A network's directory holds
//
//	network.json  lock                what the network is; one command at a time
//	chartseal.yaml  wallet/           for the client: profiles and users
//	orgs/ORG/ca                       the Fabric CA's home, with tlsca/ in it, and the registrar
//	orgs/ORG/{peer,orderer,chaincode} msp, tls, configuration and data of a node
//	orgs/ORG/admin/msp                the administrator, as the peer command wants it
//	orgs/ORG/msp                      the organisation's definition in the channel
//	orgs/ORG/{ipfs,authority}         kubo's repository; the authority's master secret, encrypted, and the age identity that opens it
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

// allTLSRoots is one file with the TLS roots of all organisations. A peer that trusted
// only its own would refuse the others' until it has read the channel's configuration,
// and gossip would begin seconds later.
func (n *Network) allTLSRoots() string { return n.path("channel", "tls-roots.pem") }

// userDir is a user's directory in the wallet.
func (n *Network) userDir(user, org string) string { return n.path("wallet", user+"@"+org) }
