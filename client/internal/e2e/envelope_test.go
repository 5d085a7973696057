package e2e

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// raw returns the chaincode as an attacker calls it: with a user's keys, without our
// client, and through any organisation's peer.
func raw(t *testing.T, name, organisation string) *gateway.Contract {
	t.Helper()
	network, _ := dialPeer(t, name, organisation)
	return network.GetContract(user(t, name).Profile.Chaincode)
}

// dialPeer connects a user's keys to the peer of any organisation, without our client.
func dialPeer(t *testing.T, name, organisation string) (*gateway.Network, *grpc.ClientConn) {
	t.Helper()
	u := user(t, name)
	at := profile(t, organisation)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(at.Peer.TLSRoots)
	conn, err := grpc.NewClient("passthrough:///"+at.Peer.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: roots, ServerName: at.Peer.ServerName, Certificates: []tls.Certificate{u.TLS},
	})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	id, err := identity.NewX509Identity(u.Profile.MSP, u.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	tlsHash := sha256.Sum256(u.TLS.Certificate[0])
	gw, err := gateway.Connect(id, gateway.WithSign(u.Sign), gateway.WithHash(hash.SHA256), gateway.WithClientConnection(conn),
		gateway.WithTLSClientCertificateHash(tlsHash[:]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gw.Close() })
	return gw.GetNetwork(u.Profile.Channel), conn
}

// TestEnvelopeNeedsOwnAccessEntry: the chaincode returns a wrapped key only to the actor
// of a committed access entry for that record. Through a real peer, the refusal is the
// same sentinel.
func TestEnvelopeNeedsOwnAccessEntry(t *testing.T) {
	ctx := t.Context()
	rows := seal(t, doctorA, write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b")), "--policy", twoDoctors)
	record, other := rows[0].Record, rows[1].Record
	doctor, nurse := connect(t, doctorB), connect(t, nurseC)

	entries, err := doctor.RequestAccess(ctx, []string{record}, "TREAT")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := doctor.Envelope(ctx, record, 1, entries[0].ID); err != nil {
		t.Fatalf("the caller of the entry: %v", err)
	}
	for what, call := range map[string]func() error{
		"no entry": func() error {
			_, _, err := doctor.Envelope(ctx, record, 1, ledger.AccessID(entries[0].Time, strings.Repeat("0", 64)))
			return err
		},
		"an entry for another record": func() error {
			_, _, err := doctor.Envelope(ctx, other, 1, entries[0].ID)
			return err
		},
		"somebody else's entry": func() error {
			_, _, err := nurse.Envelope(ctx, record, 1, entries[0].ID)
			return err
		},
		"the auditor, at the own peer": func() error {
			_, _, err := connect(t, auditor).Envelope(ctx, record, 1, entries[0].ID)
			return err
		},
		"the auditor asks for an entry": func() error {
			_, err := connect(t, auditor).RequestAccess(ctx, []string{record}, "TREAT")
			return err
		},
	} {
		if err := call(); !errors.Is(err, ledger.ErrDenied) && !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s: got %v, want a refusal", what, err)
		}
	}
	if _, err := raw(t, auditor, "HospitalA").Evaluate(ledger.RecordEnvelope, gateway.WithArguments(record, "1", entries[0].ID)); err == nil {
		t.Error("the auditor got an envelope from a hospital's peer")
	}
}

// TestEnvelopeCannotBeSubmitted: a submitted request for an envelope would store the
// envelope in a block. It does not get the endorsements of two hospitals.
func TestEnvelopeCannotBeSubmitted(t *testing.T) {
	rows := seal(t, doctorA, write(t, "a.txt", []byte("a")), "--policy", twoDoctors)
	entries, err := connect(t, doctorB).RequestAccess(t.Context(), []string{rows[0].Record}, "TREAT")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := raw(t, doctorB, "HospitalB").SubmitTransaction(ledger.RecordEnvelope, rows[0].Record, "1", entries[0].ID)
	if err == nil {
		t.Fatalf("a transaction with an envelope of %d bytes in its response was committed", len(answer))
	}
	var endorse *gateway.EndorseError
	if !errors.As(err, &endorse) {
		t.Errorf("refused only at a later phase: %v", err)
	}
}

// TestNamespaces: no authority can publish a key under another authority's name.
func TestNamespaces(t *testing.T) {
	keys, err := connect(t, doctorA).AttributeKeys(t.Context(), []string{"HospitalA:role=doctor"})
	if err != nil {
		t.Fatal(err)
	}
	forged := keys[0]
	forged.Version++
	for _, who := range []string{"admin@HospitalB", "authority@HospitalB", doctorA, auditor, "admin@Regulator"} {
		if err := connect(t, who).PublishKeys(t.Context(), []ledger.AttributeKey{forged}); !errors.Is(err, ledger.ErrDenied) {
			t.Errorf("%s published a key of HospitalA: got %v, want %v", who, err, ledger.ErrDenied)
		}
	}
}

// TestCorruptedBlock: a flipped bit on every hospital's IPFS node is detected. The exit
// code is 5 and there is no output file. TestDamagedBlock has a bit flipped on one node.
func TestCorruptedBlock(t *testing.T) {
	content := make([]byte, 3<<20) // several blocks
	for i := range content {
		content[i] = byte(i * i >> 7)
	}
	rows := seal(t, doctorA, write(t, "scan.bin", content), "--policy", twoDoctors)
	opens(t, doctorB, rows[0].Record, content)

	for _, h := range hospitals {
		awaitPinned(t, rows[0].CID, h)
	}
	corruptEverywhere(t, largestBlock(t, "HospitalA"), func(block []byte) { block[len(block)/3] ^= 0x10 })
	out := filepath.Join(t.TempDir(), "out")
	expect(t, exitTampered, doctorA, "open", rows[0].Record, "-o", out)
	absent(t, out)
	if r := expect(t, exitTampered, doctorA, "open", rows[0].Record); r.stdout != "" {
		t.Errorf("%d bytes of a tampered record were printed", len(r.stdout))
	}
}

// corruptEverywhere changes a block, the file of which at HospitalA is given, on every
// hospital's IPFS node until the test ends.
func corruptEverywhere(t *testing.T, file string, change func([]byte)) {
	t.Helper()
	name, err := filepath.Rel(consortium.IPFSDirectory("HospitalA"), file)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hospitals {
		path := filepath.Join(consortium.IPFSDirectory(h), name)
		block, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(block)
		change(bad)
		replace(t, path, bad)
		t.Cleanup(func() { replace(t, path, block) })
	}
}

// largestBlock finds the newest block of the largest size on a hospital's IPFS node.
func largestBlock(t *testing.T, hospital string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(consortium.IPFSDirectory(hospital), "blocks", "*", "*.data"))
	if err != nil {
		t.Fatal(err)
	}
	var best string
	var most os.FileInfo
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if most == nil || info.Size() > most.Size() || info.Size() == most.Size() && info.ModTime().After(most.ModTime()) {
			best, most = f, info
		}
	}
	if best == "" {
		t.Fatalf("%s has no blocks", hospital)
	}
	return best
}

func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, content, 0o600)); err != nil {
		t.Fatal(err)
	}
}
