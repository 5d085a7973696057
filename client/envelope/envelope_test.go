package envelope

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

const (
	testID  = "00112233445566778899aabbccddeeff"
	testCID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
)

func testMetadata() Metadata {
	sum := sha256.Sum256([]byte("record"))
	return Metadata{
		Record: testID, Version: 1, CID: testCID,
		Key: bytes.Repeat([]byte{1}, KeySize), Salt: bytes.Repeat([]byte{2}, SaltSize), Size: 6, SHA256: sum[:],
		Name: "Jane's ECG.json", MediaType: "application/fhir+json", Kind: "Observation", Patient: "MRN-1",
		Dates: []string{"2019-03-04"}, Codes: []string{"icd10:I21.4"}, Keywords: []string{"troponin"},
		Author: "HospitalA/doctor", Sealed: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func testVersion() ledger.RecordVersion {
	return ledger.RecordVersion{ID: testID, Version: 1, CID: testCID}
}

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestEnvelopeRoundTrip(t *testing.T) {
	classic := newIdentity(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := Recipients(newIdentity(t).Recipient().String(), classic.Recipient().String(), "", hybrid.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	data, err := testMetadata().Seal(recipients...)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []age.Identity{classic, hybrid} {
		m, err := Open(data, testVersion(), id)
		if err != nil {
			t.Fatalf("%T: %v", id, err)
		}
		if m.Name != "Jane's ECG.json" || m.Sealed.Unix() != testMetadata().Sealed.Unix() || m.Partial {
			t.Errorf("%T: got %+v", id, m)
		}
	}
	_, err = Open(data, testVersion(), newIdentity(t))
	if !errors.Is(err, age.ErrIncorrectIdentity) || errors.Is(err, ledger.ErrTampered) {
		t.Errorf("with a stranger's identity: %v", err)
	}
	if _, err := Open(data, testVersion()); !errors.Is(err, age.ErrIncorrectIdentity) {
		t.Errorf("without identities: %v", err)
	}
}

// TestEnvelopeSwapped serves a good envelope for another version, record or payload.
func TestEnvelopeSwapped(t *testing.T) {
	id := newIdentity(t)
	data, err := testMetadata().Seal(id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*ledger.RecordVersion){
		"record":  func(v *ledger.RecordVersion) { v.ID = strings.Repeat("0", 32) },
		"version": func(v *ledger.RecordVersion) { v.Version = 2 },
		"cid":     func(v *ledger.RecordVersion) { v.CID = strings.Replace(testCID, "bafkrei", "bafkree", 1) },
	} {
		v := testVersion()
		change(&v)
		if _, err := Open(data, v, id); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	scope, err := ScopeKey{Scope: "consortium", Epoch: 2, Key: make([]byte, KeySize)}.Seal(id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(scope, testVersion(), id); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("a scope key in place of an envelope: %v", err)
	}
	if _, err := OpenScopeKey(data, "consortium", 2, id); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("an envelope in place of a scope key: %v", err)
	}
	if _, err := OpenScopeKey(scope, "consortium", 1, id); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("another epoch: %v", err)
	}
	if k, err := OpenScopeKey(scope, "consortium", 2, id); err != nil || len(k.Key) != KeySize {
		t.Errorf("the right epoch: %v", err)
	}
}

// TestEnvelopeBits flips a bit of every byte of an envelope and cuts it at every length.
func TestEnvelopeBits(t *testing.T) {
	id := newIdentity(t)
	data, err := testMetadata().Seal(id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for i := 0; i < len(data); i += step {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if _, err := Open(bad, testVersion(), id); err == nil {
			t.Fatalf("bit 0 of byte %d flipped and the envelope opened", i)
		}
		if _, err := Open(data[:i], testVersion(), id); !errors.Is(err, ledger.ErrTampered) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	if _, err := Open(append(bytes.Clone(data), 0), testVersion(), id); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestParseRecipientKeepsSecrets(t *testing.T) {
	secret := newIdentity(t).String()
	for _, text := range []string{secret, "age1" + secret, "", "age1pq1zzz"} {
		_, err := ParseRecipient(text)
		if !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%.8s...: %v", text, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Error("the error repeats the text, which may be a secret")
		}
	}
}

func commitment(salt, plain []byte) string {
	sum := sha256.Sum256(append(bytes.Clone(salt), plain...))
	return hex.EncodeToString(sum[:])
}
