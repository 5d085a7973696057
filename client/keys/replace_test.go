package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/trust"
)

// A disk holds an authority's master key sealed, as its file does.
type disk struct {
	t      *testing.T
	id     *age.X25519Identity
	sealed []byte
}

func newDisk(t *testing.T, m *abe.MasterKey) *disk {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{t: t, id: id}
	d.save(m)
	return d
}

func (d *disk) save(m *abe.MasterKey) error {
	sealed, err := abe.SealMaster(m, d.id.Recipient())
	if err != nil {
		d.t.Fatal(err)
	}
	d.sealed = sealed
	return nil
}

func (d *disk) load() *abe.MasterKey {
	d.t.Helper()
	m, err := abe.OpenMaster(d.sealed, d.id)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

// replace begins a replacement or goes on with it, as the command does.
func (d *disk) replace(ctx context.Context, l *clienttest.Person, save func(*abe.MasterKey) error) (Replacement, error) {
	d.t.Helper()
	m := d.load()
	if !m.Unfinished() {
		var err error
		if m, err = m.Replace(rand.Reader); err != nil {
			d.t.Fatal(err)
		}
	}
	return Replace(ctx, l, signing(l), m, func() error { return save(m) })
}

// TestReplaceKilled kills a replacement before and after each of its steps, and runs it
// again. After each kill the saved master key issues keys of everything on the ledger.
func TestReplaceKilled(t *testing.T) {
	names, old := wards(2), newMaster(t)
	killed := errors.New("killed")
	for _, after := range []bool{false, true} {
		for step := 1; ; step++ {
			world, d := &clienttest.World{}, newDisk(t, old)
			l := world.As(hospital, "authority", ledger.RoleAuthority)
			if _, err := Publish(t.Context(), l, signing(l), old, names); err != nil {
				t.Fatal(err)
			}
			n := 0
			kill := func(string) error {
				if n++; n == step {
					return killed
				}
				return nil
			}
			if after {
				world.Lose = kill
			} else {
				world.Fail = kill
			}
			_, err := d.replace(t.Context(), l, func(m *abe.MasterKey) error {
				if !after {
					if err := kill("save"); err != nil {
						return err
					}
				}
				d.save(m)
				if after {
					return kill("save")
				}
				return nil
			})
			world.Fail, world.Lose = nil, nil
			if err == nil {
				if step < 5 {
					t.Fatalf("%d steps only", step)
				}
				break
			}
			if !errors.Is(err, killed) {
				t.Fatal(err)
			}
			for _, name := range []string{names[0], names[len(names)-1]} {
				if _, err := Issuable(l, d.load())(t.Context(), []string{name}); err != nil {
					t.Errorf("after %v, step %d: %v", after, step, err)
				}
			}
			most := 2
			if m := d.load(); !m.Unfinished() && m.Past(names[0], 1) {
				most = 3 // it was finished, so the next run begins anew
			}
			if _, err := d.replace(t.Context(), l, d.save); err != nil {
				t.Fatalf("after %v, step %d, again: %v", after, step, err)
			}
			now := d.load()
			versions, err := Issuable(l, now)(t.Context(), names)
			if err != nil || now.Unfinished() {
				t.Fatalf("after %v, step %d: unfinished %v, %v", after, step, now.Unfinished(), err)
			}
			for _, name := range names {
				if v := versions[name]; v < 2 || v > most || now.Past(name, v) || !now.Past(name, 1) {
					t.Fatalf("after %v, step %d: %s has version %d", after, step, name, v)
				}
			}
		}
	}
}

func wards(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s:ward=%d", hospital, i)
	}
	return names
}

// TestReplaceHalf kills a replacement between its two transactions.
func TestReplaceHalf(t *testing.T) {
	world, old := &clienttest.World{}, newMaster(t)
	names, d := wards(ledger.MaxKeysPerCall+1), newDisk(t, old)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	if _, err := Publish(t.Context(), l, signing(l), old, names); err != nil {
		t.Fatal(err)
	}
	n, killed := 0, errors.New("killed")
	world.Fail = func(transaction string) error {
		if transaction == ledger.AuthorityPublishKeys {
			if n++; n == 2 {
				return killed
			}
		}
		return nil
	}
	done, err := d.replace(t.Context(), l, d.save)
	if !errors.Is(err, killed) || len(done.Published) != ledger.MaxKeysPerCall {
		t.Fatalf("%d published, %v", len(done.Published), err)
	}
	world.Fail = nil
	if _, err := Issuable(l, d.load())(t.Context(), names); err != nil {
		t.Errorf("half of it is published: %v", err)
	}
	done, err = d.replace(t.Context(), l, d.save)
	if err != nil || len(done.Published) != 1 {
		t.Fatalf("again: %d published, %v", len(done.Published), err)
	}
}

