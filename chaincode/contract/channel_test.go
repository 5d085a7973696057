package contract

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/attrmgr"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

var start = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

// A channel is three hospitals and a regulator on one world. Each has its own chaincode
// server.
type channel struct {
	t       testing.TB
	world   *world
	servers map[string]*Chaincode
	now     time.Time // of the next proposal
	txs     int
}

var members = []string{"HospitalA", "HospitalB", "HospitalC", "Regulator"}

func newChannel(t testing.TB) *channel {
	t.Helper()
	return &channel{t: t, world: newWorld(), servers: maps.Clone(servers()), now: start}
}

// servers are one server of each member. All tests share them: a server keeps nothing
// between calls, and takes long to make under the race detector.
var servers = sync.OnceValue(func() map[string]*Chaincode { return newServers(nil) })

func newServers(clock func() time.Time) map[string]*Chaincode {
	all := map[string]*Chaincode{}
	for _, m := range members {
		cc, err := New(Config{MSP: m, Hospitals: members[:3], Clock: clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			panic(err)
		}
		all[m] = cc
	}
	return all
}

// person makes the creator bytes of a user, with a certificate like those of Fabric CA.
func person(t testing.TB, mspID, id, role string) []byte {
	t.Helper()
	attrs := map[string]string{"hf.EnrollmentID": id, "hf.Type": "client", "hf.Affiliation": ""}
	if role != "" {
		attrs["role"] = role
	}
	return creator(t, mspID, id, attrs)
}

func creator(t testing.TB, mspID, commonName string, attrs map[string]string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: commonName, OrganizationalUnit: []string{"client"}},
		NotBefore: start, NotAfter: start.AddDate(1, 0, 0),
	}
	if attrs != nil {
		value, err := json.Marshal(attrmgr.Attributes{Attrs: attrs})
		if err != nil {
			t.Fatal(err)
		}
		template.ExtraExtensions = []pkix.Extension{{Id: attrmgr.AttrOID, Value: value}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return identity(t, mspID, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func identity(t testing.TB, mspID string, bytes []byte) []byte {
	t.Helper()
	out, err := proto.Marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: bytes})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// arguments gives the text arguments of a call: strings and numbers as they are, all
// others as JSON.
func arguments(t testing.TB, fn string, args []any) []string {
	t.Helper()
	out := []string{fn}
	for _, a := range args {
		switch a := a.(type) {
		case string:
			out = append(out, a)
		case int:
			out = append(out, fmt.Sprint(a))
		default:
			text, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(text))
		}
	}
	return out
}

// simulate runs a proposal on one organisation's server, and gives its simulation.
func (c *channel) simulate(server string, who []byte, transient map[string][]byte, fn string, args ...any) (*stub, []byte, error) {
	c.t.Helper()
	switch fn {
	case ledger.RecordCreate, ledger.RecordAmend, ledger.RecordReseal:
		transient = signed(who, transient)
	case ledger.RecordErase:
		args[1] = signedErasures(c.t, who, args[1].([]ledger.NewErasure))
	case ledger.ReplicaConfirm:
		receipts := slices.Clone(args[0].([]ledger.NewReceipt))
		for i := range receipts {
			if receipts[i].Signature == "" {
				receipts[i].Signature = signatureOf(c.t, who, 1)
			}
		}
		args[0] = receipts
	}
	return c.simulateAs(server, who, transient, fn, args...)
}

// signedErasures completes erasures without a signature.
func signedErasures(t testing.TB, who []byte, erasures []ledger.NewErasure) []ledger.NewErasure {
	t.Helper()
	erasures = slices.Clone(erasures)
	for i := range erasures {
		if erasures[i].Signature == "" {
			erasures[i].Signature = signatureOf(t, who, 1)
		}
	}
	return erasures
}

// simulateAs is simulate with wrapped keys as they are.
func (c *channel) simulateAs(server string, who []byte, transient map[string][]byte, fn string, args ...any) (*stub, []byte, error) {
	c.t.Helper()
	c.txs++
	tx := sha256.Sum256(fmt.Append(nil, c.txs))
	s := c.world.begin(who, hex.EncodeToString(tx[:]), c.now, transient, arguments(c.t, fn, args)...)
	payload, err := c.endorse(server, s)
	return s, payload, err
}

func (c *channel) endorse(server string, s *stub) ([]byte, error) {
	c.t.Helper()
	r := c.servers[server].Invoke(s)
	if r.GetStatus() < 400 {
		return r.GetPayload(), nil
	}
	e := ledger.Decode(r.GetMessage())
	if e == nil || !strings.HasPrefix(r.GetMessage(), "[chartseal/") {
		c.t.Fatalf("%v: error without a code: %q", s.args[0], r.GetMessage())
	}
	return nil, e
}

// submit endorses at two organisations, checks that they agree to the byte, and commits.
func (c *channel) submit(who []byte, transient map[string][]byte, fn string, args ...any) ([]byte, error) {
	c.t.Helper()
	s, payload, err := c.simulate("HospitalA", who, transient, fn, args...)
	if err != nil {
		return nil, err
	}
	other := c.world.begin(who, s.tx, c.now, s.transient, s.args...)
	again, err := c.endorse("HospitalB", other)
	if err != nil || !bytes.Equal(payload, again) || !bytes.Equal(s.payload, other.payload) || !maps.Equal(s.reads, other.reads) ||
		!maps.EqualFunc(s.writes, other.writes, bytes.Equal) || !maps.EqualFunc(s.privateWrites, other.privateWrites, bytes.Equal) {
		c.t.Fatalf("%s: endorsers do not agree (%v)", fn, err)
	}
	if s.ranges > 0 && fn != ledger.AuthorityPublishKeys { // which counts its own authority's attributes
		c.t.Errorf("%s: a submitted transaction reads a range", fn)
	}
	c.holdSecrets(s, payload)
	c.now = c.now.Add(time.Second)
	return payload, c.world.commit(s)
}

// holdSecrets checks promise 2 for one transaction: the block has no part of a wrapped
// key.
func (c *channel) holdSecrets(s *stub, payload []byte) {
	c.t.Helper()
	block := slicesConcat(payload, s.payload, []byte(strings.Join(s.args, "\n")))
	for key, value := range s.writes {
		block = slicesConcat(block, []byte(key), value)
	}
	for _, secret := range s.privateWrites {
		if secret == nil { // purged
			continue
		}
		if bytes.Contains(block, secret) || bytes.Contains(block, []byte(base64.StdEncoding.EncodeToString(secret))) {
			c.t.Errorf("%s: a wrapped key is in the block", s.args[0])
		}
	}
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, []byte("\n")) }

