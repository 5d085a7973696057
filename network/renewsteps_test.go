package network

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestUnreachable: what is restarted all at once, because one after the other would wait
// for ever. Of four orderers any three order.
func TestUnreachable(t *testing.T) {
	const (
		good = iota
		unpaired
		ended
	)
	for name, c := range map[string]struct {
		orderers, peers [4]int
		lenient         bool
		want            string
	}{
		"none":                         {},
		"half-written":                 {orderers: [4]int{unpaired, unpaired, good, good}, peers: [4]int{unpaired}},
		"one organisation":             {orderers: [4]int{good, ended}, peers: [4]int{good, ended}, lenient: true, want: "o1 p1"},
		"more than the network can do": {orderers: [4]int{ended, ended}, peers: [4]int{ended}, lenient: true, want: "o0 p0 o1 o2 o3"},
		"TLS of two":                   {orderers: [4]int{ended, ended}, want: "o0 o1"},
		"all":                          {orderers: [4]int{ended, ended, ended, ended}, peers: [4]int{ended, ended, ended, ended}, lenient: true, want: "o0 p0 o1 p1 o2 p2 o3 p3"},
	} {
		n := shellNetwork(t)
		n.lenient.Store(c.lenient)
		var running []*process
		var chosen []Certificate
		for i, org := range n.organisations() {
			for _, s := range []struct {
				kind  string
				state int
			}{{"orderer", c.orderers[i]}, {"peer", c.peers[i]}} {
				running = append(running, &process{organisation: org, kind: s.kind})
				chosen = append(chosen, Certificate{Organisation: org, Holder: org + "/" + s.kind, Use: UseTLS, NotAfter: []time.Time{
					time.Now().Add(time.Hour), {}, time.Now().Add(-time.Hour),
				}[s.state]})
			}
			running = append(running, &process{organisation: org, kind: "ca"})
		}
		var got []string
		for _, p := range n.unreachable(running, chosen) {
			got = append(got, p.kind[:1]+string(rune('0'+slices.Index(n.organisations(), p.organisation))))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

// TestOutdated: a server that was started before its certificate was replaced is told
// from the others, also by a program that did not replace it.
func TestOutdated(t *testing.T) {
	n := scriptNetwork(t)
	peer, authority, orderer := n.peerProcess("HospitalA"), n.authorityProcess("HospitalA"), n.ordererProcess("HospitalA")
	for _, p := range []*process{peer, authority, orderer} {
		p.ready = nil
	}
	if err := n.startAll(t.Context(), []*process{peer, authority}); err != nil {
		t.Fatal(err)
	}
	if n.outdated(peer) || n.outdated(authority) || n.outdated(orderer) || n.unfinished() {
		t.Error("outdated before anything was replaced")
	}
	n.giveCertificate(t, n.org("HospitalA", "peer"), "tls-", time.Hour)
	n.giveCertificate(t, n.userDir("authority", "HospitalA"), "", time.Hour)
	if !n.outdated(peer) || !n.outdated(authority) || n.outdated(orderer) || !n.unfinished() {
		t.Errorf("outdated: peer %v, authority %v, a stopped orderer %v, unfinished %v", n.outdated(peer), n.outdated(authority), n.outdated(orderer), n.unfinished())
	}
	if err := n.halt(t.Context(), []*process{peer, authority}); err != nil {
		t.Fatal(err)
	}
	if !n.wanted(peer) || n.outdated(peer) || !n.unfinished() {
		t.Error("a server that was ended to be started again is not to run any more, or is outdated")
	}
	if err := n.startAll(t.Context(), []*process{peer, authority}); err != nil || n.outdated(peer) || n.unfinished() {
		t.Errorf("after its restart: %v, or outdated", err)
	}
}

// TestLenient: only a command that renews makes an orderer accept ended certificates, and
// only while the configuration names some.
func TestLenient(t *testing.T) {
	n := scriptNetwork(t)
	lenient := func() bool { return slices.Contains(n.ordererProcess("HospitalB").env, lenientOrderer) }
	n.allowEnded()
	if lenient() {
		t.Error("lenient while all certificates are good")
	}
	n.giveCertificate(t, n.org("HospitalA", "orderer"), "", -time.Minute)
	if lenient() {
		t.Error("lenient because a member let its certificate end")
	}
	n.allowEnded()
	if !lenient() {
		t.Error("not lenient when ended ones are replaced")
	}
	p := n.ordererProcess("HospitalA")
	p.ready = nil
	if err := n.startAll(t.Context(), []*process{p}); err != nil {
		t.Fatal(err)
	}
	during := n.outdated(p)
	n.lenient.Store(false)
	if during || !n.outdated(p) {
		t.Error("a lenient orderer is outdated during the renewal, or not after it")
	}
}

// TestStartAgain: an error of one process keeps none of the others from starting.
func TestStartAgain(t *testing.T) {
	n := shellNetwork(t)
	n.state.Services, n.WaitTimeout = true, 400*time.Millisecond
	u := &bringUp{Network: n, say: talk(nil)}
	orderer := n.shell("orderer", "exec sleep 60") // it never gets active
	broken := n.shell("chaincode", "exit 1")
	broken.ready = func(context.Context) error { return errors.New("not yet") }
	peer := n.shell("peer", "exec sleep 60")
	peer.height = func(context.Context) (uint64, error) { return 0, errors.New("no answer") }
	authority := n.shell("authority", "exec sleep 60")
	all := []*process{broken, orderer, peer, authority}
	err := u.startAgain(t.Context(), all)
	for _, want := range []string{"HospitalA/chaincode died", "HospitalA/orderer", "no answer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for _, p := range all {
		if !n.wanted(p) || n.pid(p) == 0 && p != broken {
			t.Errorf("%s: wanted %v, process %d", p.name(), n.wanted(p), n.pid(p))
		}
	}
}

// TestStartWithoutRenewal: an organisation starts also if its CA cannot replace what is
// due.
func TestStartWithoutRenewal(t *testing.T) {
	n := scriptNetwork(t)
	n.WaitTimeout = 400 * time.Millisecond // no script ever answers
	if err := errors.Join(n.configureCA("HospitalA"), os.MkdirAll(n.org("HospitalA", "ipfs"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if len(renewable(n.Due(time.Now()))) == 0 {
		t.Fatal("nothing is due")
	}
	err := n.Start(t.Context(), "HospitalA")
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "renew certificates of HospitalA") {
		t.Errorf("error %v", err)
	}
	for _, p := range n.members("HospitalA") {
		if n.pid(p) == 0 {
			t.Errorf("%s was not started: %s", p.name(), n.lastWords(p))
		}
	}
}

// TestRenewGoesOn: a CA that is damaged keeps no server down that ran before, and no CA
// running that did not.
func TestRenewGoesOn(t *testing.T) {
	n := scriptNetwork(t)
	n.WaitTimeout = 400 * time.Millisecond
	if err := n.configureCA("HospitalA"); err != nil {
		t.Fatal(err)
	}
	peer, ca := n.peerProcess("HospitalA"), n.caProcess("HospitalA")
	n.giveCertificate(t, n.org("HospitalA", "peer"), "tls-", -time.Minute)
	peer.ready = nil
	if err := n.startAll(t.Context(), []*process{peer}); err != nil {
		t.Fatal(err)
	}
	before := n.pid(peer)
	if err := n.Renew(t.Context(), nil, "HospitalA"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if now := n.pid(peer); now == 0 || now == before {
		t.Errorf("the peer, which was to be restarted, is process %d, before %d", now, before)
	}
	if n.pid(ca) != 0 || n.wanted(ca) {
		t.Error("the CA runs, as it did not before")
	}
}

// TestEndedAdvice: a server that does not start because its certificate has ended says
// so.
func TestEndedAdvice(t *testing.T) {
	n := scriptNetwork(t)
	n.giveCertificate(t, n.org("HospitalA", "orderer"), "", -time.Minute)
	p := n.ordererProcess("HospitalA")
	if err := os.WriteFile(p.path, []byte("#!/bin/sh\necho panic >&2; exit 2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := n.startAll(t.Context(), []*process{p}); err == nil || !strings.Contains(err.Error(), "'chartnet renew HospitalA'") || !strings.Contains(err.Error(), "panic") {
		t.Errorf("error %v", err)
	}
}
