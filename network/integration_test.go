package network

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// These tests run real networks, on free ports and in directories of their own. The
// servers are built on first use.

// TestConsortium is the life of one network, in order.
func TestConsortium(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	topology := testTopology(t)
	n, err := Up(ctx, topology, withoutServices(t, ownPrograms(t)))
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
	wantHealthy(t, n)

	t.Run("certificates", func(t *testing.T) { testCertificates(t, n) })
	t.Run("strangers are refused", func(t *testing.T) { testStrangers(t, n) })

	var cid string
	t.Run("private data reaches every hospital", func(t *testing.T) {
		if err := n.createScope(ctx, "HospitalA", "one", "HospitalA", "HospitalB"); err != nil {
			t.Fatal(err)
		}
		for _, org := range n.organisations() {
			wantScopes(t, n, org, "one")
		}
	})
	t.Run("one endorsement is not enough", func(t *testing.T) {
		if err := n.createScope(ctx, "HospitalA", "alone", "HospitalA"); err == nil || !strings.Contains(err.Error(), "ENDORSEMENT_POLICY_FAILURE") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the regulator's endorsement does not count", func(t *testing.T) {
		if err := n.createScope(ctx, "HospitalA", "regulated", "HospitalA", "Regulator"); err == nil || !strings.Contains(err.Error(), "ENDORSEMENT_POLICY_FAILURE") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a payload is served by another hospital's node", func(t *testing.T) {
		out, err := n.ipfs(ctx, "HospitalA", "add?pin=true", []byte("ciphertext"))
		if err != nil {
			t.Fatal(err)
		}
		var added struct{ Hash string }
		if err := json.Unmarshal(out, &added); err != nil {
			t.Fatal(err)
		}
		cid = added.Hash
		if out, err := n.ipfs(ctx, "HospitalC", "cat?arg="+cid, nil); err != nil || string(out) != "ciphertext" {
			t.Errorf("cat at HospitalC: %q, %v", out, err)
		}
	})
	t.Run("up again leaves everything alone", func(t *testing.T) {
		before := n.Status(ctx)
		if _, err := Up(ctx, topology, withoutServices(t, n.Programs())); err != nil {
			t.Fatal(err)
		}
		after := n.Status(ctx)
		for i := range before {
			if before[i].PID != after[i].PID {
				t.Errorf("%s/%s was restarted", before[i].Organisation, before[i].Process)
			}
		}
	})
	t.Run("a dead process is shown and started again", func(t *testing.T) { testDeadProcess(t, n) })
	t.Run("the leader dies", func(t *testing.T) { testLeaderDies(t, n) })
	t.Run("a hospital stops", func(t *testing.T) {
		if err := n.Stop(ctx, "HospitalC"); err != nil {
			t.Fatal(err)
		}
		for _, s := range n.Status(ctx) {
			if down := s.Organisation == "HospitalC"; s.Healthy == down {
				t.Errorf("%+v", s)
			}
		}
		// For a moment the endorsers still count on HospitalC to take private data, and
		// refuse when it does not: clients try again, as here.
		stopped := time.Now()
		err := n.retry(ctx, "go on without HospitalC", func(ctx context.Context) error {
			return n.createScope(ctx, "HospitalA", "without-c", "HospitalA", "HospitalB")
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("the others went on after %.1f s", time.Since(stopped).Seconds())
		testUpdateElsewhere(t, n, "HospitalC")
		if err := n.Start(ctx, "HospitalC"); err != nil {
			t.Fatal(err)
		}
		wantHealthy(t, n)
		wantScopes(t, n, "HospitalC", "leaderless one without-c")
		if err := n.Stop(ctx, "HospitalX"); err == nil || !strings.Contains(err.Error(), "HospitalX") {
			t.Errorf("stop of an unknown organisation: %v", err)
		}
	})
	t.Run("down and up", func(t *testing.T) {
		makeOlder(t, n)
		if err := n.Down(ctx); err != nil {
			t.Fatal(err)
		}
		olderRoots(t, n)
		if left := n.strays(); len(left) > 0 {
			t.Errorf("down left %v", left)
		}
		for _, s := range n.Status(ctx) {
			if s.PID != 0 || s.Healthy {
				t.Errorf("%+v after down", s)
			}
		}
		// A new user and free ports do not make it another network.
		topology.Hospitals[1].Users["intern"] = map[string]string{"role": "intern"}
		again, err := Up(ctx, topology, withoutServices(t, n.Programs()))
		if err != nil {
			t.Fatal(err)
		}
		wantClosed(t, again)
		wantSeparateRoots(t, again)
		if again.state.Ports != n.state.Ports || again.state.ID != n.state.ID {
			t.Errorf("another network came up: %+v, was %+v", again.state, n.state)
		}
		wantHealthy(t, again)
		wantScopes(t, again, "Regulator", "leaderless one without-c")
		if out, err := n.ipfs(ctx, "HospitalA", "pin/ls?arg="+cid, nil); err != nil {
			t.Errorf("pin of %s: %s, %v", cid, out, err)
		}
		wantDamageSeen(t, again, "HospitalA", cid)
		if _, err := os.Stat(n.userDir("intern", "HospitalB") + "/cert.pem"); err != nil {
			t.Error(err)
		}
		if err := again.createScope(ctx, "HospitalC", "resumed", "HospitalC", "HospitalB"); err != nil {
			t.Error(err)
		}
	})
	t.Run("another topology is refused", func(t *testing.T) {
		other := *topology
		other.Hospitals = other.Hospitals[:2]
		if _, err := Up(ctx, &other, withoutServices(t, n.Programs())); err == nil || !strings.Contains(err.Error(), "other hospitals") {
			t.Errorf("error %v", err)
		}
	})
}

// makeOlder gives a network the settings of an earlier release, which served blocks and
// private data to people.
func makeOlder(t *testing.T, n *Network) {
	t.Helper()
	ctx := t.Context()
	wantClosed(t, n)
	collections, err := os.ReadFile(n.collectionsFile())
	if err != nil {
		t.Fatal(err)
	}
	older := strings.NewReplacer(".peer'", ".member'", "false", "true").Replace(string(collections))
	if err := writeFile(n.collectionsFile(), []byte(older)); err != nil {
		t.Fatal(err)
	}
	u := &bringUp{Network: n, say: talk(nil)}
	if err := u.define(2)(ctx); err != nil {
		t.Fatal(err)
	}
	err = n.updateChannel(ctx, n.organisations(), func(config object) error {
		values, err := dig(config, "channel_group", "groups", "Application", "values")
		delete(values, "ACLs")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n.state.Closed = false
	if err := n.state.write(n.dir); err != nil {
		t.Fatal(err)
	}
	if err := n.fetchFromPeer(ctx, t.TempDir()); err != nil {
		t.Errorf("an older network serves blocks, or the test shows nothing: %v", err)
	}
	if d, err := n.committedDefinition(ctx); err != nil || !d.open() {
		t.Errorf("the older definition: %+v, %v", d, err)
	}
}

// testUpdateElsewhere submits an update to an orderer that does not have it ordered.
func testUpdateElsewhere(t *testing.T, n *Network, stopped string) {
	u, err := n.newConfigUpdate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u.orderers = []string{stopped, "Regulator"}
	edits := 0
	timeout := func(config object, change func(value object)) error {
		value, err := dig(config, "channel_group", "groups", "Orderer", "values", "BatchTimeout", "value")
		if err == nil {
			change(value)
		}
		return err
	}
	err = u.apply(t.Context(), n.organisations(), func(config object) error {
		edits++
		return timeout(config, func(value object) { value["timeout"] = "123ms" })
	})
	if err != nil || edits != 3 {
		t.Errorf("%d edits, want one for each orderer and one that changes nothing: %v", edits, err)
	}
	if config, err := n.channelConfig(t.Context()); err != nil {
		t.Error(err)
	} else if err := timeout(config, func(value object) {
		if value["timeout"] != "123ms" {
			t.Errorf("the timeout is %v", value["timeout"])
		}
	}); err != nil {
		t.Error(err)
	}
	err = u.apply(t.Context(), []string{"HospitalA"}, func(config object) error {
		return timeout(config, func(value object) { value["timeout"] = "1h" })
	})
	if err == nil || !refused(err) {
		t.Errorf("with one signature: %v", err)
	}
}

// olderRoots gives a stopped network the certificates of an earlier release, in which one
// root certified servers, people and administrators.
func olderRoots(t *testing.T, n *Network) {
	t.Helper()
	for _, o := range n.topology.Organisations() {
		servers, err := readRoot(n.org(o.Name, "servers"))
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range append(n.users(o), identity{name: "admin", dir: n.userDir("admin", o.Name)}) {
			pair, err := servers.issue(id.name, n.serverHosts(o.Name), time.Hour, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
			if err != nil {
				t.Fatal(err)
			}
			if err := writeKeyPair(pair, id.dir, "tls-"); err != nil {
				t.Fatal(err)
			}
		}
		pair, err := readKeyPair(n.org(o.Name, "servers"), "ca-")
		if err != nil {
			t.Fatal(err)
		}
		tlsca := filepath.Dir(n.peopleRoot(o.Name))
		if err := errors.Join(
			writeFile(n.peopleRoot(o.Name), pair.Certificate), writeFile(filepath.Join(tlsca, "msp", "keystore", "root_sk"), pair.Key),
			os.Remove(filepath.Join(tlsca, "ca-key.pem")), os.RemoveAll(n.org(o.Name, "servers")),
			os.RemoveAll(n.administration(o.Name)), os.RemoveAll(n.chaincodeLink(o.Name)),
			os.Remove(n.org(o.Name, "ca", "tls-cert.pem")), os.Remove(n.org(o.Name, "chaincode", "tls-cert.pem")),
		); err != nil {
			t.Fatal(err)
		}
		if n.topology.isHospital(o.Name) {
			olderTokens(t, n, o.Name)
			olderDatastore(t, n, o.Name)
		}
	}
	n.state.Settings = 0
	if err := n.state.write(n.dir); err != nil {
		t.Fatal(err)
	}
}

// olderTokens gives a stopped hospital one token of kubo for all its people, and kubo a
// port.
func olderTokens(t *testing.T, n *Network, org string) {
	t.Helper()
	config, err := os.ReadFile(n.org(org, "ipfs", "config"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(config), "/unix"+n.ipfsSocket(org), n.multiaddr(org, portIPFSProxy), 1)
	changed = strings.ReplaceAll(changed, `"proxy": {`, `"chartseal": {`)
	token, err := n.ipfsToken(org, ipfsProxy)
	if err != nil || changed == string(config) || !strings.Contains(changed, token) {
		t.Fatalf("kubo of %s has an unexpected configuration: %v", org, err)
	}
	if err := errors.Join(
		writeFile(n.org(org, "ipfs", "config"), []byte(changed)), writeFile(n.org(org, "ipfs", "token"), []byte(token)),
		os.Remove(n.ipfsTokenFile(org, ipfsProxy)), os.Remove(n.ipfsTokenFile(org, keeper)), os.RemoveAll(n.org(org, "ipfs-proxy")),
	); err != nil {
		t.Fatal(err)
	}
}

// wantNoOlderToken makes sure that the token of an earlier release is good for nothing.
func wantNoOlderToken(t *testing.T, n *Network) {
	t.Helper()
	for _, h := range n.topology.Hospitals {
		config, err := os.ReadFile(n.org(h.Name, "ipfs", "config"))
		if err != nil {
			t.Fatal(err)
		}
		if isFile(n.org(h.Name, "ipfs", "token")) || strings.Contains(string(config), `"chartseal"`) || strings.Contains(string(config), strconv.Itoa(n.port(h.Name, portIPFSProxy))) {
			t.Errorf("kubo of %s is as it was: %s", h.Name, config)
		}
	}
}

// wantSeparateRoots makes sure that a person's certificate, also one of an earlier
// release, opens no administration port, and that the TLS CA certifies no server.
func wantSeparateRoots(t *testing.T, n *Network) {
	t.Helper()
	const org = "HospitalA"
	wantNoOlderToken(t, n)
	person, err := n.personTLS(org)
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int{portPeerOperations, portOrdererAdmin, portOrdererOperations, portCAOperations} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+n.address(org, offset)+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fetch(req, overTLS(person)); err == nil || !strings.Contains(err.Error(), "tls:") {
			t.Errorf("%s with a person's certificate: %v", portNames[offset], err)
		}
	}
	ca, registrar, err := n.asRegistrar(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.Register(t.Context(), registrar, fabricca.Registration{CA: enrolmentCA, ID: "after", Type: "client", Secret: "s", Enrolments: 1}); err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Enroll(t.Context(), fabricca.Request{CA: tlsCA, Profile: fabricca.ProfileTLS, Name: "after", Hosts: n.serverHosts(org)}, "s")
	if err != nil {
		t.Fatal(err)
	}
	if cert, err := parseCertificate(pair.Certificate); err != nil || len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("the TLS CA certifies a person for %v, %v", cert.ExtKeyUsage, err)
	}
}

// wantClosed makes sure that a peer serves no block even to an administrator, and that
// the collection covers peers only.
func wantClosed(t *testing.T, n *Network) {
	t.Helper()
	ctx := t.Context()
	if err := n.fetchFromPeer(ctx, t.TempDir()); err == nil || !strings.Contains(err.Error(), "FORBIDDEN") {
		t.Errorf("a peer's answer to an administrator who asks for a block: %v", err)
	}
	if d, err := n.committedDefinition(ctx); err != nil || d.Sequence == 0 || d.open() {
		t.Errorf("the definition: %+v, %v", d, err)
	}
}

// fetchFromPeer asks a peer for a block, as its administrator.
func (n *Network) fetchFromPeer(ctx context.Context, dir string) error {
	_, err := n.peerCommand(ctx, "HospitalA", "channel", "fetch", "newest", filepath.Join(dir, "block"), "-c", n.topology.Channel)
	return err
}

func testCertificates(t *testing.T, n *Network) {
	data, err := os.ReadFile(filepath.Join(n.Wallet(), "doctor@HospitalA", "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.CommonName != "doctor" || strings.Join(cert.Subject.OrganizationalUnit, " ") != "client" {
		t.Errorf("subject %s", cert.Subject)
	}
	var attributes struct{ Attrs map[string]string }
	for _, e := range cert.Extensions {
		if e.Id.String() == "1.2.3.4.5.6.7.8.1" {
			if err := json.Unmarshal(e.Value, &attributes); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, want := range map[string]string{"role": "doctor", "department": "cardiology", "hf.EnrollmentID": "doctor"} {
		if got := attributes.Attrs[name]; got != want {
			t.Errorf("attribute %s is %q, want %q", name, got, want)
		}
	}

	secret, err := n.Register(t.Context(), "HospitalC", "newcomer", map[string]string{"role": "nurse"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := n.caClient("HospitalC")
	if err != nil {
		t.Fatal(err)
	}
	request := func(ca string) fabricca.Request { return fabricca.Request{CA: ca, Name: "newcomer"} }
	if _, err := ca.Enroll(t.Context(), request(enrolmentCA), "guess"); !errors.Is(err, fabricca.ErrDenied) {
		t.Errorf("enrolled with a wrong secret: %v", err)
	}
	var pair fabricca.KeyPair // for TLS
	for _, name := range []string{enrolmentCA, tlsCA} {
		if pair, err = ca.Enroll(t.Context(), request(name), secret); err != nil {
			t.Error(err)
		}
	}
	if _, err := ca.Enroll(t.Context(), request(enrolmentCA), secret); !errors.Is(err, fabricca.ErrDenied) {
		t.Errorf("enrolled a third time with a secret for two: %v", err)
	}
	if _, err := n.Register(t.Context(), "HospitalC", "newcomer", nil, 2); !errors.Is(err, fabricca.ErrExists) {
		t.Errorf("registered twice: %v", err)
	}
	if err := n.Revoke(t.Context(), "HospitalC", "nobody"); !errors.Is(err, fabricca.ErrNotFound) {
		t.Errorf("revoked nobody: %v", err)
	}
	if err := n.Revoke(t.Context(), "HospitalC", "newcomer"); err != nil {
		t.Fatal(err)
	}
	wantListed(t, n, pair.Certificate)
	// A network of an earlier release has no such list.
	if err := os.Remove(n.revokedPeople("HospitalC")); err != nil {
		t.Fatal(err)
	}
	if err := n.listRevoked(t.Context(), "HospitalC"); err != nil {
		t.Fatal(err)
	}
	wantListed(t, n, pair.Certificate)
}

// wantListed makes sure that HospitalC's proxy refuses a TLS certificate.
func wantListed(t *testing.T, n *Network, certificate []byte) {
	t.Helper()
	person, err := parseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(n.revokedPeople("HospitalC"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	list, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(person.SerialNumber) == 0 }) {
		t.Errorf("the list of %d certificates lacks that of TLS", len(list.RevokedCertificateEntries))
	}
}

// testStrangers speaks to every port without a client certificate or a token.
func testStrangers(t *testing.T, n *Network) {
	const org = "HospitalB"
	anonymous, err := clientTLS(n.tlsRoot(org), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for what, offset := range map[string]int{
		"peer": portPeer, "peer operations": portPeerOperations, "orderer": portOrderer, "orderer administration": portOrdererAdmin,
		"orderer operations": portOrdererOperations, "chaincode": portChaincode, "IPFS proxy": portIPFSProxy,
	} {
		// Under TLS 1.3 a server's refusal arrives with the first answer.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+n.address(org, offset)+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fetch(req, overTLS(anonymous)); err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("%s without a certificate: %v", what, err)
		}
	}
	for holder, calls := range map[string][]string{
		"": {"id"}, ipfsProxy: {"id", "pin/rm", "repo/gc", "shutdown", "config/show"}, keeper: {"id", "add", "repo/gc", "shutdown", "config/show"},
		collector: {"id", "add", "pin/rm", "block/rm", "shutdown", "config/show"},
	} {
		token := ""
		if holder != "" {
			if token, err = n.ipfsToken(org, holder); err != nil {
				t.Fatal(err)
			}
		}
		for _, call := range calls {
			if _, err := n.ipfsCallWith(t.Context(), org, token, call, "", nil); err == nil || !strings.Contains(err.Error(), "403") {
				t.Errorf("kubo's %s with the token of %q: %v", call, holder, err)
			}
		}
	}
}

func testDeadProcess(t *testing.T, n *Network) {
	p := n.peerProcess("HospitalB")
	pid := n.pid(p)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for n.pid(p) != 0 {
		time.Sleep(10 * time.Millisecond)
	}
	all := n.Status(t.Context())
	for _, s := range all {
		if dead := s.Organisation == "HospitalB" && s.Process == "peer"; dead && (s.Healthy || !strings.Contains(s.Problem, "last words: 20")) {
			t.Errorf("dead peer: %+v", s)
		}
	}
	if Healthy(all) || !strings.Contains(Table(all), "NO") {
		t.Errorf("a dead peer is not shown:\n%s", Table(all))
	}
	if _, err := Up(t.Context(), n.topology, withoutServices(t, n.Programs())); err != nil {
		t.Fatal(err)
	}
	wantHealthy(t, n)
}

// TestRaft brings up a network that Raft orders, and with the benchmarks' chaincode.
func TestRaft(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	topology := testTopology(t)
	topology.Ordering.Type, topology.ChaincodeProgram = Raft, "chartseal-bench-chaincode"
	n, err := Up(ctx, topology, withoutServices(t, ownPrograms(t)))
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
	wantHealthy(t, n)
	testLeaderDies(t, n)
	if err := n.invoke(ctx, "HospitalC", []string{"HospitalB", "HospitalC"}, "", "asset:Put", "key", "value"); err != nil {
		t.Error(err)
	}
	long(t)
	if err := n.Down(ctx); err != nil {
		t.Fatal(err)
	}
	other := topology.clone()
	other.Ordering.Type = BFT
	if _, err := Up(ctx, other, withoutServices(t, n.Programs())); err == nil || !strings.Contains(err.Error(), "other ordering") {
		t.Errorf("BFT over a ledger that Raft ordered: %v", err)
	}
	if n, err = Up(ctx, topology, withoutServices(t, n.Programs())); err != nil {
		t.Fatal(err)
	}
	wantHealthy(t, n)
	if err := n.invoke(ctx, "HospitalC", []string{"HospitalB", "HospitalC"}, "", "asset:Put", "key", "again"); err != nil {
		t.Error(err)
	}
	for _, org := range n.organisations() {
		wantScopes(t, n, org, "leaderless")
	}

	// Raft knows its members by their TLS keys, which stay.
	before, err := readIdentity(n.org("HospitalA", "orderer"), "tls-")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Renew(ctx, testWriter{t}); err != nil {
		t.Fatal(err)
	}
	wantHealthy(t, n)
	after, err := readIdentity(n.org("HospitalA", "orderer"), "tls-")
	if err != nil || bytes.Equal(before.Certificate, after.Certificate) {
		t.Errorf("the orderer's certificate was not renewed: %v", err)
	}
	if err := n.invoke(ctx, "HospitalC", []string{"HospitalB", "HospitalC"}, "", "asset:Put", "key", "renewed"); err != nil {
		t.Error(err)
	}
}

// testLeaderDies kills the leading orderer: the next transaction, sent to a follower,
// makes them choose another and commits.
func testLeaderDies(t *testing.T, n *Network) {
	ctx := t.Context()
	leader, follower := n.leaderAndFollower(t)
	p := n.ordererProcess(leader)
	if err := syscall.Kill(n.pid(p), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	err := n.retry(ctx, "go on without a leader", func(ctx context.Context) error {
		err := n.createScope(ctx, follower, "leaderless", "HospitalA", "HospitalB")
		if n.topology.Ordering.Type == BFT && err != nil {
			t.Error(err) // it keeps transactions until there is a leader; Raft refuses them
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("leader %s killed: the next transaction took %.1f s", leader, time.Since(started).Seconds())

	// The old leader comes back and catches up.
	if err := n.startAll(ctx, []*process{p}); err != nil {
		t.Fatal(err)
	}
	err = n.retry(ctx, "old leader", func(ctx context.Context) error {
		own, err := p.height(ctx)
		if err != nil {
			return err
		}
		other, err := n.ordererProcess(follower).height(ctx)
		if err == nil && own < other {
			err = fmt.Errorf("at %d of %d blocks", own, other)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// leaderAndFollower waits until an orderer leads, and names a hospital whose orderer does
// not.
func (n *Network) leaderAndFollower(t *testing.T) (leader, follower string) {
	t.Helper()
	leads := map[OrderingType]string{BFT: "consensus_BFT_is_leader", Raft: "consensus_etcdraft_is_leader"}[n.topology.Ordering.Type]
	err := n.retry(t.Context(), "find the leader", func(ctx context.Context) error {
		leader, follower = "", ""
		for _, org := range n.organisations() {
			metrics, err := n.channelMetrics(ctx, org, portOrdererOperations)
			if err != nil {
				return err
			}
			if metrics[leads] == 1 {
				leader = org
			} else if n.topology.isHospital(org) {
				follower = org
			}
		}
		if leader == "" || follower == "" {
			return fmt.Errorf("leader %q, follower %q", leader, follower)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return leader, follower
}
