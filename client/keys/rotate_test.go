package keys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/trust"
)

// TestRotate: after a rotation an entitled person opens what was sealed before and after
// it, and somebody who left in between opens only what was sealed before.
func TestRotate(t *testing.T) {
	ctx, world, master, ca := t.Context(), &clienttest.World{}, newMaster(t), newCA(t)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	if _, err := Announce(ctx, l, signing(l), ledger.Announcement{URL: serve(t, master, l, ca)}); err != nil {
		t.Fatal(err)
	}
	names := rules(t).Attributes()
	if _, err := Publish(ctx, l, signing(l), master, names); err != nil {
		t.Fatal(err)
	}
	request := func(id string) []*abe.UserKey {
		t.Helper()
		p := world.As(hospital, id, "doctor")
		r := Requester{Ledger: p, Trust: trusting(p), Certificate: ca.person(t, id, "doctor"), Members: ca.members}
		grants, err := r.Request(ctx)
		if err != nil || len(grants) != 1 || grants[0].Err != nil {
			t.Fatalf("request: %+v, %v", grants, err)
		}
		return grants[0].Keys
	}
	left := request("left")
	before := sealed(t, world, doctor)

	rotated, err := Rotate(ctx, l, signing(l), master, doctor)
	if err != nil || !slices.Equal(rotated, []ledger.AttributeName{{Name: doctor, Version: 2}}) {
		t.Fatalf("rotated %v, %v", rotated, err)
	}
	after := sealed(t, world, doctor)
	stayed := request("stayed")
	if len(stayed) != 2 || stayed[0].Version() != 1 || stayed[1].Version() != 2 {
		t.Fatalf("after a rotation %d keys: %v", len(stayed), stayed)
	}
	if err := Check(ctx, l, trusting(l), "HospitalA/stayed", stayed); err != nil {
		t.Errorf("Check of keys of two versions: %v", err)
	}
	for _, c := range []struct {
		who  string
		keys []*abe.UserKey
		file []byte
		want error
	}{
		{"who left, before", left, before, nil},
		{"who left, after", left, after, abe.ErrNotSatisfied},
		{"who stayed, before", stayed, before, nil},
		{"who stayed, after", stayed, after, nil},
	} {
		if err := opens(t, c.file, c.keys); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.who, err, c.want)
		}
	}

	byHand, err := Issue(ctx, l, ca.members, master, rules(t), ca.person(t, "stayed", "doctor").Leaf)
	if err != nil || len(byHand.Keys) != 2 {
		t.Fatalf("issued by hand: %+v, %v", byHand, err)
	}
	text, err := json.Marshal(byHand)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := Parse(text); err != nil || Check(ctx, l, trusting(l), "HospitalA/stayed", parsed) != nil {
		t.Errorf("issued by hand: %v, %v", parsed, err)
	}

	// All of them, and only those of this authority.
	rotated, err = Rotate(ctx, l, signing(l), master)
	if err != nil || len(rotated) != len(names) || !slices.Contains(rotated, ledger.AttributeName{Name: doctor, Version: 3}) {
		t.Fatalf("rotated %v, %v", rotated, err)
	}
	if keys := request("stayed"); len(keys) != 3 {
		t.Errorf("after two rotations %d keys", len(keys))
	}
}

func TestRotateRefuses(t *testing.T) {
	ctx, world, master := t.Context(), &clienttest.World{}, newMaster(t)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	if _, err := Rotate(ctx, l, signing(l), master); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("nothing published: %v", err)
	}
	if _, err := Publish(ctx, l, signing(l), master, []string{doctor}); err != nil {
		t.Fatal(err)
	}
	if _, err := Rotate(ctx, l, signing(l), master, doctor, hospital+":x"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("an unpublished name: %v", err)
	}
	if _, err := Rotate(ctx, l, signing(l), newMaster(t), doctor); !errors.Is(err, client.ErrTampered) {
		t.Errorf("another master key: %v", err)
	}
	b := world.As("HospitalB", "authority", ledger.RoleAuthority)
	if _, err := Rotate(ctx, b, signing(b), master, doctor); !errors.Is(err, client.ErrDenied) {
		t.Errorf("another hospital: %v", err)
	}
	if versions, err := Versions(l)(ctx, []string{doctor}); err != nil || versions[doctor] != 1 {
		t.Errorf("a refused rotation left %v, %v", versions, err)
	}
	world.Fail = func(transaction string) error {
		if transaction == ledger.AuthorityKeyVersions {
			return ledger.Errorf(ledger.ErrUnavailable, "down")
		}
		return nil
	}
	key, err := master.Issue("HospitalA/jones", doctor, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, l, trusting(l), "HospitalA/jones", []*abe.UserKey{key}); !errors.Is(err, client.ErrUnavailable) || errors.Is(err, client.ErrTampered) {
		t.Errorf("pins that cannot be read: %v", err)
	}
}

