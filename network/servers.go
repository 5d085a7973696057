package network

import (
	"fmt"
	"slices"
)

// A server is one kind of process. Its file declares how it is configured and started,
// and how to tell that it serves.
type server struct {
	process func(n *Network, org string) *process
	at      place
	service bool // Chartseal's own, which Options.WithoutServices leaves out
}

// A place says which organisations run a server.
type place int

const (
	everywhere place = iota
	atHospitals
)

// servers declares every server, in the order in which an organisation starts them. A new
// server is a file like authority.go, its ports in ports.go, and a row here.
var servers = []server{
	{process: (*Network).caProcess, at: everywhere},
	{process: (*Network).ordererProcess, at: everywhere},
	{process: (*Network).peerProcess, at: everywhere},
	{process: (*Network).chaincodeProcess, at: everywhere},
	{process: (*Network).ipfsProcess, at: atHospitals},
	{process: (*Network).ipfsProxyProcess, at: atHospitals},
	{process: (*Network).authorityProcess, at: atHospitals, service: true},
	{process: (*Network).keeperProcess, at: atHospitals, service: true},
}

// servers gives the processes of Fabric and kubo, with kubo's proxy, of the chosen
// organisations.
func (n *Network) servers(organisations ...string) []*process {
	return n.choose(organisations, func(s server) bool { return !s.service })
}

// services gives the processes of Chartseal's own services of the chosen organisations.
func (n *Network) services(organisations ...string) []*process {
	return n.choose(organisations, func(s server) bool { return s.service && n.state.Services })
}

// members gives everything that organisations run.
func (n *Network) members(organisations ...string) []*process {
	return n.choose(organisations, func(s server) bool { return !s.service || n.state.Services })
}

// processes gives everything that the network runs, organisation by organisation, and the
// watcher last.
func (n *Network) processes() []*process {
	all := n.members(n.organisations()...)
	if w := n.watchProcess(); n.topology.Watch || n.wanted(w) {
		all = append(all, w)
	}
	return all
}

// named gives the processes that a name chooses: ORGANISATION/KIND, ORGANISATION or KIND.
// Every process has the empty name.
//
// Errors:
//   - ErrNotFound if the name chooses no process.
func (n *Network) named(name string) ([]*process, error) {
	chosen := slices.DeleteFunc(n.processes(), func(p *process) bool {
		return name != "" && name != p.name() && name != p.organisation && name != p.kind
	})
	if len(chosen) == 0 {
		return nil, mark(ErrNotFound, fmt.Errorf("no process %q: name ORGANISATION/KIND, ORGANISATION or KIND, as in chartnet status", name))
	}
	return chosen, nil
}

func (n *Network) choose(organisations []string, wanted func(server) bool) (all []*process) {
	for _, org := range organisations {
		for _, s := range servers {
			if wanted(s) && (s.at == everywhere || n.topology.isHospital(org)) {
				all = append(all, s.process(n, org))
			}
		}
	}
	return all
}

func (n *Network) organisations() (names []string) {
	for _, o := range n.topology.Organisations() {
		names = append(names, o.Name)
	}
	return names
}