func (c *channel) evaluate(server string, who []byte, fn string, args ...any) ([]byte, error) {
	c.t.Helper()
	s, payload, err := c.simulate(server, who, nil, fn, args...)
	if len(s.writes)+len(s.privateWrites) > 0 {
		c.t.Errorf("%s: an evaluated transaction writes", fn)
	}
	return payload, err
}

// must fails the test on an error and reads the payload.
func must[T any](t testing.TB, payload []byte, err error) T {
	t.Helper()
	var out T
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &out); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return out
}

func ok(t testing.TB, _ []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t testing.TB, kind error, _ []byte, err error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
}

// wrapped makes the transient map of n wrapped keys.
func wrapped(t testing.TB, n int) map[string][]byte {
	t.Helper()
	all := make([][]byte, n)
	for i := range all {
		all[i] = fmt.Appendf(nil, "%s-> ABE %d wrapped key\n", ageHeader, i)
	}
	return carry(t, all...)
}

// signed puts the stanza of a signature into wrapped keys, as the caller's client would.
func signed(who []byte, transient map[string][]byte) map[string][]byte {
	items, err := ledger.UnpackList(transient[ledger.TransientEnvelopes])
	n := len(transient[ledger.TransientRecords]) / ledger.PackedRecordSize
	if transient == nil || err != nil || n > len(items) {
		return transient
	}
	stanza := signatureStanza(who)
	for i := len(items) - n; i < len(items); i++ {
		if len(items[i]) > 2 { // a divided one of two bytes has nothing after its beginning
			items[i] = slices.Concat(items[i], stanza)
		}
	}
	out := maps.Clone(transient)
	out[ledger.TransientEnvelopes] = ledger.PackList(items)
	return out
}

// signatureStanza is the stanza that names the certificate of a creator.
func signatureStanza(who []byte) []byte {
	var id msp.SerializedIdentity
	if proto.Unmarshal(who, &id) != nil {
		return nil
	}
	block, _ := pem.Decode(id.GetIdBytes())
	if block == nil {
		return nil
	}
	name := ledger.IDOfCertificate(block.Bytes)
	return fmt.Appendf(nil, "\n-> %s %s\nAAAA\n", ledger.SignatureStanza, base64.RawStdEncoding.EncodeToString(name[:]))
}

func carry(t testing.TB, envelopes ...[]byte) map[string][]byte {
	t.Helper()
	return map[string][]byte{ledger.TransientEnvelopes: ledger.PackList(envelopes)}
}

// sealing makes the transient map of new records, or of one new version, with a wrapped
// key each.
func sealing(t testing.TB, records ...ledger.NewRecord) map[string][]byte {
	t.Helper()
	return with(t, wrapped(t, len(records)), records...)
}

func with(t testing.TB, transient map[string][]byte, records ...ledger.NewRecord) map[string][]byte {
	t.Helper()
	packed, err := ledger.PackRecords(records)
	if err != nil {
		t.Fatal(err)
	}
	transient[ledger.TransientRecords] = packed
	return transient
}

const testCID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"

func recordID(n int) string { return fmt.Sprintf("%032x", n) }

func newRecord(n int) ledger.NewRecord {
	return ledger.NewRecord{ID: recordID(n), CID: testCID, Commitment: fmt.Sprintf("%064x", n), Size: 300}
}

// seal registers one record and gives its id.
func (c *channel) seal(who []byte, n int) string {
	c.t.Helper()
	_, err := c.submit(who, sealing(c.t, newRecord(n)), ledger.RecordCreate)
	ok(c.t, nil, err)
	return recordID(n)
}

// ask commits an access entry and returns it.
func (c *channel) ask(who []byte, target string) ledger.AccessEntry {
	c.t.Helper()
	return c.askAll(who, "TREAT", target)[0]
}

// askAll commits access entries and reads them from the write set, as clients do.
func (c *channel) askAll(who []byte, purpose string, targets ...string) []ledger.AccessEntry {
	c.t.Helper()
	before := maps.Clone(c.world.state)
	payload, err := c.submit(who, nil, ledger.AccessRequest, targets, purpose)
	if err != nil || len(payload) > 0 {
		c.t.Fatalf("got %q, %v", payload, err)
	}
	entries := make([]ledger.AccessEntry, len(targets))
	for i, target := range targets {
		for key, cell := range c.world.state {
			if _, old := before[key]; !old && strings.HasPrefix(key, ledger.AccessPrefix(target)) {
				if entries[i], err = ledger.ReadAccess(key, cell.value); err != nil {
					c.t.Fatal(err)
				}
			}
		}
	}
	return entries
}
