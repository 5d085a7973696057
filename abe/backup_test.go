package abe

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
)

// TestBackup loses an authority's master key, restores it, and checks that all earlier
// keys still fit.
func TestBackup(t *testing.T) {
	w := newWorld(t, "A")
	original := w.masters["A"]
	sealed := w.seal("A:x", []byte("record"))
	custodian, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	passphrase, err := age.NewScryptRecipient("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	passphrase.SetWorkFactor(10) // low, to make the test fast
	right, err := PassphraseIdentity("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := PassphraseIdentity("battery staple")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		to          age.Recipient
		with, wrong age.Identity
	}{
		"passphrase": {passphrase, right, wrong},
		"custodian":  {custodian.Recipient(), custodian, other},
	} {
		backup, err := SealMaster(original, test.to)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.HasPrefix(string(backup), "-----BEGIN AGE ENCRYPTED FILE-----") || bytes.Contains(backup, []byte("secret")) {
			t.Errorf("%s: backup is\n%s", name, backup)
		}
		restored, err := OpenMaster(backup, test.with)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		key, err := restored.Issue("H/d", "A:x", 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decrypt(sealed, w.identity([]*UserKey{key})); err != nil || string(got) != "record" {
			t.Errorf("%s: key of the restored authority: %q, %v", name, got, err)
		}
		if _, err := OpenMaster(backup, test.wrong); !errors.Is(err, age.ErrIncorrectIdentity) {
			t.Errorf("%s: wrong identity: %v", name, err)
		}
		for n := 0; n < len(backup)-1; n += 7 {
			if m, err := OpenMaster(backup[:n], test.with); err == nil || m != nil {
				t.Fatalf("%s: opened a backup cut to %d bytes", name, n)
			}
		}
	}
	if _, err := PassphraseRecipient(""); err == nil {
		t.Error("empty passphrase accepted")
	}
	if r, err := PassphraseRecipient("x"); err != nil || r == nil {
		t.Error(err)
	}
}

func TestOpenMasterRefuses(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	armored := func(plain string) []byte {
		b, err := sealArmored([]byte(plain), []age.Recipient{id.Recipient()})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, sealed := range map[string][]byte{
		"nothing":       nil,
		"text":          []byte("hello"),
		"long":          make([]byte, 1<<20),
		"not JSON":      armored("x"),
		"another kind":  armored(`{"kind":"x","authority":"A","secret":"AAAA"}`),
		"short secret":  armored(`{"kind":"` + masterKind + `","authority":"A","secret":"AAAA"}`),
		"a share":       armored(`{"kind":"` + shareKind + `","authority":"A","threshold":2,"index":1}`),
		"bad share":     armored(`{"kind":"` + shareKind + `","authority":"A","threshold":1,"index":1,"commitment":["AA=="]}`),
		"no master key": armored(`{}`),
	} {
		if _, err := OpenMaster(sealed, id); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := OpenShare(sealed, id); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s as share: %v", name, err)
		}
	}
	if _, err := OpenMaster(armored(`{"kind":"`+masterKind+`","authority":"not valid","secret":"`+strings.Repeat("AAAA", 10)+`AAA="}`), id); err == nil {
		t.Error("master key of an authority without a valid name")
	}
	if _, err := SealMaster(&MasterKey{authority: "A"}); err == nil {
		t.Error("sealed to nobody")
	}
	if _, err := NewMasterKey("A B", rand.Reader); err == nil {
		t.Error("master key for an authority without a valid name")
	}
}

// TestDestroyed uses a master key after its secret was overwritten. Keys derived from
// zeros would be known to everyone.
func TestDestroyed(t *testing.T) {
	m := newWorld(t, "A").masters["A"]
	m.Destroy()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	_, public := m.PublicKey("A:x", 1)
	_, issue := m.Issue("H/d", "A:x", 1)
	_, seal := SealMaster(m, id.Recipient())
	_, split := SplitMaster(m, 2, 3, rand.Reader)
	for what, err := range map[string]error{"public key": public, "user key": issue, "backup": seal, "shares": split} {
		if err == nil {
			t.Errorf("%s of the zeros that are left", what)
		}
	}
}

func TestThresholdBackup(t *testing.T) {
	w := newWorld(t, "A")
	m := w.masters["A"]
	shares, err := SplitMaster(m, 3, 5, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// The same through the custodians' files.
	for i := range shares {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		file, err := SealShare(shares[i], id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if shares[i], err = OpenShare(file, id); err != nil {
			t.Fatal(err)
		}
	}
	pick := func(indices ...int) (out []*MasterShare) {
		for _, i := range indices {
			out = append(out, shares[i])
		}
		return
	}
	for _, set := range [][]*MasterShare{pick(0, 1, 2), pick(4, 2, 0), pick(0, 1, 2, 3, 4), pick(1, 1, 3, 4)} {
		if got, err := CombineMaster(set); err != nil || got.secret != m.secret || got.authority != "A" {
			t.Errorf("%v: %v", set, err)
		}
	}
	for _, set := range [][]*MasterShare{nil, pick(0, 1), pick(2, 2, 2)} {
		if _, err := CombineMaster(set); err == nil {
			t.Errorf("%v: combined", set)
		}
	}
	damaged := *shares[1]
	damaged.value = bytes.Clone(damaged.value)
	damaged.value[5] ^= 1
	if _, err := CombineMaster([]*MasterShare{shares[0], &damaged, shares[2]}); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), "share 2 of") {
		t.Errorf("damaged share: %v", err)
	}
	damaged.value = damaged.value[:4]
	if _, err := CombineMaster([]*MasterShare{shares[0], &damaged, shares[2]}); err == nil {
		t.Error("cut share combined")
	}
	again, err := SplitMaster(m, 3, 5, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CombineMaster([]*MasterShare{shares[0], again[1], shares[2]}); !errors.Is(err, ErrTampered) {
		t.Errorf("shares of two splits: %v", err)
	}
	for _, kn := range [][2]int{{1, 3}, {4, 3}, {2, MaxShares + 1}, {0, 0}} {
		if _, err := SplitMaster(m, kn[0], kn[1], rand.Reader); err == nil {
			t.Errorf("split %d of %d", kn[0], kn[1])
		}
	}
	if shares[0].Threshold() != 3 || shares[0].GoString() != "share 1 of the master key of A (any 3 give it back)" {
		t.Error(shares[0])
	}
}
