package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"

	"github.com/chartseal/chartseal/client/wallet"
)

// A caller knocks at doors with one kind of certificate, and with programs of their own.
type caller struct {
	kind string
	org  string           // home organisation
	user *wallet.User     // nil without an enrolment certificate
	tls  *tls.Certificate // nil without a TLS certificate
}

// An answer says to which of the callers of a kind a door opens.
type answer string

const (
	no  answer = "no"
	own answer = "own" // at their own organisation only
	yes answer = "yes"
)

// kinds are the columns of the table.
var kinds = []string{"nurse", "no role", "authority", "auditor", "administrator", "revoked", "nobody", "chartnet"}

// A door is one service at a port of every organisation that has the port. Knock returns
// nil if the service answers.
type door struct {
	port    string // as in network.Doors
	service string
	knock   func(k *knocker) error
	answers string // one letter for each kind: y, o or -
}

// doors is the table of docs/doors.md.
var doors = []door{
	{"peer", "Gateway: evaluate a contract", evaluate, "yyyyy---"},
	{"peer", "Gateway: events of the contract", chaincodeEvents, "yyyyy---"},
	{"peer", "Endorser: a contract", propose("chartseal", "scope:List"), "yyyyy---"},
	{"peer", "Endorser: `qscc`, whole blocks", propose("qscc", "GetBlockByNumber", channel, "1"), "yyyyy---"},
	{"peer", "Endorser: `cscc`, the channel's configuration", propose("cscc", "GetConfigBlock", channel), "yyyyy---"},
	{"peer", "Endorser: `cscc`, the peer's channels", propose("cscc", "GetChannels"), "oooooo--"},
	{"peer", "Endorser: `cscc`, joining by snapshot", propose("cscc", "JoinBySnapshotStatus"), "----o---"},
	{"peer", "Endorser: `_lifecycle`, install a chaincode", propose("_lifecycle", "InstallChaincode", ""), "----o---"},
	{"peer", "Endorser: `_lifecycle`, approve a definition", propose("_lifecycle", "ApproveChaincodeDefinitionForMyOrg", ""), "----o---"},
	{"peer", "Deliver: whole blocks", deliverBlocks, "--------"},
	{"peer", "Deliver: blocks with private data", deliverPrivateData, "--------"},
	{"peer", "Deliver: filtered blocks", deliverFiltered, "yyyyy---"},
	{"peer", "gossip: private data", gossipPrivateData, "--------"},
	{"peer", "discovery", discoverPeers, "yyyyy---"},
	{"peer", "Snapshot", snapshots, "----o---"},
	{"peer, for chaincode", "register as a chaincode", registerChaincode, "--------"},
	{"peer, operations", "metrics", get("/metrics"), "-------o"},
	{"peer, operations", "set the log level", setLogLevel, "-------o"},
	{"orderer", "Broadcast", broadcast, "yyyyy---"},
	{"orderer", "Deliver", ordererDeliver, "yyyyy---"},
	{"orderer", "Cluster: a consenter's messages", clusterStep, "--------"},
	{"orderer, administration", "channel participation", get("/participation/v1/channels"), "-------o"},
	{"orderer, operations", "metrics", get("/metrics"), "-------o"},
	{"orderer, operations", "set the log level", setLogLevel, "-------o"},
	{"CA", "information", get("/cainfo"), "yyyyyyyy"},
	{"CA", "a new certificate for an old one", reenroll, "ooooo---"},
	{"CA", "register a person", caCall("register", `{"id":"intruder","type":"client","caname":"ca"}`), "--------"},
	{"CA", "revoke a person", caCall("revoke", `{"id":"doctor","caname":"ca"}`), "--------"},
	{"CA", "a revocation list", caCall("gencrl", `{"caname":"ca"}`), "--------"},
	{"CA, operations", "health", get("/healthz"), "-------o"},
	{"chaincode server", "connect as a peer", connectChaincode, "--------"},
	{"authority", "health", get("/healthz"), "yyyyyyyy"},
	{"authority", "attribute keys", attributeKeys, "o-o-----"},
	{"IPFS proxy", "store and read payloads", proxied("block/stat?offline=true&arg=bafkqaaa"), "ooo-o---"},
	{"IPFS proxy", "pin payloads", pinPayload, "ooo-o---"},
	{"IPFS proxy", "unpin payloads", proxied("pin/rm?arg=bafkqaaa"), "--------"},
	{"IPFS proxy", "remove blocks", proxied("block/rm?arg=bafkqaaa"), "--------"},
	{"IPFS proxy", "collect garbage", proxied("repo/gc"), "--------"},
	{"IPFS proxy", "stop the node", proxied("shutdown"), "--------"},
	{"IPFS proxy", "read the configuration, tokens included", proxied("config/show"), "--------"},
	{"IPFS proxy", "`/debug`: metrics and profiles of the process", kuboDebug, "--------"},
	{"IPFS proxy", "a call without TLS", withoutTLS, "--------"},
	{"kubo, swarm", "libp2p without the swarm's key", libp2p, "--------"},
}

