package network

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// scriptNetwork is a network whose servers are scripts that sleep. HospitalA has the
// certificates that do not come from Fabric CA, and its nodes and administrator have
// some.
func scriptNetwork(t *testing.T) *Network {
	t.Helper()
	n := shellNetwork(t)
	programs := t.TempDir()
	for _, name := range []string{"fabric-ca-server", "orderer", "peer", "ipfs", "chartseal", n.topology.ChaincodeProgram} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\nexec sleep 60\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	n.state.Created, n.state.Services, n.state.Programs = true, true, programs
	n.state.Servers = serverBinaries{Fabric: programs, FabricCA: programs, Kubo: programs}
	base, claim, err := claimFreePorts(claims(t), n.dir, portsEach*len(n.organisations()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(claim.close)
	n.state.Ports = base
	if err := n.makeRoots("HospitalA"); err != nil {
		t.Fatal(err)
	}
	for _, id := range n.nodes("HospitalA") {
		n.giveCertificate(t, id.dir, "", time.Hour)
		n.giveCertificate(t, id.dir, "tls-", time.Hour)
	}
	return n
}

// giveCertificate puts a pair into a directory whose certificate has so long to live.
func (n *Network) giveCertificate(t *testing.T, dir, prefix string, lifetime time.Duration) {
	t.Helper()
	r, err := readRoot(n.org("HospitalA", "servers"))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := r.issue("x", nil, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeKeyPair(pair, dir, prefix); err != nil {
		t.Fatal(err)
	}
}

func newWatcher(n *Network) (*watcher, *strings.Builder) {
	log := new(strings.Builder)
	return &watcher{Network: n, known: map[string]*watched{}, say: talk(log)}, log
}

// TestEndedIsNotRestarted: a server whose certificate has ended, or belongs to another
// key, cannot start, so the watcher leaves it and says what helps.
func TestEndedIsNotRestarted(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(n *Network)
		want  bool // restarts
	}{
		"good":         {func(*Network) {}, true},
		"TLS ended":    {func(n *Network) { n.giveCertificate(t, n.org("HospitalA", "peer"), "tls-", -time.Minute) }, false},
		"identity too": {func(n *Network) { n.giveCertificate(t, n.org("HospitalA", "peer"), "", -time.Minute) }, false},
		"half-written": {func(n *Network) {
			if err := writeFile(n.org("HospitalA", "peer", "tls-key.pem"), []byte("another")); err != nil {
				t.Fatal(err)
			}
		}, false},
		"of another server": {func(n *Network) { n.giveCertificate(t, n.org("HospitalA", "orderer"), "tls-", -time.Minute) }, true},
		"of the watcher":    {func(n *Network) { n.giveCertificate(t, n.userDir("admin", "HospitalA"), "tls-", -time.Minute) }, true}, // a dead one can start
	} {
		t.Run(name, func(t *testing.T) {
			n := scriptNetwork(t)
			w, log := newWatcher(n)
			p := n.peerProcess("HospitalA")
			if err := n.want(p); err != nil {
				t.Fatal(err)
			}
			c.spoil(n)
			for range 3 {
				w.round(t.Context(), false)
			}
			restarted := strings.Contains(log.String(), "restarted") && !strings.Contains(log.String(), "not restarted")
			advised := strings.Count(log.String(), "'chartnet renew HospitalA'")
			if restarted != c.want || advised > 1 || (advised == 1) == c.want {
				t.Errorf("restarted: %v, want %v; log\n%s", restarted, c.want, log)
			}
		})
	}
}

// TestBlameCertificates: the certificate of the one who asks explains silence, and
// nothing else.
func TestBlameCertificates(t *testing.T) {
	n := scriptNetwork(t)
	blame := func(p *process, k condition) condition {
		s := Status{PID: 1, condition: k, Problem: "something"}
		n.blameCertificates(p, &s)
		return s.condition
	}
	proxy := n.ipfsProxyProcess("HospitalA")
	for _, k := range []condition{well, stopped, dead, frozen, silent, behind} {
		if got := blame(proxy, k); got != k {
			t.Errorf("with good certificates, %q is %q", k, got)
		}
	}
	n.giveCertificate(t, n.userDir("admin", "HospitalA"), "tls-", -time.Minute)
	for p, want := range map[*process]condition{
		proxy: ended, n.peerProcess("HospitalA"): ended, n.authorityProcess("HospitalA"): ended,
		n.ordererProcess("HospitalA"): silent, n.caProcess("HospitalA"): silent, n.ipfsProcess("HospitalA"): silent,
	} {
		if got := blame(p, silent); got != want {
			t.Errorf("the administrator's certificate has ended, and %s is %q, want %q", p.name(), got, want)
		}
		if got := blame(p, dead); got != dead {
			t.Errorf("%s is dead, and not restarted: %q", p.name(), got)
		}
	}
	for _, k := range []condition{dead, frozen, silent, behind} {
		n.giveCertificate(t, n.org("HospitalA", "ipfs-proxy"), "tls-", -time.Minute)
		if got := blame(proxy, k); got != ended {
			t.Errorf("its own certificate has ended, and it is %q", got)
		}
	}
}

func TestMostSilent(t *testing.T) {
	for text, want := range map[string]bool{"": false, "w": false, "s": true, "ws": false, "wss": true, "wwsd": false, "sde": false, "see": false, "sdd": true} {
		var all []Status
		for _, c := range text {
			s := Status{PID: 1, condition: map[rune]condition{'w': well, 's': silent, 'd': dead, 'e': ended}[c]}
			if c == 'd' {
				s.PID = 0
			}
			all = append(all, s)
		}
		if got := mostSilent(all); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestMarkNeeded: of four orderers any three order.
func TestMarkNeeded(t *testing.T) {
	w, _ := newWatcher(shellNetwork(t))
	for text, want := range map[string]string{"wwww": "....", "wwws": "....", "wwss": "..nn", "wsfb": ".n..", "ssss": "nnnn"} {
		var all []Status
		for _, c := range text {
			all = append(all, Status{Process: "orderer", PID: 1, condition: map[rune]condition{'w': well, 's': silent, 'f': frozen, 'b': behind}[c]})
		}
		all = append(all, Status{Process: "peer", PID: 1, condition: silent})
		w.markNeeded(all)
		got := ""
		for _, s := range all {
			got += map[bool]string{true: "n", false: "."}[s.needed]
		}
		if got != want+"." {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestOneAfterTheOther: of servers that seem to work, the next is restarted when the one
// before is well again. Frozen ones do not wait.
func TestOneAfterTheOther(t *testing.T) {
	n := shellNetwork(t)
	w, log := newWatcher(n)
	var all []*process
	for _, kind := range []string{"ca", "peer", "orderer", "chaincode"} {
		p := n.shell(kind, "exec sleep 60")
		if err := n.startAll(t.Context(), []*process{p}); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	examine := func(p *process, k condition) (restarted bool) {
		t.Helper()
		pid := n.pid(p)
		w.known[p.name()].trouble = time.Now().Add(-time.Hour)
		w.examine(t.Context(), p, Status{PID: pid, condition: k, Problem: string(k)})
		for n.pid(p) == 0 { // the shell has not recorded itself yet
			time.Sleep(time.Millisecond)
		}
		return n.pid(p) != pid
	}
	for _, p := range all {
		w.known[p.name()] = &watched{pid: n.pid(p), served: true}
	}
	a, b, c, d := all[0], all[1], all[2], all[3]
	if !examine(a, silent) || examine(b, silent) || examine(c, behind) {
		t.Errorf("want one restart:\n%s", log)
	}
	for _, p := range []*process{c, d} {
		if err := syscall.Kill(n.pid(p), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if !examine(p, frozen) {
			t.Errorf("%s is frozen, and waits:\n%s", p.name(), log)
		}
	}
	if examine(b, silent) {
		t.Errorf("the first is not well yet:\n%s", log)
	}
	w.examine(t.Context(), a, Status{PID: n.pid(a)})
	if !examine(b, silent) {
		t.Errorf("the first is well, and the next waits:\n%s", log)
	}
	w.known[a.name()].resting, w.known[a.name()].vain = time.Time{}, 0
	if examine(a, silent) {
		t.Errorf("the second is not well yet:\n%s", log)
	}
	w.since = w.since.Add(-startPatience) // it does not get well
	if !examine(a, silent) {
		t.Errorf("one that stays sick keeps the others from a restart:\n%s", log)
	}
}

// TestWatcherWaitTimeout: what an operator sets for a slow machine counts for the
// watcher.
func TestWatcherWaitTimeout(t *testing.T) {
	n := shellNetwork(t)
	if args := strings.Join(n.watchProcess().args, " "); strings.Contains(args, "wait") {
		t.Errorf("arguments %s", args)
	}
	n.WaitTimeout = 15 * time.Minute
	if args := strings.Join(n.watchProcess().args, " "); !strings.HasSuffix(args, " watch --wait-timeout 15m0s") {
		t.Errorf("arguments %s", args)
	}
}