// TestReplaceStolen: a thief has the old secret, and for a while also the key with which
// the authority publishes.
func TestReplaceStolen(t *testing.T) {
	ctx, world, ca := t.Context(), &clienttest.World{}, newCA(t)
	stolen := newMaster(t)
	d := newDisk(t, stolen)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	if _, err := Publish(ctx, l, signing(l), stolen, rules(t).Attributes()); err != nil {
		t.Fatal(err)
	}
	steal := func(version int) []*abe.UserKey {
		t.Helper()
		key, err := stolen.Issue("HospitalA/thief", doctor, version)
		if err != nil {
			t.Fatal(err)
		}
		return []*abe.UserKey{key}
	}
	entitled := func(master *abe.MasterKey) []*abe.UserKey {
		t.Helper()
		issued, err := Issue(ctx, l, ca.members, master, rules(t), ca.person(t, "jones", "doctor").Leaf)
		if err != nil {
			t.Fatal(err)
		}
		var keys []*abe.UserKey
		for _, k := range issued.Keys {
			key, err := master.Issue(issued.GID, k.Name, k.Version)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
		if err := Check(ctx, l, trusting(l), issued.GID, keys); err != nil {
			t.Errorf("keys that an entitled person gets: %v", err)
		}
		return keys
	}
	before := sealed(t, world, doctor)
	done, err := d.replace(ctx, l, d.save)
	if err != nil || len(done.Foreign) != 0 || !slices.Contains(done.Published, ledger.AttributeName{Name: doctor, Version: 2}) {
		t.Fatalf("%+v, %v", done, err)
	}
	after := sealed(t, world, doctor)
	for _, file := range [][]byte{before, after} {
		if err := opens(t, file, entitled(d.load())); err != nil {
			t.Errorf("an entitled person: %v", err)
		}
	}
	for version := 1; version <= 3; version++ {
		if err := opens(t, after, steal(version)); err == nil {
			t.Errorf("the thief opens what was sealed after, with version %d", version)
		}
	}
	if err := opens(t, before, steal(1)); err != nil {
		t.Errorf("what was sealed before stays open to the thief, and docs say so: %v", err)
	}

	// The thief publishes a version of the stolen secret, and one of no secret.
	publish := func(m *abe.MasterKey, version int) {
		t.Helper()
		key, err := publicKey(m, doctor, version)
		if err == nil {
			err = l.PublishKeys(ctx, l.Signed(key))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	publish(stolen, 3)
	if _, err := Sign(ctx, world.As(hospital, "authority2", ledger.RoleAuthority), signing(l), d.load()); err != nil {
		t.Errorf("signed keys need nothing: %v", err)
	}
	if _, err := Rotate(ctx, l, signing(l), d.load(), doctor); !errors.Is(err, client.ErrTampered) {
		t.Errorf("rotated after a version of the thief: %v", err)
	}
	publish(newMaster(t), 4)
	racing := 0
	done, err = d.replace(ctx, l, func(m *abe.MasterKey) error {
		if racing++; racing == 1 {
			publish(stolen, 5)
		}
		return d.save(m)
	})
	if err != nil || !slices.Equal(done.Foreign, []ledger.AttributeName{{Name: doctor, Version: 4}}) || !slices.Contains(done.Published, ledger.AttributeName{Name: doctor, Version: 6}) {
		t.Fatalf("%+v, %v", done, err)
	}
	last, keys := sealed(t, world, doctor), entitled(d.load())
	if len(keys) != 5 { // 1, 2, 3, 5, 6
		t.Errorf("%d keys", len(keys))
	}
	for _, file := range [][]byte{before, after, last} {
		if err := opens(t, file, keys); err != nil {
			t.Errorf("an entitled person: %v", err)
		}
	}
	for version := 1; version <= 7; version++ {
		if err := opens(t, last, steal(version)); err == nil {
			t.Errorf("the thief opens what was sealed last, with version %d", version)
		}
	}
	if _, err := Rotate(ctx, l, signing(l), d.load(), doctor); err != nil {
		t.Errorf("rotated: %v", err)
	}
}

// A forger is a peer that tells of later versions than there are, which the thief who
// works with it has made from the stolen secret.
type forger struct {
	*clienttest.Person
	stolen *abe.MasterKey
	most   int
}

func (f *forger) AttributesOf(ctx context.Context, authority string) ([]ledger.AttributeName, error) {
	all, err := f.Person.AttributesOf(ctx, authority)
	for i := range all {
		all[i].Version = max(all[i].Version, f.most)
	}
	return all, err
}

func (f *forger) AttributeKeyVersions(_ context.Context, versions []ledger.AttributeName) (keys []ledger.AttributeKey, err error) {
	for _, v := range versions {
		key, err := publicKey(f.stolen, v.Name, v.Version)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// TestReplaceAgainstPeer: the peer and the thief work together. They want the next
// versions to be made from the stolen secret.
func TestReplaceAgainstPeer(t *testing.T) {
	ctx, world, stolen := t.Context(), &clienttest.World{}, newMaster(t)
	d := newDisk(t, stolen)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	if _, err := Publish(ctx, l, signing(l), stolen, []string{doctor}); err != nil {
		t.Fatal(err)
	}
	m, err := stolen.Replace(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	save := func() error { return d.save(m) }
	if _, err := Replace(ctx, &forger{l, stolen, 60}, signing(l), m, save); err == nil {
		t.Fatal("believed a peer that the ledger contradicts")
	}
	if _, err := Rotate(ctx, l, signing(l), d.load(), doctor); !errors.Is(err, client.ErrTampered) {
		t.Errorf("rotated to a version of the stolen secret: %v", err)
	}
	if _, err := d.replace(ctx, l, d.save); err != nil {
		t.Fatal(err)
	}
	if versions, err := Issuable(l, d.load())(ctx, []string{doctor}); err != nil || versions[doctor] != 2 {
		t.Errorf("versions %v, %v", versions, err)
	}
	own, err := publicKey(stolen, doctor, 2)
	if err != nil {
		t.Fatal(err)
	}
	if made(d.load(), own) == nil {
		t.Error("version 2 is made from the stolen secret")
	}
}

// A hider is a peer that tells of fewer attributes or versions than there are.
type hider struct {
	*clienttest.Person
	attribute string
	versions  int // of the attribute; 0 hides it
}

func (h *hider) AttributesOf(ctx context.Context, authority string) ([]ledger.AttributeName, error) {
	all, err := h.Person.AttributesOf(ctx, authority)
	for i := range all {
		if all[i].Name == h.attribute {
			all[i].Version = h.versions
		}
	}
	return slices.DeleteFunc(all, func(a ledger.AttributeName) bool { return a.Version == 0 }), err
}

// TestReplaceHidden: the peer works with the thief, and hides an attribute so that it
// stays with the stolen secret, or some of its versions. A witness tells.
func TestReplaceHidden(t *testing.T) {
	ctx, world, stolen := t.Context(), &clienttest.World{}, newMaster(t)
	d := newDisk(t, stolen)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	if _, err := Publish(ctx, l, signing(l), stolen, []string{doctor, hospital + ":senior"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.replace(ctx, l, d.save); err != nil {
		t.Fatal(err)
	}
	witnessed := signing(l)
	witnessed.Trust.Witnesses = []trust.Ledger{l}
	before := slices.Clone(d.sealed)
	for _, lie := range []Publisher{&hider{l, doctor, 0}, &hider{l, doctor, 1}, &forger{l, stolen, 60}} {
		m, err := d.load().Replace(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		done, err := Replace(ctx, lie, witnessed, m, func() error { return d.save(m) })
		if !errors.Is(err, client.ErrTampered) || len(done.Published) > 0 || !slices.Equal(d.sealed, before) {
			t.Errorf("believed %T against a witness: %+v, %v", lie, done, err)
		}
	}
	m, err := d.load().Replace(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := Replace(ctx, l, witnessed, m, func() error { return d.save(m) }); err != nil || len(done.Published) != 2 {
		t.Errorf("with an honest peer: %+v, %v", done, err)
	}
}
