package keys

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/trust"
)

// TestSign signs the keys that an earlier release has published, and those whose signer's
// certificate was revoked. Before, nobody believes them.
func TestSign(t *testing.T) {
	ctx, world, master := t.Context(), &clienttest.World{}, newMaster(t)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	for version := 1; version <= 2; version++ {
		key, err := publicKey(master, doctor, version)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.PublishKeys(ctx, []ledger.AttributeKey{key}); err != nil {
			t.Fatal(err)
		}
	}
	reader := world.As("HospitalB", "jones", "doctor")
	believed := func() (current, past error) {
		_, current = trusting(reader).PublicKeys(ctx, doctor)
		key, err := master.Issue("HospitalB/jones", doctor, 1)
		if err != nil {
			t.Fatal(err)
		}
		return current, Check(ctx, reader, trusting(reader), "HospitalB/jones", []*abe.UserKey{key})
	}
	sign := func(l *clienttest.Person, want int) {
		t.Helper()
		if n, err := Sign(ctx, l, signing(l), master); err != nil || n != want {
			t.Fatalf("signed %d, %v", n, err)
		}
		if current, past := believed(); current != nil || past != nil {
			t.Errorf("signed: %v, %v", current, past)
		}
	}
	var unsigned *trust.UnsignedError
	if current, past := believed(); !errors.As(current, &unsigned) || unsigned.Member != hospital || !errors.As(past, &unsigned) || !errors.Is(past, ledger.ErrTampered) {
		t.Fatalf("unsigned: %v, %v", current, past)
	}
	if n, err := Sign(ctx, l, signing(l), newMaster(t)); n != 0 || !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("signed keys of another master key: %d, %v", n, err)
	}
	sign(l, 2)
	sign(l, 0)
	world.Revoke(l, time.Now().Add(-time.Hour))
	if current, past := believed(); !errors.Is(current, ledger.ErrTampered) || !errors.Is(past, ledger.ErrTampered) {
		t.Errorf("the signer is revoked: %v, %v", current, past)
	}
	sign(world.As(hospital, "authority2", ledger.RoleAuthority), 2)
}

// A liar is a peer with another announcement than the ledger.
type liar struct {
	*clienttest.Person
	custodian string
	signature string
}

func (l *liar) Authorities(ctx context.Context) ([]ledger.Authority, error) {
	all, err := l.Person.Authorities(ctx)
	for i := range all {
		if l.custodian != "" {
			all[i].Custodian, all[i].Signature = l.custodian, l.signature
		}
	}
	return all, err
}

// TestSignAnnouncement: an announcement of an earlier release is signed once, when a
// witness confirms it. After that, two lying peers do not get another one signed.
func TestSignAnnouncement(t *testing.T) {
	ctx, world := t.Context(), &clienttest.World{}
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	old := ledger.Announcement{URL: "https://a:1", Custodian: "age1x"}
	if err := l.Announce(ctx, old); err != nil {
		t.Fatal(err)
	}
	doctor := world.As(hospital, "jones", "doctor")
	var unsigned *trust.UnsignedError
	if _, err := trusting(doctor).Custodian(ctx); !errors.As(err, &unsigned) {
		t.Fatalf("unsigned: %v", err)
	}
	peer := &liar{Person: l}
	by := Signing{l.Signer(), &trust.Directory{Ledger: peer, Witnesses: []trust.Ledger{l}, Memory: trust.NewMemory()}}
	peer.custodian = "age1attacker"
	if a, err := SignAnnouncement(ctx, l, by); a != nil || !errors.Is(err, ledger.ErrTampered) {
		t.Fatalf("signed %+v against the witness: %v", a, err)
	}
	if _, err := Announce(ctx, l, by, ledger.Announcement{URL: "https://a:2"}); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("kept the custodian of a lying peer: %v", err)
	}
	peer.custodian = ""
	if a, err := SignAnnouncement(ctx, l, by); err != nil || a == nil || *a != old {
		t.Fatalf("signed %+v, %v", a, err)
	}
	if a, err := SignAnnouncement(ctx, l, by); err != nil || a != nil {
		t.Errorf("signed again %+v, %v", a, err)
	}
	if got, err := trusting(doctor).Custodian(ctx); err != nil || got != old.Custodian {
		t.Errorf("signed: %q, %v", got, err)
	}
	by.Trust.Witnesses = []trust.Ledger{peer}
	stranger := doctor.SignedAnnouncement(ledger.Announcement{URL: old.URL, Custodian: "age1attacker"}).Signature
	for _, signature := range []string{"", stranger} {
		peer.custodian, peer.signature = "age1attacker", signature
		if a, err := SignAnnouncement(ctx, l, by); a != nil || !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("two lying peers got %+v signed, %v", a, err)
		}
	}
	peer.custodian = ""
	world.Revoke(l, time.Now())
	by.Trust.Memory.Store("members.json", []byte("{}")) // five minutes later
	by.Signer = l.Signer()
	if a, err := SignAnnouncement(ctx, l, by); err != nil || a == nil || *a != old {
		t.Errorf("the signer was revoked: %+v, %v", a, err)
	}
}
