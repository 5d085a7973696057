package envelope

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestPayloadIdentity opens a payload with age alone, as a patient does.
func TestPayloadIdentity(t *testing.T) {
	plain := randomBytes(5000)
	payload, m, _ := seal(t, plain)
	id, err := PayloadIdentity(m.Key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(payload), newIdentity(t), id)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	padding := make([]byte, PaddedSize(5000)-5000)
	if !bytes.Equal(text[:m.Size], plain) || !bytes.Equal(text[m.Size:], padding) {
		t.Error("it is not the record and then zeros")
	}

	other, err := PayloadIdentity(bytes.Repeat([]byte{8}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := age.Decrypt(bytes.NewReader(payload), other); !errors.Is(err, age.ErrIncorrectIdentity) {
		t.Errorf("another record's key: %v", err)
	}
	patient := newIdentity(t)
	file, err := testMetadata().Seal(patient.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := age.Decrypt(bytes.NewReader(file), id, patient); err != nil {
		t.Errorf("beside an identity that fits: %v", err)
	}
	if _, err := PayloadIdentity(m.Key[1:]); err == nil {
		t.Error("a short key was accepted")
	}
}

func TestParseMetadata(t *testing.T) {
	id := newIdentity(t)
	data, err := testMetadata().Seal(id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	text, err := unwrap(data, []age.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMetadata(text)
	if err != nil || m.Name != testMetadata().Name || !bytes.Equal(m.Key, testMetadata().Key) {
		t.Errorf("got %+v, %v", m, err)
	}
	for _, bad := range []string{"", "{}", strings.Replace(string(text), `"format":2`, `"format":3`, 1), string(text) + "x"} {
		if _, err := ParseMetadata([]byte(bad)); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%.20q...: %v", bad, err)
		}
	}
}
