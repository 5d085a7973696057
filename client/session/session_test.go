package session_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
	"github.com/chartseal/chartseal/client/wallet/wallettest"
)

// enrolled is a user of a new wallet whose certificates are valid for an hour more.
func enrolled(t *testing.T, valid time.Duration) *wallet.User {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "wallet")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"doctor@HospitalA", "nurse@HospitalB"} {
		if err := wallettest.Enrol(dir, user, time.Now().Add(-24*time.Hour), time.Now().Add(valid)); err != nil {
			t.Fatal(err)
		}
	}
	w, err := wallet.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.User("doctor@HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestOpen: a session is ready although no server answers, and can be closed twice.
func TestOpen(t *testing.T) {
	s, err := session.Open(enrolled(t, time.Hour), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Client == nil || s.Ledger.Actor() != "HospitalA/doctor" || s.Blobs != nil || len(s.Witnesses()) != 1 {
		t.Errorf("session of %s: client %v, blobs %v, %d witnesses", s.Ledger.Actor(), s.Client, s.Blobs, len(s.Witnesses()))
	}
	if waits, err := s.Client.IndexStatus(); err != nil || waits.Records != 0 {
		t.Errorf("index status %v, %v", waits, err)
	}
	if other, err := s.At("HospitalB"); err != nil || other.Actor() != "HospitalA/doctor" {
		t.Errorf("at HospitalB: %v", err)
	}
	if _, err := s.At("HospitalC"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("at HospitalC: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOpenAt: another organisation's peer answers when it is chosen, and then its own is
// a witness.
func TestOpenAt(t *testing.T) {
	u := enrolled(t, time.Hour)
	for at, want := range map[string]string{"": "HospitalA", "HospitalA": "HospitalA", "HospitalB": "HospitalB"} {
		s, err := session.Open(u, session.Options{At: at})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.Ledger.PeerMSP() != want || s.Ledger.MSP() != "HospitalA" || s.User != u {
			t.Errorf("at %q: the peer of %s for a user of %s", at, s.Ledger.PeerMSP(), s.Ledger.MSP())
		}
		if w := s.Witnesses(); len(w) != 1 || w[0].(*fabric.Gateway).PeerMSP() == want {
			t.Errorf("at %q: %d witnesses, and none but the peer itself", at, len(w))
		}
	}
	if _, err := session.Open(u, session.Options{At: "HospitalC"}); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("at HospitalC: %v", err)
	}
}

func TestExpired(t *testing.T) {
	_, err := session.Open(enrolled(t, -time.Hour), session.Options{})
	if expired := new(wallet.ExpiredError); !errors.As(err, &expired) {
		t.Errorf("error %v, want an ExpiredError", err)
	}
}

// TestKeys: stored attribute keys come back, and become identities. Keys that cannot be
// used stop a session that opens records, and no other.
func TestKeys(t *testing.T) {
	u := enrolled(t, time.Hour)
	issued := issue(t, "HospitalA/doctor")
	if err := session.StoreAttributeKeys(u, "HospitalA", issued); err != nil {
		t.Fatal(err)
	}
	held, err := session.AttributeKeys(u)
	if err != nil || len(held) != 1 || held[0].Name() != "HospitalA:role=doctor" {
		t.Fatalf("held %v, %v", held, err)
	}
	if ids, err := session.Identities(u); err != nil || len(ids) != 1 {
		t.Fatalf("identities %v, %v", ids, err)
	}
	if _, _, err := u.CreateCustodian(); err != nil {
		t.Fatal(err)
	}
	if ids, err := session.Identities(u); err != nil || len(ids) != 2 {
		t.Errorf("identities of a custodian: %v, %v", ids, err)
	}

	for what, gid := range map[string]string{"of somebody else": "HospitalA/nurse", "damaged": "HospitalA/doctor"} {
		stored := []wallet.AttributeKey{{Name: "HospitalA:role=doctor", Version: 1, Key: []byte("junk")}}
		if err := u.StoreKeys("HospitalA", gid, stored, nil); err != nil {
			t.Fatal(err)
		}
		_, err := session.Open(u, session.Options{})
		if broken := new(session.KeysError); !errors.As(err, &broken) || broken.User != "doctor@HospitalA" {
			t.Errorf("keys %s: error %v, want a KeysError", what, err)
		}
		s, err := session.Open(u, session.Options{LedgerOnly: true})
		if err != nil {
			t.Fatalf("keys %s, ledger only: %v", what, err)
		}
		if s.Client != nil || s.Close() != nil {
			t.Errorf("keys %s, ledger only: there is a client", what)
		}
	}

	// Requested again, the keys are usable. An answer that lacks them takes none away.
	for _, again := range [][]*abe.UserKey{issued, nil} {
		if err := session.StoreAttributeKeys(u, "HospitalA", again); err != nil {
			t.Fatal(err)
		}
		if held, err := session.AttributeKeys(u); err != nil || len(held) != 1 || held[0].Name() != "HospitalA:role=doctor" {
			t.Errorf("after an answer with %d keys: held %v, %v", len(again), held, err)
		}
	}
}

func issue(t *testing.T, gid string) []*abe.UserKey {
	t.Helper()
	master, err := abe.NewMasterKey("HospitalA", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := master.Issue(gid, "HospitalA:role=doctor", 1)
	if err != nil {
		t.Fatal(err)
	}
	return []*abe.UserKey{key}
}