var answers = map[byte]answer{'y': yes, 'o': own, '-': no}

// TestDoors knocks at every port of the network with every kind of certificate, and
// compares the answers with the table. docs/doors.md shows the same table.
func TestDoors(t *testing.T) {
	callers := allCallers(t)
	seal(t, doctorA, write(t, "event.txt", []byte("a")), "--policy", twoDoctors) // an event of the contract
	anyRegistration(t)
	seen := map[string]bool{}
	var knocking sync.WaitGroup // at all ports at once: many refusals are a silence
	for _, o := range consortium.Topology().Organisations() {
		for port, address := range consortium.Doors(o.Name) {
			seen[port] = true
			if !slices.ContainsFunc(doors, func(d door) bool { return d.port == port }) {
				t.Errorf("the table lacks the port %q", port)
			}
			for i, c := range callers {
				knocking.Go(func() {
					for _, d := range doors {
						if d.port != port {
							continue
						}
						want := answers[d.answers[i]]
						open := want == yes || want == own && c.org == o.Name
						err := attempt(t, d, c, o.Name, address)
						if (err == nil) != open {
							t.Errorf("%s at %s's %s, %s: got %v, want open: %v", c.kind, o.Name, port, d.service, err, open)
						}
					}
				})
			}
		}
	}
	knocking.Wait()
	for _, d := range doors {
		if !seen[d.port] {
			t.Errorf("no organisation has the port %q", d.port)
		}
	}
	rows := seal(t, doctorA, write(t, "a.txt", []byte("a")), "--policy", twoDoctors) // nobody has broken anything
	opens(t, doctorB, rows[0].Record, []byte("a"))
}

// A knocker is one attempt.
type knocker struct {
	*testing.T
	caller
	ctx         context.Context
	at, address string
}

func attempt(t *testing.T, d door, c caller, at, address string) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return d.knock(&knocker{t, c, ctx, at, address})
}

// allCallers gives one caller of each kind. Those of a hospital belong to HospitalC.
func allCallers(t *testing.T) []caller {
	t.Helper()
	if everybody != nil {
		return everybody
	}
	const home = "HospitalC"
	enrol := func(name string, attributes map[string]string) string {
		secret, err := consortium.Register(t.Context(), home, name, attributes, 2)
		if err != nil {
			t.Fatal(err)
		}
		full := name + "@" + home
		expect(t, exitDone, full, "enroll", full, "--secret-file", write(t, "secret", []byte(secret)))
		return full
	}
	porter, leaver := enrol("porter", nil), enrol("leaver-c", map[string]string{"role": "nurse"})
	person := func(kind, name string) caller {
		u := user(t, name)
		return caller{kind, u.Profile.MSP, u, &u.TLS}
	}
	all := []caller{
		person("nurse", nurseC), person("no role", porter), person("authority", "authority@"+home), person("auditor", auditor),
		person("administrator", "admin@"+home), person("revoked", leaver), {kind: "nobody"},
		{kind: "chartnet", org: home, tls: administrator(t, home)},
	}
	if err := consortium.Revoke(t.Context(), home, "leaver-c"); err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		if c.kind != kinds[i] {
			t.Fatalf("caller %d is %s, want %s", i, c.kind, kinds[i])
		}
	}
	everybody = all
	return all
}

// everybody is what allCallers made, for the other tests.
var everybody []caller

