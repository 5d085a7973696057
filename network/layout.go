package network

import "path/filepath"

// A network's directory holds
//
//	network.json                      the state, see type state
//	lock                              held by the command that works on the network
//	chartseal.yaml  wallet/           for the client: profiles and users
//	orgs/ORG/ca                       the Fabric CA's home, with tlsca/ in it, and the registrar
//	orgs/ORG/ca/refused/NAME          is there for a revoked user
//	orgs/ORG/{peer,orderer,chaincode} msp, tls, configuration and data of a node
//	orgs/ORG/orderer/next             an orderer's new identity, until the channel knows it
//	orgs/ORG/servers                  the root of the servers' TLS certificates, with its key
//	orgs/ORG/administration           the root and the client of the administration ports
//	orgs/ORG/peer/chaincode-link      the root and the client of the chaincode server
//	orgs/ORG/admin/msp                the administrator's MSP directory, for the peer command
//	orgs/ORG/msp                      the organisation's definition in the channel
//	orgs/ORG/ipfs                     kubo's repository, its tokens, and the socket of its API
//	orgs/ORG/ipfs-proxy               the proxy's TLS certificate, and the revocation list that it reads
//	orgs/ORG/authority                the encrypted master secret, and the age identity that opens it
//	channel/                          configtx.yaml, genesis block, chaincode package, collections
//	builder/bin/                      the external builder
//	run/ORG/KIND.pid  logs/ORG/KIND.log   a process that is to run, and its log
//	run/watch.pid     logs/watch.log      the watcher, which holds run/watch.lock
//	run/restarts.json                     its restarts
//	run/metrics.prom                      what it has seen, for Prometheus
//	run/ORG/doctor                        the doctor's copies of databases, while it looks

func (n *Network) path(elements ...string) string {
	return filepath.Join(append([]string{n.dir}, elements...)...)
}

// org gives a path below an organisation's directory.
func (n *Network) org(name string, elements ...string) string {
	return n.path(append([]string{"orgs", name}, elements...)...)
}

// caRoot is the root certificate of an organisation's enrolment CA. Nobody trusts it for
// TLS: people choose the names in their enrolment certificates.
func (n *Network) caRoot(org string) string { return n.org(org, "ca", "ca-cert.pem") }

// tlsRoot is the root certificate of an organisation's servers.
func (n *Network) tlsRoot(org string) string { return n.org(org, "servers", "ca-cert.pem") }

// peopleRoot is the root certificate of the TLS CA, which certifies people.
func (n *Network) peopleRoot(org string) string { return n.org(org, "ca", "tlsca", "ca-cert.pem") }

// administration is the directory of the root and the client of the administration ports.
func (n *Network) administration(org string) string { return n.org(org, "administration") }

func (n *Network) administrationRoot(org string) string {
	return filepath.Join(n.administration(org), "ca-cert.pem")
}

// chaincodeLink is the directory of the root and the client of the chaincode server.
func (n *Network) chaincodeLink(org string) string { return n.org(org, "peer", "chaincode-link") }

// clientRoots gives the roots of everybody who may connect to a peer or an orderer: the
// servers and the people of all organisations.
func (n *Network) clientRoots() []string {
	var files []string
	for _, o := range n.topology.Organisations() {
		files = append(files, n.tlsRoot(o.Name), n.peopleRoot(o.Name))
	}
	return files
}

// tlsRoots gives the roots of all organisations' servers.
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
