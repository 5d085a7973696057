package network

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Organisation number i, counted over the hospitals and then the regulators, owns the
// ports base+20*i to base+20*i+19. Each service has an offset in there. Offsets 12 to 19
// are free for new ones.
const portsEach = 20

const (
	portPeer           = iota
	portPeerChaincode  // for chaincode that a peer launches itself; nothing connects
	portPeerOperations // health and metrics
	portOrderer
	portOrdererAdmin
	portOrdererOperations
	portCA
	portCAOperations
	portChaincode
	portAuthority
	portIPFSProxy
	portIPFSSwarm
)

// portNames name the ports for people.
var portNames = map[int]string{
	portPeer: "peer", portPeerChaincode: "peer, for chaincode", portPeerOperations: "peer, operations",
	portOrderer: "orderer", portOrdererAdmin: "orderer, administration", portOrdererOperations: "orderer, operations",
	portCA: "CA", portCAOperations: "CA, operations",
	portChaincode: "chaincode server", portAuthority: "authority",
	portIPFSProxy: "IPFS proxy", portIPFSSwarm: "kubo, swarm",
}

// Doors gives the address of every port of an organisation, by the name of the port.
func (n *Network) Doors(org string) map[string]string {
	doors := map[string]string{}
	for _, p := range n.members(org) {
		for _, port := range p.ports {
			doors[portNames[port-n.port(org, 0)]] = net.JoinHostPort(n.host(org), strconv.Itoa(port))
		}
	}
	return doors
}

// Free blocks lie above the ports of common services, and below the range (32768 to
// 60999) from which Linux takes the local ports of outgoing connections. One of those
// could sit on a server's port after a restart.
const (
	freeFirst = 20000
	freeLast  = 32700
)

// port gives the port of a service of an organisation.
func (n *Network) port(org string, offset int) int {
	for i, o := range n.topology.Organisations() {
		if o.Name == org {
			return n.state.Ports + portsEach*i + offset
		}
	}
	panic("network: no organisation " + org)
}

// address gives host and port of a service of an organisation.
func (n *Network) address(org string, offset int) string {
	return net.JoinHostPort(n.host(org), strconv.Itoa(n.port(org, offset)))
}

const loopback = "127.0.0.1"

// host is where an organisation's servers listen, and where the others find them. Every
// address in a configuration comes from here, so a topology with a host for each
// organisation changes this function.
func (n *Network) host(org string) string { return loopback }

// serverHosts are the names in the certificates of an organisation's servers.
func (n *Network) serverHosts(org string) []string { return []string{"localhost", n.host(org)} }

// A portClaim keeps a block of ports from other networks that are being made on this
// machine. It is closed when the servers listen.
type portClaim struct{ file *os.File }

func (c *portClaim) close() { c.file.Close() }

// claimFreePorts finds a block of count free ports and claims it for the network in dir.
// A network keeps its block for life, also while it is stopped.
func claimFreePorts(cache, dir string, count int) (base int, claim *portClaim, err error) {
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return 0, nil, fmt.Errorf("claim free ports: %w", err)
	}
	// Claims lie on a fixed grid, so that two claims are the same file or do not overlap.
	const grid = portsEach * (maxHospitals + maxRegulators)
	for _, i := range rand.Perm((freeLast - freeFirst) / grid) {
		base := freeFirst + i*grid
		claim, err := lockFile(filepath.Join(cache, strconv.Itoa(base)+".lock"), false)
		if errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return 0, nil, fmt.Errorf("claim free ports: %w", err)
		}
		if !takenBefore(claim, base) && allFree(base, count) {
			err := claim.Truncate(0)
			if err == nil {
				_, err = claim.WriteAt([]byte(dir), 0)
			}
			if err != nil {
				claim.Close()
				return 0, nil, fmt.Errorf("claim free ports: %w", err)
			}
			return base, &portClaim{claim}, nil
		}
		claim.Close()
	}
	return 0, nil, fmt.Errorf("no block of %d free ports from %d to %d", count, freeFirst, freeLast)
}

// takenBefore tells whether a network that claimed the block before still has it.
func takenBefore(claim *os.File, base int) bool {
	dir, err := io.ReadAll(claim)
	if err != nil || len(dir) == 0 {
		return false
	}
	owner, err := readState(string(dir))
	return err == nil && owner.Ports == base
}

func allFree(base, count int) bool {
	for p := base; p < base+count; p++ {
		if !portFree(p) {
			return false
		}
	}
	return true
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return !errors.Is(err, syscall.EADDRINUSE)
	}
	l.Close()
	return true
}

// checkPorts makes sure that no other process listens on the ports of a process that is
// about to start.
func (n *Network) checkPorts(p *process) error {
	for _, port := range p.ports {
		if portFree(port) {
			continue
		}
		holder := "a process of another user"
		pid, command := portHolder(port)
		for tries := 0; pid == 0 && tries < 20; tries++ { // a server that has just ended may hold it for a moment longer
			time.Sleep(50 * time.Millisecond)
			if portFree(port) {
				break
			}
			pid, command = portHolder(port)
		}
		if portFree(port) {
			continue
		}
		if pid != 0 {
			holder = fmt.Sprintf("process %d (%s)", pid, command)
		}
		return fmt.Errorf("port %d is in use: %s is to listen there, but %s holds it; "+
			"stop that process, or give this network another port base (ports: in its topology)", port, p.name(), holder)
	}
	return nil
}

// portHolder finds the process that listens on a port, or gives 0 when it cannot be seen.
func portHolder(port int) (pid int, command string) {
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listeners(table, port, inodes)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !inodes[target] {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return pid, strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " "))
	}
	return 0, ""
}

// listeners adds the sockets that listen on the port to inodes, in the form of a
// /proc/PID/fd link.
func listeners(table string, port int, inodes map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	const stateListen = "0A"
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && strings.HasSuffix(fields[1], suffix) && fields[3] == stateListen {
			inodes["socket:["+fields[9]+"]"] = true
		}
	}
}
