package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/trust"
)

// enrolled registers a person with a role at HospitalA, and enrols them. They get no
// attribute key.
func enrolled(t *testing.T, id, role string) (user string) {
	t.Helper()
	user = id + "@HospitalA"
	secret, err := consortium.Register(t.Context(), "HospitalA", id, map[string]string{"role": role}, 2)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, exitDone, user, "enroll", user, "--secret-file", write(t, "secret", []byte(secret)))
	t.Cleanup(func() { os.RemoveAll(filepath.Join(consortium.Wallet(), user)) })
	return user
}

// forged stores a payload and drafts an envelope that names another author, as a program
// of an insider would.
func forged(t *testing.T, id string, version int, content, author string) (ledger.NewVersion, envelope.Draft) {
	t.Helper()
	key, salt := make([]byte, envelope.KeySize), make([]byte, envelope.SaltSize)
	rand.Read(key)
	rand.Read(salt)
	sealer, err := envelope.NewSealer(strings.NewReader(content), key, salt)
	if err != nil {
		t.Fatal(err)
	}
	var stored bytes.Buffer
	cid, err := store(t, "HospitalA", 0).Put(t.Context(), io.TeeReader(sealer, &stored))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := sealer.Digest()
	if err != nil {
		t.Fatal(err)
	}
	draft, err := envelope.Metadata{
		Record: id, Version: version, CID: cid, Key: key, Salt: salt, Size: digest.Size, SHA256: digest.SHA256[:],
		Name: "note", MediaType: "text/plain", Author: author, Sealed: time.Now().UTC(),
	}.Draft()
	if err != nil {
		t.Fatal(err)
	}
	return ledger.NewVersion{ID: id, Version: version, CID: cid, Commitment: hex.EncodeToString(digest.Commitment[:]), Size: int64(stored.Len())}, draft
}

// TestForgedAuthor: a clerk without any attribute key writes in a doctor's name, with a
// program of their own. The ledger refuses to let them amend a doctor's record. Of a
// record that they seal themselves, nobody is shown another author.
func TestForgedAuthor(t *testing.T) {
	clerk := enrolled(t, "clerk", "clerk")
	g := connect(t, clerk)
	sign := signer(t, user(t, clerk))
	if err := trust.Deposit(t.Context(), g, trust.NewMemory(), sign); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(twoDoctors)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := (&trust.Directory{Ledger: g, Memory: trust.NewMemory()}).PublicKeys(t.Context(), p.Attributes()...)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := abe.KeyRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	doctors, err := abe.NewRecipient(p, ring)
	if err != nil {
		t.Fatal(err)
	}
	wrap := func(v ledger.NewVersion, draft envelope.Draft, signed ...ledger.Signature) []byte {
		t.Helper()
		s, err := sign.Sign(trust.Version{Record: v.ID, Version: v.Version, CID: v.CID, Commitment: v.Commitment, Metadata: draft.Digest(), Policy: doctors.Policy()}.
			Statement(g.Channel()))
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range signed {
			s = other
		}
		data, err := draft.Seal(doctors, envelope.Signed(s))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}

	genuine := seal(t, doctorA, write(t, "note.txt", []byte("the doctor's")), "--policy", twoDoctors)[0].Record
	v, draft := forged(t, genuine, 2, "the clerk's", "HospitalA/doctor")
	if _, err := g.AmendRecord(t.Context(), v, wrap(v, draft)); !errors.Is(err, client.ErrDenied) {
		t.Errorf("a clerk amends a doctor's record: %v", err)
	}
	opens(t, doctorB, genuine, []byte("the doctor's"))

	id := make([]byte, ledger.RecordIDSize)
	rand.Read(id)
	v, draft = forged(t, hex.EncodeToString(id), 1, "the clerk's", "HospitalA/doctor")
	records := []ledger.NewRecord{{ID: v.ID, CID: v.CID, Commitment: v.Commitment, Size: v.Size}}
	// A signature of the clerk's certificate that verifies nothing passes the chaincode,
	// which cannot check it.
	nothing, err := ledger.NewSignature(sign.Certificate(), bytes.Repeat([]byte{1}, 64))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.CreateRecords(t.Context(), records, [][]byte{wrap(v, draft, nothing)}); err != nil {
		t.Fatal(err)
	}
	level(t)
	if r := expect(t, exitTampered, doctorB, "open", v.ID, "-o", filepath.Join(t.TempDir(), "out")); !strings.Contains(r.stderr, "signature") {
		t.Errorf("not a clear message: %s", r.stderr)
	}

	rand.Read(id)
	v, draft = forged(t, hex.EncodeToString(id), 1, "the clerk's", "HospitalA/doctor")
	records[0] = ledger.NewRecord{ID: v.ID, CID: v.CID, Commitment: v.Commitment, Size: v.Size}
	if _, err := g.CreateRecords(t.Context(), records, [][]byte{wrap(v, draft)}); err != nil {
		t.Fatal(err)
	}
	level(t)
	r := expect(t, exitDone, doctorB, "open", v.ID, "-o", filepath.Join(t.TempDir(), "out"))
	if !strings.Contains(r.stderr, "signed by HospitalA/clerk") || strings.Contains(r.stderr, "HospitalA/doctor") {
		t.Errorf("the author is not the clerk: %s", r.stderr)
	}
}
