package trust_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/trust"
)

const role = "HospitalA:role=doctor"

// publish returns a ledger with version 1 of role, published by HospitalA's authority.
func publish(t *testing.T) (*clienttest.World, *clienttest.Person) {
	t.Helper()
	world := &clienttest.World{}
	world.SetKey(signed(world, newKey(t, role, 1)))
	return world, world.As("HospitalA", "doctor", "doctor")
}

// signed returns a key with the signature of HospitalA's authority.
func signed(world *clienttest.World, k ledger.AttributeKey) ledger.AttributeKey {
	return world.As("HospitalA", "authority", ledger.RoleAuthority).Signed(k)[0]
}

// newKey returns a public key of a new authority.
func newKey(t *testing.T, name string, version int) ledger.AttributeKey {
	t.Helper()
	master, err := abe.NewMasterKey("HospitalA", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := master.PublicKey(name, version)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return ledger.AttributeKey{Name: name, Version: version, Key: base64.StdEncoding.EncodeToString(raw)}
}

// A peer is unavailable, or answers with a key of its own.
type peer struct {
	*clienttest.Person
	down bool
	key  *ledger.AttributeKey
}

func (p *peer) AttributeKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error) {
	if p.down {
		return nil, ledger.Errorf(ledger.ErrUnavailable, "down")
	}
	if p.key != nil {
		return []ledger.AttributeKey{*p.key}, nil
	}
	return p.Person.AttributeKeys(ctx, names)
}

// TestWitnessDown skips a witness that does not answer. If none answers, it accepts no
// new statement.
func TestWitnessDown(t *testing.T) {
	_, honest := publish(t)
	down := &peer{Person: honest, down: true}
	for name, tc := range map[string]struct {
		witnesses []trust.Ledger
		want      error
	}{
		"one of two": {[]trust.Ledger{down, honest}, nil},
		"all":        {[]trust.Ledger{down, down}, ledger.ErrUnavailable},
	} {
		d := &trust.Directory{Ledger: honest, Witnesses: tc.witnesses, Memory: trust.NewMemory()}
		if _, err := d.PublicKeys(t.Context(), role); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

// TestPins compares keys with their pins. Even without witnesses, it detects a peer that
// replaces a key or returns to an older version.
func TestPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world, honest := publish(t)
		memory := trust.NewMemory()
		d := &trust.Directory{Ledger: honest, Memory: memory}
		first, err := d.PublicKeys(t.Context(), role)
		if err != nil {
			t.Fatal(err)
		}
		if seen, err := trust.CheckPublicKey(memory, first[0]); !seen || err != nil {
			t.Errorf("the key that was pinned: %v, %v", seen, err)
		}
		other := signed(world, newKey(t, role, 1))
		lying := &trust.Directory{Ledger: &peer{Person: honest, key: &other}, Memory: memory}
		if _, err := lying.PublicKeys(t.Context(), role); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("another key under the same version: %v", err)
		}
		second := signed(world, newKey(t, role, 2))
		old := world.As("HospitalA", "doctor", "doctor")
		before, err := old.AttributeKeys(t.Context(), []string{role})
		if err != nil {
			t.Fatal(err)
		}
		world.SetKey(second)
		if _, err := d.PublicKeys(t.Context(), role); err != nil {
			t.Fatal(err)
		}
		back := &trust.Directory{Ledger: &peer{Person: honest, key: &before[0]}, Memory: memory}
		if _, err := back.PublicKeys(t.Context(), role); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("back to version 1: %v", err)
		}
		if _, err := trust.CheckPublicKey(memory, first[0]); !errors.Is(err, ledger.ErrRevoked) {
			t.Errorf("a key that was replaced: %v", err)
		}
		// With a witness, even the first key of a lying peer is refused.
		careful := &trust.Directory{Ledger: &peer{Person: honest, key: &other}, Witnesses: []trust.Ledger{honest}, Memory: trust.NewMemory()}
		if _, err := careful.PublicKeys(t.Context(), role); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("a witness that says otherwise: %v", err)
		}
	})
}

// TestUnpublished checks that the error suggests a similar name.
func TestUnpublished(t *testing.T) {
	_, honest := publish(t)
	d := &trust.Directory{Ledger: honest, Memory: trust.NewMemory()}
	_, err := d.PublicKeys(t.Context(), "HospitalA:role=docter")
	if !errors.Is(err, ledger.ErrNotFound) || !strings.Contains(err.Error(), "did you mean "+role) {
		t.Errorf("got %v", err)
	}
}

// TestDamagedPins checks that a key is refused if its pins are damaged.
func TestDamagedPins(t *testing.T) {
	_, honest := publish(t)
	d := &trust.Directory{Ledger: honest, Memory: damaged{trust.NewMemory()}}
	if _, err := d.PublicKeys(t.Context(), role); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

type damaged struct{ trust.Memory }

func (damaged) Load(string) ([]byte, error) { return []byte("one abcdef\n"), nil }

// TestEarlierPins: a key without a signature is believed if an earlier release pinned it.
// Once its signature was seen, it cannot be left out again.
func TestEarlierPins(t *testing.T) {
	world, honest := publish(t)
	memory := trust.NewMemory()
	d := &trust.Directory{Ledger: honest, Memory: memory}
	if _, err := d.PublicKeys(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	pinned, err := honest.AttributeKeys(t.Context(), []string{role})
	if err != nil {
		t.Fatal(err)
	}
	unsigned := pinned[0]
	unsigned.Signature = ""
	forgetful := &trust.Directory{Ledger: &peer{Person: honest, key: &unsigned}, Memory: memory}
	if _, err := forgetful.PublicKeys(t.Context(), role); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("the signature was left out: %v", err)
	}
	key, err := trust.ParseKey(unsigned)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	before := trust.NewMemory()
	name := sha256.Sum256([]byte(role))
	item := fmt.Sprintf("pin/%x", name[:16])
	if err := before.Store(item, fmt.Appendf(nil, "1 %x\n", sha256.Sum256(raw))); err != nil { // as earlier releases wrote it
		t.Fatal(err)
	}
	forgetful.Memory = before
	if _, err := forgetful.PublicKeys(t.Context(), role); err != nil {
		t.Errorf("pinned by an earlier release: %v", err)
	}
	d.Memory = before
	if _, err := d.PublicKeys(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	if _, err := forgetful.PublicKeys(t.Context(), role); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("the signature was left out after it was seen: %v", err)
	}
	// The authority's certificate is withdrawn: what it has signed is believed no more.
	world.Revoke(world.As("HospitalA", "authority", ledger.RoleAuthority), time.Now())
	d.Memory = trust.NewMemory()
	if _, err := d.PublicKeys(t.Context(), role); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("the signer was revoked: %v", err)
	}
}

// TestOneLookup verifies the keys of one authority with one look-up of its certificate.
func TestOneLookup(t *testing.T) {
	world := &clienttest.World{}
	names := []string{"HospitalA:a", "HospitalA:b", "HospitalA:c"}
	for _, name := range names {
		world.SetKey(signed(world, newKey(t, name, 1)))
	}
	lookups := 0
	world.Fail = func(transaction string) error {
		if transaction == ledger.CertificateGet {
			lookups++
		}
		return nil
	}
	d := &trust.Directory{Ledger: world.As("HospitalA", "doctor", "doctor"), Memory: trust.NewMemory()}
	for range 2 {
		if _, err := d.PublicKeys(t.Context(), names...); err != nil {
			t.Fatal(err)
		}
	}
	if lookups != 1 {
		t.Errorf("%d look-ups", lookups)
	}
}
