package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRevokedCertificate: once a revocation is in the channel's configuration, the person
// can neither submit transactions nor get attribute keys. The error is one clear line.
func TestRevokedCertificate(t *testing.T) {
	const leaver = "leaver@HospitalA"
	secret, err := consortium.Register(t.Context(), "HospitalA", "leaver", map[string]string{"role": "doctor"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, exitDone, leaver, "enroll", leaver, "--secret-file", write(t, "secret", []byte(secret)))
	t.Cleanup(func() { os.RemoveAll(filepath.Join(consortium.Wallet(), leaver)) })
	expect(t, exitDone, leaver, "keys", "request")
	note := write(t, "note.txt", []byte("note"))
	rows := seal(t, leaver, note, "--policy", twoDoctors)
	opens(t, leaver, rows[0].Record, []byte("note"))

	if err := consortium.Revoke(t.Context(), "HospitalA", "leaver"); err != nil {
		t.Fatal(err)
	}
	expect(t, exitDenied, leaver, "search", "--scope", "consortium", "anything") // Revoke returns after every peer has the revocation
	if err := consortium.Revoke(t.Context(), "HospitalA", "leaver"); err != nil {
		t.Errorf("once more: %v", err)
	}
	for _, args := range [][]string{
		{"seal", note, "--policy", twoDoctors},
		{"open", rows[0].Record, "-o", filepath.Join(t.TempDir(), "out")},
		{"keys", "request"},
	} {
		r := expect(t, exitDenied, leaver, args...)
		if !strings.Contains(r.stderr, "revoked") || !strings.Contains(r.stderr, "chartseal: hint:") {
			t.Errorf("%s: not a clear message: %s", args[0], r.stderr)
		}
	}
	// The revocation does not affect other people.
	opens(t, doctorB, rows[0].Record, []byte("note"))
}