// sealed makes an age file for a policy with the current public keys.
func sealed(t *testing.T, world *clienttest.World, text string) []byte {
	t.Helper()
	p, err := policy.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	known := &trust.Directory{Ledger: world.As(hospital, "sealer", "doctor"), Memory: trust.NewMemory()}
	public, err := known.PublicKeys(t.Context(), p.Attributes()...)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := abe.KeyRing(public...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := abe.NewRecipient(p, ring)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func opens(t *testing.T, file []byte, keys []*abe.UserKey) error {
	t.Helper()
	id, err := abe.NewIdentity(keys)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(file), id)
	if err != nil {
		return err
	}
	_, err = io.ReadAll(r)
	return err
}

// TestManyRotations: an attribute was rotated more often than an authority's answer has
// versions. A new wallet gets all of them, and a record from before the first rotation
// opens. A wallet that holds the older ones asks for no more than it lacks.
func TestManyRotations(t *testing.T) {
	ctx, world, master, ca := t.Context(), &clienttest.World{}, newMaster(t), newCA(t)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	if _, err := Announce(ctx, l, signing(l), ledger.Announcement{URL: serve(t, master, l, ca)}); err != nil {
		t.Fatal(err)
	}
	if _, err := Publish(ctx, l, signing(l), master, []string{doctor}); err != nil {
		t.Fatal(err)
	}
	file := sealed(t, world, doctor)
	versions := 150
	if testing.Short() {
		versions = 70 // some must be left for a second request
	}
	for range versions - 1 {
		if _, err := Rotate(ctx, l, signing(l), master, doctor); err != nil {
			t.Fatal(err)
		}
	}
	request := func(held func(string, int) bool) []*abe.UserKey {
		t.Helper()
		p := world.As(hospital, "jones", "doctor")
		r := Requester{Ledger: p, Trust: trusting(p), Certificate: ca.person(t, "jones", "doctor"), Members: ca.members, Held: held}
		grants, err := r.Request(ctx)
		if err != nil || len(grants) != 1 || grants[0].Err != nil || grants[0].Older != nil {
			t.Fatalf("request: %+v, %v", grants, err)
		}
		return grants[0].Keys
	}
	keys := request(nil)
	if len(keys) != versions || keys[0].Version() != 1 || keys[versions-1].Version() != versions {
		t.Fatalf("%d keys of %d versions", len(keys), versions)
	}
	if err := opens(t, file, keys); err != nil {
		t.Errorf("a record from before the first rotation: %v", err)
	}
	again := request(func(attribute string, version int) bool { return attribute == doctor && version > 3 })
	if len(again) != 3+64 || again[2].Version() != 3 {
		t.Errorf("%d keys with all but three held", len(again))
	}
	byHand, err := Issue(ctx, l, ca.members, master, rules(t), ca.person(t, "jones", "doctor").Leaf)
	if err != nil || len(byHand.Keys) != versions {
		t.Errorf("issued by hand: %v", err)
	}
}

// A boaster is a peer that tells of a version of an attribute which nobody has published,
// with whatever key.
type boaster struct {
	*clienttest.Person
	version int
	key     string
}

func (b boaster) CurrentKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error) {
	keys, err := b.Person.CurrentKeys(ctx, names)
	for i := range keys {
		if b.key != "" {
			keys[i].Version, keys[i].Key = b.version, b.key
		}
	}
	return keys, err
}

// TestKeysOfTheFuture: somebody who is about to leave has a friend at the peer, and wants
// keys that the rotation will not shut out.
func TestKeysOfTheFuture(t *testing.T) {
	ctx, world, master, ca := t.Context(), &clienttest.World{}, newMaster(t), newCA(t)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	if _, err := Publish(ctx, l, signing(l), master, []string{doctor}); err != nil {
		t.Fatal(err)
	}
	current, err := publicKey(master, doctor, 1)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := publicKey(newMaster(t), doctor, 60)
	if err != nil {
		t.Fatal(err)
	}
	leaving := ca.person(t, "leaving", "doctor").Leaf
	for name, key := range map[string]string{"the version alone": "", "with the old key": current.Key, "with a key of their own": foreign.Key} {
		peer := boaster{l, 60, key}
		issued, err := Issue(ctx, peer, ca.members, master, rules(t), leaving)
		if key == "" { // the key tells the true version
			if err != nil || len(issued.Keys) != 1 || issued.Keys[0].Version != 1 {
				t.Errorf("%s: %v, or not the one key that there is", name, err)
			}
			continue
		}
		if !errors.Is(err, client.ErrTampered) || issued != nil {
			t.Errorf("%s: issued; %v", name, err)
		}
	}
}
