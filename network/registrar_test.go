package network

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// TestRenewRegistrar: a registrar that cannot authenticate itself is replaced, also one
// that was killed when it had used its only secret and not written its certificate.
func TestRenewRegistrar(t *testing.T) {
	for name, c := range map[string]struct {
		prepare  func(n *Network, dir string) error
		replaced bool
	}{
		"good":    {func(n *Network, dir string) error { n.giveCertificate(t, dir, "", time.Hour); return nil }, false},
		"ended":   {func(n *Network, dir string) error { n.giveCertificate(t, dir, "", -time.Minute); return nil }, true},
		"missing": {func(n *Network, dir string) error { return nil }, true},
		"half-written": {func(n *Network, dir string) error {
			n.giveCertificate(t, dir, "", time.Hour)
			return writeFile(filepath.Join(dir, "key.pem"), []byte("another"))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := scriptNetwork(t)
			n.WaitTimeout = 200 * time.Millisecond // the CA is a script, and never answers
			dir := n.registrarDir("HospitalA")
			if err := errors.Join(n.configureCA("HospitalA"), c.prepare(n, dir)); err != nil {
				t.Fatal(err)
			}
			used, err := os.ReadFile(filepath.Join(dir, "secret"))
			if err != nil {
				t.Fatal(err)
			}
			due := slices.ContainsFunc(n.Due(time.Now().Add(-noticePeriod)), func(c Certificate) bool { return c.Holder == "HospitalA/registrar" })
			if due != c.replaced {
				t.Errorf("due: %v, want %v", due, c.replaced)
			}
			u := &bringUp{Network: n, say: talk(nil)}
			if err := u.renewRegistrar(t.Context(), "HospitalA", false, false); !errors.Is(err, ErrUnavailable) {
				t.Errorf("error %v", err)
			}
			now, err := os.ReadFile(filepath.Join(dir, "secret"))
			if err != nil {
				t.Fatal(err)
			}
			config, err := os.ReadFile(n.org("HospitalA", "ca", "fabric-ca-server-config.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			former := isFile(filepath.Join(n.replacedRegistrars("HospitalA"), "registrar"))
			if renamed := n.registrarName("HospitalA") != "registrar"; renamed != c.replaced || former != c.replaced ||
				(string(now) != string(used)) != c.replaced || !strings.Contains(string(config), n.registrarName("HospitalA")) {
				t.Errorf("replaced: %v, to be revoked: %v, want %v; the CA's configuration is\n%s", renamed, former, c.replaced, config)
			}
		})
	}
}

// TestRevokeReplaced: former registrars are revoked, and remembered until they are.
func TestRevokeReplaced(t *testing.T) {
	n := shellNetwork(t)
	var revoked []string
	status := http.StatusInternalServerError
	ca, registrar := asTestRegistrar(t, httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ ID string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/api/v1/revoke" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		revoked = append(revoked, body.ID)
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"success": status == http.StatusOK})
	})))
	dir := n.replacedRegistrars("HospitalA")
	err := errors.Join(
		n.revokeReplaced(t.Context(), "HospitalA", ca, registrar), // there is none
		writeFile(filepath.Join(dir, "registrar"), nil), writeFile(filepath.Join(dir, "registrar-1"), nil),
		writeFile(filepath.Join(n.registrarDir("HospitalA"), "name"), []byte("registrar-1")))
	if err != nil || revoked != nil {
		t.Fatalf("%v, revoked %v", err, revoked)
	}
	for _, c := range []struct {
		status int
		want   error
	}{{http.StatusInternalServerError, fabricca.ErrUnavailable}, {http.StatusNotFound, nil}, {http.StatusOK, nil}} {
		revoked, status = nil, c.status
		err := errors.Join(writeFile(filepath.Join(dir, "registrar"), nil), writeFile(filepath.Join(dir, "registrar-1"), nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.revokeReplaced(t.Context(), "HospitalA", ca, registrar); !errors.Is(err, c.want) {
			t.Errorf("status %d: %v, want %v", c.status, err, c.want)
		}
		if left := isFile(filepath.Join(dir, "registrar")); strings.Join(revoked, " ") != "registrar" || left != (c.want != nil) {
			t.Errorf("status %d: revoked %v, still to be revoked: %v", c.status, revoked, left)
		}
	}
}

// TestRefused: a person whom the CA refuses is revoked if the secret was new, and is left
// alone from then on. A registrar whom the CA refuses says nothing about the person.
func TestRefused(t *testing.T) {
	n := scriptNetwork(t)
	denied := ""
	ca, registrar := asTestRegistrar(t, httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/"+denied) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		w.Write([]byte(`{"success":true,"result":{"max_enrollments":2}}`))
	})))
	u := &bringUp{Network: n, say: talk(nil)}
	o := n.topology.Organisations()[0]
	person := n.users(o)[len(n.users(o))-1]
	n.giveCertificate(t, person.dir, "", -time.Minute)
	due := func() bool {
		return slices.ContainsFunc(n.Due(time.Now()), func(c Certificate) bool { return c.Holder == person.holder(o.Name) })
	}
	for c, want := range map[string]bool{"identities": false, "enroll": true} {
		denied = c
		err := u.renewIdentity(t.Context(), o.Name, ca, registrar, person)
		if !errors.Is(err, fabricca.ErrDenied) || errors.Is(err, errRefused) != want || !due() {
			t.Errorf("denied at %s: %v, want it to be the person: %v", c, err, want)
		}
	}
	if err := writeFile(n.refused(o.Name, person.name), nil); err != nil || due() {
		t.Errorf("%v, or still due", err)
	}
}
