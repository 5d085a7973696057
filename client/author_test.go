package client_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/trust"
)

// A versionLiar is a peer that changes what the ledger says of versions.
type versionLiar struct {
	client.Ledger
	change func(v *ledger.RecordVersion)
}

func (l versionLiar) Records(ctx context.Context, ids []string) ([]ledger.Record, error) {
	records, err := l.Ledger.Records(ctx, ids)
	for i := range records {
		for n := range records[i].Versions {
			l.change(&records[i].Versions[n])
		}
		records[i].Home = records[i].Versions[0].Home
	}
	return records, err
}

// An unopened is a writer that must not receive anything.
type unopened struct{ t *testing.T }

func (u unopened) Write(p []byte) (int, error) {
	u.t.Errorf("%d bytes are shown of a record that is not verified", len(p))
	return len(p), nil
}

// TestForgedAuthor has peers name another author, home or time, or give an envelope whose
// signature is another's. Nothing is shown.
func TestForgedAuthor(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "the record")
	identity := c.identity(t, "HospitalB/doctor", "HospitalB:role=doctor")
	reader := c.world.As("HospitalB", "doctor", "doctor")

	content, opened, err := open(t.Context(), c.with(t, reader, identity), sealed.ID, client.OpenRequest{})
	if err != nil || content != "the record" || !opened.Signed || opened.Author != "HospitalA/doctor" {
		t.Fatalf("%q, %+v, %v", content, opened, err)
	}
	for name, change := range map[string]func(v *ledger.RecordVersion){
		"another author":         func(v *ledger.RecordVersion) { v.Author = "HospitalA/chief" },
		"another home":           func(v *ledger.RecordVersion) { v.Home, v.Author = "HospitalC", "HospitalC/doctor" },
		"another commitment":     func(v *ledger.RecordVersion) { v.Commitment = strings.Repeat("0", 64) },
		"before the certificate": func(v *ledger.RecordVersion) { v.Time = ledger.FormatTime(time.Now().AddDate(-30, 0, 0)) },
		"no time":                func(v *ledger.RecordVersion) { v.Time = "" },
	} {
		liar := c.with(t, versionLiar{reader, change}, identity)
		if _, err := liar.Open(t.Context(), sealed.ID, unopened{t}, client.OpenRequest{}); !errors.Is(err, client.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// forge seals an envelope for the version of a record that a reader has opened, as any
// reader who also controls a peer can. The signature is that of signer, over what it
// likes, or nil for none.
func (c *consortium) forge(t *testing.T, v ledger.RecordVersion, reader age.Identity, change func(m *envelope.Metadata), signer *trust.Signer) []byte {
	t.Helper()
	genuine := c.world.GetEnvelope(v.ID, v.Version)
	m, err := envelope.Open(genuine, v, reader)
	if err != nil {
		t.Fatal(err)
	}
	change(m)
	draft, err := m.Draft()
	if err != nil {
		t.Fatal(err)
	}
	header, err := envelope.ReadHeader(genuine)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := abe.StanzaPolicy(header.Recipients[0])
	if err != nil {
		t.Fatal(err)
	}
	to := []age.Recipient{c.recipient(t, policy.Policy)}
	if signer != nil {
		s, err := signer.Sign(trust.Version{Record: v.ID, Version: v.Version, CID: v.CID, Commitment: v.Commitment,
			Metadata: draft.Digest(), Policy: policy.Policy}.Statement("channel"))
		if err != nil {
			t.Fatal(err)
		}
		to = append(to, envelope.Signed(s))
	}
	data, err := draft.Seal(to...)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestForgedEnvelope: a reader who controls a peer seals the metadata again, changed, for
// another to read.
func TestForgedEnvelope(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "the record")
	identity := c.identity(t, "HospitalB/doctor", "HospitalB:role=doctor")
	reader := c.world.As("HospitalB", "doctor", "doctor")
	records, err := reader.Records(t.Context(), []string{sealed.ID})
	if err != nil {
		t.Fatal(err)
	}
	v := records[0].Current()
	genuine := c.world.GetEnvelope(v.ID, 1)
	same := func(*envelope.Metadata) {}
	deposit := func(s *trust.Signer, l trust.Depositor) *trust.Signer {
		if err := trust.Deposit(t.Context(), l, trust.NewMemory(), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	clerk, auditor := c.world.As("HospitalA", "clerk", "clerk"), c.world.As("HospitalA", "auditor", ledger.RoleAuditor)
	// People who call themselves the author, at another hospital and in another role.
	namesake, machine := c.world.As("HospitalB", "doctor", "doctor"), c.world.As("HospitalA", "doctor", ledger.RoleAuthority)
	for name, data := range map[string][]byte{
		"signed by a colleague": c.forge(t, v, identity, same, deposit(clerk.Signer(), clerk)),
		"by no clinical role":   c.forge(t, v, identity, same, deposit(auditor.Signer(), auditor)),
		"by a namesake":         c.forge(t, v, identity, same, deposit(namesake.Signer(), namesake)),
		"by the authority":      c.forge(t, v, identity, same, deposit(machine.Signer(), machine)),
		"with the old signature": func() []byte {
			header, err := envelope.ReadHeader(genuine)
			if err != nil {
				t.Fatal(err)
			}
			m, err := envelope.Open(genuine, v, identity)
			if err != nil {
				t.Fatal(err)
			}
			m.Patient = "somebody else"
			data, err := m.Seal(c.recipient(t, doctors), envelope.Signed(*header.Signature))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}(),
	} {
		c.world.SetEnvelope(v.ID, 1, data)
		if _, err := c.with(t, reader, identity).Open(t.Context(), v.ID, unopened{t}, client.OpenRequest{}); !errors.Is(err, client.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// Without a signature it passes for a record from before, and says so; but not for
	// one who has read a signed record of that hospital.
	c.world.SetEnvelope(v.ID, 1, genuine)
	memory := trust.NewMemory()
	knowing, err := client.New(client.Config{Ledger: reader, Blobs: c.blobs, Identities: []age.Identity{identity}, Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := knowing.Open(t.Context(), v.ID, io.Discard, client.OpenRequest{}); err != nil {
		t.Fatal(err)
	}
	c.world.SetEnvelope(v.ID, 1, c.forge(t, v, identity, func(m *envelope.Metadata) { m.Author = "HospitalA/chief" }, nil))
	if _, err := knowing.Open(t.Context(), v.ID, unopened{t}, client.OpenRequest{}); !errors.Is(err, client.ErrTampered) {
		t.Errorf("unsigned, at a hospital that signs: %v", err)
	}
	_, opened, err := open(t.Context(), c.with(t, reader, identity), v.ID, client.OpenRequest{})
	if err != nil || opened.Signed || opened.Author != "HospitalA/doctor" {
		t.Errorf("unsigned: %+v, %v", opened, err)
	}
}

// TestRevokedAuthor: what a person sealed before their certificate was revoked stays
// theirs. A version that claims a later time does not.
func TestRevokedAuthor(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "the record")
	reader := c.as(t, "HospitalB", "doctor", "doctor")
	c.world.Revoke(c.world.As("HospitalA", "doctor", "doctor"), time.Now().Add(time.Hour))
	if _, _, err := open(t.Context(), reader, sealed.ID, client.OpenRequest{}); err != nil {
		t.Error(err)
	}
	c.world.Revoke(c.world.As("HospitalA", "doctor", "doctor"), time.Now().Add(-time.Hour))
	late := c.as(t, "HospitalB", "doctor", "doctor")
	if _, err := late.Open(t.Context(), sealed.ID, unopened{t}, client.OpenRequest{}); !errors.Is(err, client.ErrTampered) {
		t.Errorf("sealed after the revocation: %v", err)
	}
}

// TestProof exports what a reader needs to verify the author without Chartseal.
func TestProof(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "the record")
	var wrapped, payload bytes.Buffer
	e, err := c.as(t, "HospitalC", "clerk", "clerk").Export(t.Context(), sealed.ID, &wrapped, &payload, client.ExportRequest{})
	if err != nil || e.Proof == nil {
		t.Fatalf("%+v, %v", e, err)
	}
	for _, line := range []string{"chartseal.org/v1/record-version\n", "\nrecord: " + sealed.ID + "\n", "\nmetadata: METADATA\n", "\npolicy: " + sealed.Policy + "\n"} {
		if !strings.Contains(string(e.Proof.Statement), line) {
			t.Errorf("the statement lacks %q:\n%s", line, e.Proof.Statement)
		}
	}

	// The custodian stands for a patient: plain age, and nothing of this package.
	r, err := age.Decrypt(&wrapped, c.custodian)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(text)
	statement := sha256.Sum256(bytes.Replace(e.Proof.Statement, []byte("METADATA"), []byte(hex.EncodeToString(digest[:])), 1))
	block, _ := pem.Decode(e.Proof.Certificate)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(certificate.PublicKey.(*ecdsa.PublicKey), statement[:], e.Proof.Signature) {
		t.Error("the signature does not verify")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(e.Proof.Roots) {
		t.Fatal("no roots")
	}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
}

// TestReaderSealsNothing: a client without a signer reads, and seals nothing.
func TestReaderSealsNothing(t *testing.T) {
	c := newConsortium(t)
	cl, err := client.New(client.Config{Ledger: c.world.As("HospitalA", "doctor", "doctor"), Blobs: c.blobs})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cl.Seal(t.Context(), client.SealRequest{Sources: []client.Source{text("n", "x")}, Policy: doctors}); !errors.Is(err, client.ErrDenied) {
		t.Errorf("got %v", err)
	}
}
