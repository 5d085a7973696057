package plugin

import (
	"errors"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/trust"
)

// TestOffline seals with kept keys when the ledger does not answer, says so, and asks it
// again as soon as it does.
func TestOffline(t *testing.T) {
	w := newWorld(t)
	to := recipientOf(t, w.program(""), "HospitalA:role=doctor")
	sealed(t, w.program("nurse@HospitalC"), to)
	w.down = true
	got, _ := converse(t, w.program("nurse@HospitalC"), "recipient-v1", stanza{words: []string{"add-recipient", to}}, stanza{words: []string{"wrap-file-key"}, body: fileKey})
	if len(got) != 2 || got[0].words[0] != "msg" || !strings.Contains(string(got[0].body), "who lost an attribute since then may still be able to open this") {
		t.Fatalf("offline: %s", got)
	}
	opened, _ := open(t, w.program(""), identityRef{user: "doctor@HospitalA"}.String(), got[1])
	if len(opened) != 1 || string(opened[0].body) != string(fileKey) {
		t.Errorf("what was sealed offline: %s", opened)
	}
	// Another user of the wallet has seen nothing, and one sees only what one asked for.
	for as, text := range map[string]string{"clerk@HospitalA": "HospitalA:role=doctor", "nurse@HospitalC": "HospitalB:role=doctor"} {
		to := recipientOf(t, w.program(""), text)
		got, _ := converse(t, w.program(as), "recipient-v1", stanza{words: []string{"add-recipient", to}}, stanza{words: []string{"wrap-file-key"}, body: fileKey})
		if len(got) != 1 || got[0].words[0] != "error" || !strings.Contains(string(got[0].body), "is not known here and the ledger cannot be asked: the peer does not answer") {
			t.Errorf("%s, %s: %s", as, text, got)
		}
	}
	w.down = false
	before := w.asked
	sealed(t, w.program("nurse@HospitalC"), to)
	if w.asked != before+1 {
		t.Error("the ledger is back and was not asked")
	}
}

// TestRotationSeen: once any program of the user has seen a newer version, the older one
// is not sealed to, kept or embedded.
func TestRotationSeen(t *testing.T) {
	w := newWorld(t)
	to := recipientOf(t, w.program(""), "HospitalA:role=doctor")
	embedded := recipientOf(t, w.program("nurse@HospitalC"), "HospitalA:role=doctor", "--embed-keys")
	sealed(t, w.program("nurse@HospitalC"), embedded)
	w.publish("HospitalA:role=doctor", 2)
	c := &trust.Directory{Ledger: w.publications(), Memory: w.user("nurse@HospitalC").Memory()}
	_, err := c.PublicKeys(t.Context(), "HospitalA:role=doctor")
	must(t, err)
	w.down = true
	for what, recipient := range map[string]string{"kept": to, "embedded": embedded} {
		got, _ := converse(t, w.program("nurse@HospitalC"), "recipient-v1", stanza{words: []string{"add-recipient", recipient}}, stanza{words: []string{"wrap-file-key"}, body: fileKey})
		if len(got) != 1 || got[0].words[0] != "error" || !strings.Contains(string(got[0].body), "version 1 of the public key of HospitalA:role=doctor was replaced by version 2") {
			t.Errorf("%s: %s", what, got)
		}
	}
	// Who has seen nothing has nothing to compare with.
	sealed(t, w.program(""), embedded)
}

// TestSubstitution puts a key of a rogue authority in the place of a pinned one: on the
// ledger, and in a recipient.
func TestSubstitution(t *testing.T) {
	w, rogue := newWorld(t), newWorld(t)
	to := recipientOf(t, w.program(""), "HospitalA:role=doctor")
	sealed(t, w.program("nurse@HospitalC"), to)
	bad := recipientOf(t, rogue.program("clerk@HospitalA"), "HospitalA:role=doctor", "--embed-keys")
	w.published["HospitalA:role=doctor"] = rogue.published["HospitalA:role=doctor"]
	for what, recipient := range map[string]string{"ledger": to, "recipient": bad} {
		got, _ := converse(t, w.program("nurse@HospitalC"), "recipient-v1", stanza{words: []string{"add-recipient", recipient}}, stanza{words: []string{"wrap-file-key"}, body: fileKey})
		if len(got) != 1 || got[0].words[0] != "error" || !strings.Contains(string(got[0].body), "is not the one that was seen before") {
			t.Errorf("%s: %s", what, got)
		}
	}
}

// TestCheckPublicKey agrees with the pins that package client writes.
func TestCheckPublicKey(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	memory := w.user("clerk@HospitalA").Memory()
	const name = "HospitalA:role=doctor"
	check := func(what string, k *abe.PublicKey, wantSeen bool, want error) {
		t.Helper()
		if seen, err := trust.CheckPublicKey(memory, k); seen != wantSeen || !errors.Is(err, want) {
			t.Errorf("%s: seen %v, %v", what, seen, err)
		}
	}
	first := w.published[name]
	check("before anything was seen", first, false, nil)
	w.learn("clerk@HospitalA", name)
	check("the one that was seen", first, true, nil)
	check("another one", other.published[name], false, ledger.ErrTampered)
	w.publish(name, 2)
	check("a newer one", w.published[name], false, nil)
	w.learn("clerk@HospitalA", name)
	check("a replaced one", first, false, ledger.ErrRevoked)
}
