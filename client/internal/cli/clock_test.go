package cli

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A computer whose clock is wrong is refused for reasons that name certificates, roles or
// secrets. The hint names the clock.
func TestWrongClock(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		0:                                 "is it the right secret, and not used up?",
		20 * time.Second:                  "is it the right secret, and not used up?",
		6 * time.Minute:                   "the clock of this computer is 6 minutes ahead of that of HospitalA's CA: set it",
		-7 * time.Hour:                    "the clock of this computer is 7 hours and 0 minutes behind that of HospitalA's CA: set it",
		-(2*24+3)*time.Hour - time.Second: "the clock of this computer is 2 days and 3 hours behind",
	} {
		ca := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(-ahead).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusUnauthorized)
		}))
		t.Cleanup(ca.Close)
		root := strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Raw})), "\n", "\n    ")
		dir := t.TempDir()
		profile := fmt.Sprintf("msp: HospitalA\nchannel: c\nchaincode: c\npeer:\n  address: 127.0.0.1:1\n  tlsRoots: |\n    %s\nca:\n  url: %s\n  name: ca\n  tlsName: tlsca\n  tlsRoots: |\n    %s\n",
			root, ca.URL, root)
		secret := filepath.Join(dir, "secret")
		for file, text := range map[string]string{filepath.Join(dir, "HospitalA.yaml"): profile, secret: "wrong\n"} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var stderr strings.Builder
		a := &app{stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
		code := a.main(context.Background(), []string{"enroll", "doctor@HospitalA", "--wallet", dir, "--secret-file", secret})
		if code != exitDenied || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v ahead: exit %d, %s", ahead, code, &stderr)
		}
	}
}
