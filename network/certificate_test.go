package network

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestDue: what ends soon is due, and so is what cannot be used.
func TestDue(t *testing.T) {
	n := &Network{dir: t.TempDir(), state: &state{Ports: 20000}, topology: testTopology(t)}
	if err := n.makeRoots("HospitalA"); err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	now := time.Now()
	due := func(after time.Duration) (text string) {
		for _, c := range n.Due(now.Add(after)) {
			text += c.Use + " "
		}
		return text
	}
	roots := strings.Repeat("root ", 4) // Fabric CA has not made its own yet
	servers := strings.Repeat("TLS ", 4)
	for after, want := range map[time.Duration]string{
		334 * day: "", 336 * day: servers, 366 * day: servers, 9*365*day - day: servers, 9*365*day + day: servers + roots,
	} {
		if got := due(after); got != want {
			t.Errorf("due after %v: %q, want %q", after, got, want)
		}
	}
	lines := Notices(n.Due(now.Add(9*365*day+day)), now.Add(9*365*day+day))
	if len(lines) != 2 || !strings.Contains(lines[0], "certificates of HospitalA have ended") || !strings.Contains(lines[0], "'chartnet renew HospitalA'") ||
		!strings.Contains(lines[0], "HospitalA/authority") || !strings.Contains(lines[0], "HospitalA/ipfs-proxy") || !strings.Contains(lines[1], "roots of HospitalA end from "+fmt.Sprint(now.Year()+10)) {
		t.Errorf("notices: %q", lines)
	}

	n.topology.CertificateLifetime = 3 * time.Minute
	if err := n.recertifyServer("HospitalA", "ca", n.org("HospitalA", "ca")); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]string{time.Minute: "", 2*time.Minute + time.Second: "TLS "} {
		if got := due(after); got != want {
			t.Errorf("of three minutes, due after %v: %q, want %q", after, got, want)
		}
	}
	// As after an interruption between the two files.
	other, err := os.ReadFile(n.org("HospitalA", "ca", "tls-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(n.org("HospitalA", "chaincode", "tls-key.pem"), other); err != nil {
		t.Fatal(err)
	}
	found := n.Due(now)
	if len(found) != 1 || found[0].Holder != "HospitalA/chaincode" || !found[0].NotAfter.IsZero() {
		t.Errorf("a key of another certificate: due are %v", found)
	}
}

// TestOlderState: a network of an earlier release has the lifetime that it had then.
func TestOlderState(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(`{"id":"x","topology":{"Channel":"c"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readState(dir)
	if err != nil || s.Topology.CertificateLifetime != 365*24*time.Hour {
		t.Errorf("%v, %v", s, err)
	}
}

// TestSetConsenter: the mapping and the policy change together, for one consenter only.
func TestSetConsenter(t *testing.T) {
	config := func() object {
		var mapping, identities []any
		for i, org := range []string{"A", "B"} {
			mapping = append(mapping, object{"id": float64(i + 1), "msp_id": org, "identity": org, "client_tls_cert": org, "server_tls_cert": org})
			identities = append(identities, object{"principal": object{"mspid": org, "id_bytes": org}})
		}
		group := object{
			"values":   object{"Orderers": object{"value": object{"consenter_mapping": mapping}}},
			"policies": object{"BlockValidation": object{"policy": object{"value": object{"identities": identities}}}},
		}
		return object{"channel_group": object{"groups": object{"Orderer": group}}}
	}
	text := base64.StdEncoding.EncodeToString
	got, want := config(), config()
	if err := setConsenter(got, "B", []byte("identity"), []byte("tls")); err != nil {
		t.Fatal(err)
	}
	group := want["channel_group"].(object)["groups"].(object)["Orderer"].(object)
	b := group["values"].(object)["Orderers"].(object)["value"].(object)["consenter_mapping"].([]any)[1].(object)
	b["identity"], b["client_tls_cert"], b["server_tls_cert"] = text([]byte("identity")), text([]byte("tls")), text([]byte("tls"))
	p := group["policies"].(object)["BlockValidation"].(object)["policy"].(object)["value"].(object)["identities"].([]any)[1].(object)
	p["principal"].(object)["id_bytes"] = text([]byte("identity"))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the configuration is\n%v, want\n%v", got, want)
	}
	if err := setConsenter(got, "B", []byte("identity"), []byte("tls")); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("again: %v, %v", err, got)
	}
	for _, org := range []string{"C", ""} {
		if err := setConsenter(got, org, nil, nil); err == nil {
			t.Errorf("a consenter of %q: %v", org, err)
		}
	}
	if err := setConsenter(object{}, "A", nil, nil); err == nil {
		t.Error("a configuration without orderers was changed")
	}
}
