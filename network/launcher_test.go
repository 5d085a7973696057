package network

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKilledLauncher kills the command chartnet in the middle of its work, and has
// another finish it: two hospitals, with all services, beside the network of
// TestConsortium.
func TestKilledLauncher(t *testing.T) {
	t.Parallel()
	dir, programs := t.TempDir(), ownPrograms(t)
	chartnet := filepath.Join(programs, "chartnet")
	topology := filepath.Join(dir, "two.yaml")
	text := "ports: free\nhospitals: [{name: North, users: {doctor: {role: doctor}}}, {name: South, users: {nurse: {role: nurse}}}]\n"
	if err := os.WriteFile(topology, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	network := filepath.Join(programs, "network")
	command := func(words ...string) *exec.Cmd {
		return exec.Command(chartnet, append([]string{"--topology", topology, "--dir", network, "--wait-timeout", testWait.String()}, words...)...)
	}

	// The phase that has just ended, and how far into the next one the launcher is
	// killed.
	for i, c := range []struct {
		after string
		delay time.Duration
	}{
		{"", 30 * time.Millisecond},
		{"certificate authorities", 200 * time.Millisecond},
		{"nodes' identities", 700 * time.Millisecond},
		{"channel, users, ipfs", 100 * time.Millisecond},
	} {
		if testing.Short() && i%2 == 0 {
			continue
		}
		killAfter(t, command("up"), c.after, c.delay)
		if out, err := command("down").CombinedOutput(); err != nil {
			t.Errorf("down after a launcher was killed: %v\n%s", err, out)
		}
		if n, err := Open(network); err == nil {
			if left := n.strays(); len(left) > 0 {
				t.Errorf("killed after %q: down left %v", c.after, left)
			}
		}
	}

	up := command("up")
	up.Stderr = testWriter{t}
	if err := up.Run(); err != nil {
		t.Fatal(err)
	}
	n, err := Open(network)
	if err != nil {
		t.Fatal(err)
	}
	n.WaitTimeout = testWait
	cleanUp(t, n)
	wantHealthy(t, n)
	wantScopes(t, n, "Regulator", "consortium")
	for file, want := range map[string]string{
		filepath.Join(programs, "chartseal.yaml"): "wallet: network/wallet", filepath.Join(network, "chartseal.yaml"): "wallet: wallet",
	} {
		if data, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(data)) != want {
			t.Errorf("%s: %q, %v", file, data, err)
		}
	}
	out, err := n.chartseal(t.Context(), "doctor", "North", "keys", "list")
	if err != nil || !strings.Contains(out, "North:role=doctor") {
		t.Errorf("keys of doctor@North: %s, %v", out, err)
	}

	testWatch(t, n, command)

	// The same directory cannot be worked on by two.
	unlock, err := lockNetwork(network, 0)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(chartnet, "--dir", network, "stop", "North").CombinedOutput(); err == nil || !strings.Contains(string(out), "another command") {
		t.Errorf("stop beside another command: %v\n%s", err, out)
	}
	unlock()
}

// killAfter runs a command and kills it a while after a line of its stderr that begins
// with the given text.
func killAfter(t *testing.T, cmd *exec.Cmd, text string, delay time.Duration) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for text != "" && lines.Scan() && !strings.HasPrefix(lines.Text(), text) {
	}
	time.Sleep(delay)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatalf("the command ended before it could be killed after %q", text)
	}
}

// A foreign process on a port of the network makes Up say which port, whose it is and
// what to do.
func TestUpWithPortInUse(t *testing.T) {
	topology := testTopology(t)
	base, claim, err := claimFreePorts(claims(t), topology.Directory, portsEach*len(topology.Organisations()))
	if err != nil {
		t.Fatal(err)
	}
	defer claim.close()
	topology.Ports = Ports(base)
	squatter, err := net.Listen("tcp", fmt.Sprintf("%s:%d", loopback, base+portCA))
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	_, err = Up(t.Context(), topology, withoutServices(t, ownPrograms(t)))
	want := fmt.Sprintf("port %d is in use: HospitalA/ca is to listen there, but process %d", base+portCA, os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
	n, err := Open(topology.Directory)
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
}
