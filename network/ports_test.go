package network

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Ports on which a Linux machine of a developer often has something, from 17000 on.
var commonPorts = []int{17500, 18080, 19132, 20048, 24800, 25565, 27017, 27018, 27019}

func TestDefaultPorts(t *testing.T) {
	d := Default()
	n := &Network{topology: d, state: &state{Ports: int(d.Ports)}}
	taken := map[int]string{}
	n.state.Services = true
	for _, p := range n.processes() {
		for _, port := range p.ports {
			if other := taken[port]; other != "" {
				t.Errorf("port %d is both %s's and %s's", port, other, p.name())
			}
			taken[port] = p.name()
			if port >= 32768 && port <= 60999 {
				t.Errorf("port %d of %s is in the range of outgoing connections", port, p.name())
			}
			for _, common := range commonPorts {
				if port == common {
					t.Errorf("port %d of %s is a common service's", port, p.name())
				}
			}
			if last := int(d.Ports) + portsEach*len(d.Organisations()); port < int(d.Ports) || port >= last {
				t.Errorf("port %d of %s is outside the block", port, p.name())
			}
		}
	}
	// CA 2, orderer 3, peer 3, chaincode 1 everywhere; kubo 2, authority 1 at the
	// hospitals.
	if want := 4*9 + 3*3; len(taken) != want {
		t.Errorf("%d ports, want %d", len(taken), want)
	}
	named := 0
	for _, org := range n.organisations() {
		doors := n.Doors(org)
		if _, nameless := doors[""]; nameless {
			t.Errorf("a port of %s has no name: %v", org, doors)
		}
		named += len(doors)
	}
	if named != len(taken) {
		t.Errorf("%d ports have names, want %d", named, len(taken))
	}
}

// claims is where networks of this machine claim their ports. Tests claim there too: they
// look at ports by listening for a moment, and another test's servers may be about to.
func claims(t *testing.T) string {
	t.Helper()
	cache, err := cacheDirectory()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "ports")
}

func TestClaimFreePorts(t *testing.T) {
	cache := claims(t)
	const count = 60
	first, claim, err := claimFreePorts(cache, t.TempDir(), count)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.close()
	second, other, err := claimFreePorts(cache, t.TempDir(), count)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	if first < second+count && second < first+count {
		t.Errorf("claims overlap: %d and %d", first, second)
	}
	for _, base := range []int{first, second} {
		if base < freeFirst || base+count > 32768 {
			t.Errorf("block %d is outside %d to 32767", base, freeFirst)
		}
	}
}

// TestStoppedNetworkKeepsItsPorts: nobody else gets the block of a network that is
// stopped, until that is removed.
func TestStoppedNetworkKeepsItsPorts(t *testing.T) {
	cache, dir := claims(t), t.TempDir()
	base, claim, err := claimFreePorts(cache, dir, portsEach)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.close() // nobody else claims it while we look
	if err := (&state{Ports: base}).write(dir); err != nil {
		t.Fatal(err)
	}
	taken := func() bool {
		file, err := os.Open(filepath.Join(cache, strconv.Itoa(base)+".lock"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		return takenBefore(file, base)
	}
	if !taken() {
		t.Error("its ports are given away")
	}
	if err := (&state{Ports: base + 1}).write(dir); err != nil {
		t.Fatal(err)
	}
	if taken() {
		t.Error("it has other ports by now, and keeps these")
	}
	if err := os.Remove(filepath.Join(dir, stateFile)); err != nil {
		t.Fatal(err)
	}
	if taken() {
		t.Error("it is gone, and keeps its ports")
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	pid, command := portHolder(port)
	if pid != os.Getpid() || command == "" {
		t.Errorf("port %d is held by %d %q, want this process, %d", port, pid, command, os.Getpid())
	}
	n := &Network{}
	err = n.checkPorts(&process{organisation: "HospitalB", kind: "peer", ports: []int{port}})
	if err == nil {
		t.Fatal("a port in use was found free")
	}
	for _, want := range []string{"HospitalB/peer is to listen there", "port base", command} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	l.Close()
	if pid, _ := portHolder(port); pid != 0 {
		t.Errorf("a free port is held by %d", pid)
	}
}
