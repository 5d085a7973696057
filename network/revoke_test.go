package network

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// TestRevokeAgain: the CA says nothing of a revocation list when it has nothing new to
// revoke. A revocation that did not get as far as the channel's configuration has to be
// finished by the same command again.
func TestRevokeAgain(t *testing.T) {
	revoked := map[string]bool{}
	ca := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ID     string
			GenCRL bool
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		list := map[string]any{"CRL": []byte(fmt.Sprintf("%d revoked", len(revoked)))}
		switch r.URL.Path {
		case "/api/v1/revoke":
			if news := !revoked[body.ID]; !news || !body.GenCRL {
				list = map[string]any{"CRL": ""}
			}
			revoked[body.ID] = true
		case "/api/v1/gencrl":
		default:
			t.Errorf("unexpected request for %s", r.URL.Path)
		}
		json.NewEncoder(w).Encode(map[string]any{"success": true, "result": list})
	}))
	client, registrar := asTestRegistrar(t, ca)
	for i, id := range []string{"ada", "ada", "bea"} {
		list, err := revokedList(t.Context(), client, registrar, id)
		want := []string{"1 revoked", "1 revoked", "2 revoked"}[i]
		if err != nil || string(list) != want {
			t.Fatalf("%s: list %q, %v, want %q", id, list, err, want)
		}
	}
}

// asTestRegistrar gives a client of a test's CA, and a registrar whom nobody checks.
func asTestRegistrar(t *testing.T, ca *httptest.Server) (*fabricca.Client, fabricca.Identity) {
	t.Helper()
	t.Cleanup(ca.Close)
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Raw})
	client, err := fabricca.New(ca.URL, root)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return client, fabricca.Identity{Certificate: []byte("certificate"), Key: key}
}

// TestRevokeAlone: a new secret and a revocation at the same time exclude each other, for
// Fabric CA would undo the revocation.
func TestRevokeAlone(t *testing.T) {
	n := shellNetwork(t)
	n.WaitTimeout = time.Second
	unlock, err := lockNetwork(n.dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := n.Revoke(t.Context(), "HospitalA", "ada"); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "another command") {
		t.Errorf("revoke: %v", err)
	}
	if _, err := n.Reissue(t.Context(), "HospitalA", "ada", 2); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "another command") {
		t.Errorf("new secret: %v", err)
	}
}
