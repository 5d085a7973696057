package ledger

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestSignatureText(t *testing.T) {
	id := IDOfCertificate([]byte("certificate"))
	s, err := NewSignature(id, bytes.Repeat([]byte{7}, 64))
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseSignature(s.String())
	if err != nil || back.Certificate != id || !bytes.Equal(back.Value, s.Value) {
		t.Errorf("got %+v, %v", back, err)
	}
	again, err := ParseCertificateID(id.String())
	if err != nil || again != id {
		t.Errorf("got %v, %v", again, err)
	}
	for _, bad := range []string{"", "A", s.String() + "A", s.String() + "=", " " + s.String(), s.String()[:40], strings.Repeat("A", 400)} {
		if _, err := ParseSignature(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", id.String()[1:], strings.ToUpper(id.String()), id.String() + "00"} {
		if _, err := ParseCertificateID(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
