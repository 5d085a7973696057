package client_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/outbox"
)

// TestRebuildIndex: entries are lost with the outbox, all of them or some. Rebuilding
// writes what is missing, once, for what the person has sealed and can open.
func TestRebuildIndex(t *testing.T) {
	c := newConsortium(t)
	dir := t.TempDir()
	doctor := func() *client.Client {
		t.Helper()
		box, err := outbox.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		l := c.world.As("HospitalA", "doctor", "doctor")
		d, err := client.New(client.Config{Ledger: l, Signer: l.Signer(), Blobs: c.blobs, Outbox: box,
			Identities: ids(c.identity(t, "HospitalA/doctor", "HospitalA:role=doctor"))})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	seal := func(name, policy string, r client.SealRequest) {
		t.Helper()
		r.Sources, r.Policy = []client.Source{text(name, "seen on 2019-03-02")}, policy
		r.Keywords = []string{"common", name}
		if _, err := doctor().Seal(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	scope := client.SealRequest{Scope: "consortium"}
	for n := range 3 {
		seal(fmt.Sprint("written", n), doctors, scope)
	}
	if _, err := doctor().FlushIndex(t.Context(), client.FlushOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	seal("lost", doctors, scope)
	seal("closed", "HospitalB:role=nurse", scope)
	seal("apart", doctors, client.SealRequest{})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	seal("waiting", doctors, scope)
	c.seal(t, "by the same doctor elsewhere", "common", "elsewhere")

	entries := c.world.Entries("HospitalA")
	done, err := doctor().RebuildIndex(t.Context(), client.RebuildOptions{})
	if err != nil || done.Indexed != 1 || len(done.Unopened) != 1 || done.Entries == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	for word, want := range map[string]int{"common": 6, "lost": 1, "written0": 1, "waiting": 1, "closed": 0, "apart": 0, "date:2019-03": 5} {
		if n := len(c.search(t, word).Hits); n != want {
			t.Errorf("%s finds %d records, want %d", word, n, want)
		}
	}
	if c.world.Entries("HospitalA") == entries {
		t.Error("nothing was written")
	}
	if again, err := doctor().RebuildIndex(t.Context(), client.RebuildOptions{}); err != nil || again.Indexed != 0 || again.Entries != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}

	// The entries of an amendment are lost, and with them those that take the words of
	// the version before away.
	id := c.search(t, "written1").Hits[0].ID
	_, err = doctor().Amend(t.Context(), client.AmendRequest{ID: id, SealRequest: client.SealRequest{
		Sources: []client.Source{text("amended", "seen on 2020-05-06")}, Policy: doctors, Scope: "consortium", Keywords: []string{"common", "amended"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if n := len(c.search(t, "written1").Hits); n != 1 {
		t.Fatal("the entries of the amendment are not lost")
	}
	if done, err := doctor().RebuildIndex(t.Context(), client.RebuildOptions{}); err != nil || done.Indexed != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	for word, want := range map[string]int{"common": 6, "written1": 0, "amended": 1, "date:2019-03": 4, "date:2020-05": 1} {
		if n := len(c.search(t, word).Hits); n != want {
			t.Errorf("%s finds %d records, want %d", word, n, want)
		}
	}
	if again, err := doctor().RebuildIndex(t.Context(), client.RebuildOptions{}); err != nil || again.Entries != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}

	// A damaged outbox stops nobody, and is named until the index is rebuilt.
	seal("damaged", doctors, scope)
	seal("damaged too", doctors, scope)
	path := filepath.Join(dir, "log")
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log[len(log)/4] ^= 1
	if err := os.WriteFile(path, log, 0o600); err != nil {
		t.Fatal(err)
	}
	seal("after the damage", doctors, scope)
	// Who cannot write into the scope's epoch mends nothing, and the damage stays named.
	box, err := outbox.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	custodian := c.as(t, "HospitalA", "custodian", "custodian")
	roll := func(policy string) {
		t.Helper()
		if _, _, err := custodian.RollScope(t.Context(), "consortium", policy); err != nil {
			t.Fatal(err)
		}
	}
	roll("HospitalC:role=nurse")
	if done, err := doctor().RebuildIndex(t.Context(), client.RebuildOptions{}); err != nil || done.Indexed != 0 || !slices.Equal(done.Scopes, []string{"consortium"}) {
		t.Errorf("rebuilt without the scope's key: %+v, %v", done, err)
	}
	if left, err := box.Damaged(); err != nil || len(left) == 0 {
		t.Errorf("the damage is not named: %v, %v", left, err)
	}
	roll(doctors)
	if done, err := doctor().RebuildIndex(t.Context(), client.RebuildOptions{}); err != nil || done.Indexed != 2 || len(done.Scopes) > 0 {
		t.Errorf("rebuilt after damage: %+v, %v", done, err)
	}
	if n := len(c.search(t, "common").Hits); n != 9 {
		t.Errorf("common finds %d records", n)
	}
	if left, err := box.Damaged(); err != nil || len(left) != 0 {
		t.Errorf("still named: %v, %v", left, err)
	}
}