// administrator is the client certificate of an organisation's administration ports. It
// is in the network's directory and in no wallet.
func administrator(t *testing.T, org string) *tls.Certificate {
	t.Helper()
	dir := filepath.Join(consortium.Directory(), "orgs", org, "administration")
	pair, err := tls.LoadX509KeyPair(dir+"/client-cert.pem", dir+"/client-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

// TestNobodyAdministers plays a person of a hospital, employed and revoked, who
// administers its servers: delete the channel from the orderer, and set log levels.
func TestNobodyAdministers(t *testing.T) {
	for _, c := range allCallers(t) {
		if c.kind == "chartnet" {
			continue
		}
		for _, o := range consortium.Topology().Organisations() {
			for port, address := range consortium.Doors(o.Name) {
				if !strings.Contains(port, "operations") && !strings.Contains(port, "administration") {
					continue
				}
				k := &knocker{t, c, t.Context(), o.Name, address}
				refusal := k.certificateRefusal()
				if refusal == nil || !strings.Contains(refusal.Error(), "tls:") {
					t.Errorf("%s: certificate at %s's %s: %v", c.kind, o.Name, port, refusal)
				}
				for _, call := range []struct{ method, path, body string }{
					{http.MethodDelete, "/participation/v1/channels/" + channel, ""},
					{http.MethodPut, "/logspec", `{"spec":"debug"}`},
					{http.MethodGet, "/metrics", ""},
				} {
					_, err := k.request(call.method, call.path, call.body)
					if errors.Is(err, net.ErrClosed) { // the refusal has closed the connection before the request was written
						err = refusal
					}
					if err == nil || !strings.Contains(err.Error(), "tls:") {
						t.Errorf("%s: %s %s at %s's %s: %v", c.kind, call.method, call.path, o.Name, port, err)
					}
				}
			}
		}
	}
	for _, s := range consortium.Status(t.Context()) {
		if !s.Healthy {
			t.Errorf("%s/%s: %s", s.Organisation, s.Process, s.Problem)
		}
	}
}

// TestNoPersonIsAServer asks both CAs for certificates with a server's names, in every
// way that their protocol has. No client takes such a certificate for a server's. Neither
// does a certificate get attributes that its owner was not registered with.
func TestNoPersonIsAServer(t *testing.T) {
	const home = "HospitalC"
	names := []string{"localhost", "127.0.0.1"}
	c := allCallers(t)[0]
	k := &knocker{t, c, t.Context(), home, consortium.Doors(home)["CA"]}
	roots, err := os.ReadFile(filepath.Join(consortium.Wallet(), "tls", home+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	issued := 0
	for _, ca := range []string{"ca", "tlsca"} {
		for _, profile := range []string{"", "tls", "ca"} {
			for _, extra := range []string{
				`"hosts":["localhost","127.0.0.1"]`,
				`"extensions":[{"id":"1.2.3.4.5.6.7.8.1","value":"7b226174747273223a7b22726f6c65223a22646f63746f72227d7d"}]`, // role=doctor
				`"attr_reqs":[],"extensions":[{"id":"1.2.3.4.5.6.7.8.1","value":"7b226174747273223a7b22726f6c65223a22646f63746f72227d7d"}]`,
				`"attr_reqs":[{"name":"role"},{"name":"hf.Registrar.Roles","optional":true}]`,
				`"label":"x"`,
			} {
				for _, hosts := range [][]string{nil, names} {
					cert, err := k.certificate(ca, profile, extra, hosts)
					if err != nil {
						continue
					}
					issued++
					_, err = cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
					if err == nil {
						t.Errorf("%s, profile %q, %s: people and servers have the same root", ca, profile, extra)
					}
					if cert.IsCA || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || ca == "tlsca" && len(cert.ExtKeyUsage) != 1 {
						t.Errorf("%s, profile %q, %s: CA %v, usages %v", ca, profile, extra, cert.IsCA, cert.ExtKeyUsage)
					}
					for _, e := range cert.Extensions {
						if e.Id.String() == "1.2.3.4.5.6.7.8.1" && !strings.Contains(string(e.Value), `"role":"nurse"`) {
							t.Errorf("%s, profile %q, %s: attributes %s", ca, profile, extra, e.Value)
						}
					}
				}
			}
		}
	}
	if issued == 0 {
		t.Error("the CAs issued nothing: the test shows nothing")
	}
}

// TestPrivateFiles: nobody but the owner reads the files of the network: ledgers, keys,
// tokens and logs.
func TestPrivateFiles(t *testing.T) {
	level(t)
	err := filepath.WalkDir(consortium.Directory(), func(path string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) { // a server has removed it meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode()&os.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestDoorsPage: docs/doors.md has the table of this test.
func TestDoorsPage(t *testing.T) {
	const page, begin, end = "../../../docs/doors.md", "<!-- table -->\n", "<!-- end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	want := before + begin + doorsTable() + end + after
	if want == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s has another table than the test; -update writes it", page)
}

func doorsTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| port | service | %s |\n|---|---|%s\n", strings.Join(kinds, " | "), strings.Repeat("---|", len(kinds)))
	for _, d := range doors {
		fmt.Fprintf(&b, "| %s | %s |", d.port, d.service)
		for i := range kinds {
			fmt.Fprintf(&b, " %s |", answers[d.answers[i]])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestEnvelopesOfNoBlock: a nurse sends every orderer envelopes of types that no block
// may hold. The leader used to propose them, and the followers to refuse the proposal,
// for minutes. The orderers refuse them, and go on.
func TestEnvelopesOfNoBlock(t *testing.T) {
	nurse := allCallers(t)[0]
	for _, o := range consortium.Topology().Organisations() {
		k := &knocker{t, nurse, t.Context(), o.Name, consortium.Doors(o.Name)["orderer"]}
		client := orderer.NewAtomicBroadcastClient(k.dial())
		for _, kind := range []common.HeaderType{common.HeaderType_MESSAGE, common.HeaderType_DELIVER_SEEK_INFO, common.HeaderType_CHAINCODE_PACKAGE} {
			stream, err := client.Broadcast(k.ctx) // one ends with a refusal
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(k.envelope(kind, []byte("anything"))); err != nil {
				t.Fatal(err)
			}
			if answer, err := stream.Recv(); err != nil || answer.Status == common.Status_SUCCESS {
				t.Errorf("the orderer of %s takes an envelope of type %v: %v, %v", o.Name, kind, answer, err)
			}
		}
	}
	started := time.Now()
	for range 3 {
		seal(t, doctorA, write(t, "note", []byte("x")), "--policy", twoDoctors)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("three seals took %v afterwards", took)
	}
}
