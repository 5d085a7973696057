package abe

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/age"
	fentec "github.com/fentec-project/bn256"
)

// The files in testdata/vectors are frozen: every later version of this package must read
// them with the same result. Run the test with -update to write missing vectors; it never
// overwrites one. Vectors without the prefix "format2-" have the first stanza format,
// which is no longer written.
var update = flag.Bool("update", false, "write missing test vectors")

// A vector is a whole age file, the user keys to open it, and the expected result.
type vector struct {
	Comment string   `json:"comment"`
	Expect  string   `json:"expect"` // success, not satisfied, tampered, malformed, or header failure
	Policy  string   `json:"policy,omitempty"`
	Public  [][]byte `json:"public,omitempty"` // encoded public keys; each user key must verify against the one of its name
	Keys    [][]byte `json:"keys"`             // encoded user keys
	File    []byte   `json:"file"`
	Plain   []byte   `json:"plain,omitempty"`
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v vector
			if err := json.Unmarshal(b, &v); err != nil {
				t.Fatal(err)
			}
			v.check(t)
		})
	}
}

func (v *vector) check(t *testing.T) {
	public := map[string]*PublicKey{}
	for _, b := range v.Public {
		k, err := ParsePublicKey(b)
		if err != nil {
			t.Fatal(err)
		}
		public[k.Name()] = k
	}
	var keys []*UserKey
	for _, b := range v.Keys {
		k, err := ParseUserKey(b)
		if err != nil {
			t.Fatal(err)
		}
		if pk := public[k.Name()]; pk != nil && pk.Version() == k.Version() {
			if err := k.Verify(pk); err != nil {
				t.Error(err)
			}
		}
		keys = append(keys, k)
	}
	id, err := NewIdentity(keys)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := decrypt(v.File, id)
	got := "header failure"
	switch {
	case err == nil:
		got = "success"
	case errors.Is(err, ErrNotSatisfied):
		got = "not satisfied"
	case errors.Is(err, ErrTampered):
		got = "tampered"
	case errors.Is(err, ErrMalformed):
		got = "malformed"
	}
	if got != v.Expect {
		t.Fatalf("%s (%v), want %s", got, err, v.Expect)
	}
	if err == nil && !bytes.Equal(plain, v.Plain) {
		t.Errorf("plaintext %q, want %q", plain, v.Plain)
	}
	if v.Expect == "success" || v.Expect == "not satisfied" {
		policies, err := HeaderPolicies(bytes.NewReader(v.File))
		if err != nil || len(policies) == 0 || policies[0].Policy != v.Policy {
			t.Errorf("policies %+v, %v; want %s", policies, err, v.Policy)
		}
	}
}

// tailSize is the size of the part of a stanza after its rows.
const tailSize = saltSize + wrappedSize

// fixed is an age.Recipient that returns prepared stanzas.
type fixed struct {
	stanzas []*age.Stanza
}

func (f fixed) Wrap([]byte) ([]*age.Stanza, error) { return f.stanzas, nil }

func writeVectors(t *testing.T) {
	w := newWorld(t, "HospitalA", "HospitalB")
	encode := func(keys []*UserKey) (out [][]byte) {
		for _, k := range keys {
			b, _ := k.MarshalBinary()
			out = append(out, b)
		}
		return
	}
	plain := []byte("what the record says")
	write := func(name, comment, expect, policy string, keys []*UserKey, change func(*age.Stanza)) {
		t.Helper()
		path := filepath.Join("testdata", "vectors", "format2-"+name+".json")
		if _, err := os.Stat(path); err == nil {
			return
		}
		v := &vector{Comment: comment, Expect: expect, Policy: policy, Keys: encode(keys), Plain: plain}
		for _, a := range mustPolicy(t, policy).Attributes() {
			b, _ := w.public(a, 1).MarshalBinary()
			v.Public = append(v.Public, b)
		}
		recipient := w.recipient(policy)
		v.File = encrypt(t, plain, recipient)
		if change != nil {
			_, stanzas := w.stanzas(policy)
			for _, s := range stanzas {
				change(s)
			}
			v.File = encrypt(t, plain, fixed{stanzas})
		}
		b, err := json.MarshalIndent(v, "", "  ")
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err == nil {
			err = os.WriteFile(path, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	doctor := w.issue("HospitalB/doctor", "HospitalB:role=doctor")
	write("one", "one attribute", "success", "HospitalB:role=doctor", doctor, nil)
	write("or", "one of two authorities", "success", "HospitalA:role=doctor or HospitalB:role=doctor", doctor, nil)
	write("and", "both of two authorities", "success", "HospitalA:visitor and HospitalB:role=doctor",
		append(doctor, w.issue("HospitalB/doctor", "HospitalA:visitor")...), nil)
	write("threshold", "2 of 3, with the second and the third", "success", "2 of (HospitalA:a, HospitalA:b, HospitalB:c)",
		w.issue("HospitalB/doctor", "HospitalA:b", "HospitalB:c"), nil)
	write("nested", "all kinds of gates", "success", `HospitalA:ward="ward #3" and (HospitalB:x or 2 of (HospitalA:a, HospitalB:b, HospitalA:c and HospitalA:d))`,
		w.issue("HospitalB/doctor", "HospitalA:ward=ward #3", "HospitalA:a", "HospitalA:c", "HospitalA:d"), nil)
	write("split", "three alternatives in two stanzas", "success", "HospitalA:a and HospitalA:b or HospitalA:a and HospitalA:c or HospitalA:b and HospitalA:c",
		w.issue("HospitalB/doctor", "HospitalA:b", "HospitalA:c"), nil)
	write("number", "a comparison, with a key for the interval 4 to 7", "success", "HospitalA:clearance>=3",
		w.issue("HospitalB/doctor", "HospitalA:clearance=[4..7]"), nil)
	write("unsatisfied", "one of two needed attributes", "not satisfied", "HospitalA:visitor and HospitalB:role=doctor", doctor, nil)
	write("no-keys", "nobody's identity", "not satisfied", "HospitalB:role=doctor", nil, nil)
	write("other-version", "a key of the next version", "not satisfied", "HospitalB:role=doctor", w.issue("HospitalB/doctor", "HospitalB:role=doctor@2"), nil)
	write("flipped-c1", "first byte of C1 changed", "malformed", "HospitalB:role=doctor", doctor, func(s *age.Stanza) { s.Body[len(s.Body)-tailSize-rowSize(suites[0])] ^= 1 })
	write("identity-c1", "C1 is one", "malformed", "HospitalB:role=doctor", doctor, func(s *age.Stanza) {
		copy(s.Body[len(s.Body)-tailSize-rowSize(suites[0]):], fentec.GetGTOne().Marshal())
	})
	write("subgroup-c3", "C3 is on the curve but not in the group", "malformed", "HospitalB:role=doctor", doctor, func(s *age.Stanza) {
		bad := wrongSubgroup(t)
		copy(s.Body[len(s.Body)-tailSize-len(bad):], bad)
	})
	write("salt", "salt changed", "tampered", "HospitalB:role=doctor", doctor, func(s *age.Stanza) { s.Body[len(s.Body)-tailSize] ^= 1 })
	write("as-format1", "said to be of the first format", "malformed", "HospitalB:role=doctor", doctor, func(s *age.Stanza) { s.Body[0] = formatSingle })
	write("unsalted", "said to be of the first format, and without the salt", "tampered", "HospitalB:role=doctor", doctor, func(s *age.Stanza) {
		s.Body[0] = formatSingle
		s.Body = slices.Delete(s.Body, len(s.Body)-tailSize, len(s.Body)-wrappedSize)
	})
	write("other-group", "salt and wrapped key of another group", "tampered", "HospitalB:role=doctor", doctor, func(s *age.Stanza) {
		_, others := w.stanzas("HospitalB:role=doctor")
		copy(s.Body[len(s.Body)-tailSize:], others[0].Body[len(others[0].Body)-tailSize:])
	})
	write("cut", "a byte missing", "malformed", "HospitalB:role=doctor", doctor, func(s *age.Stanza) { s.Body = s.Body[:len(s.Body)-1] })
	write("arguments", "a stanza with an argument", "malformed", "HospitalB:role=doctor", doctor, func(s *age.Stanza) { s.Args = []string{"x"} })
	write("wrapped", "wrapped key changed", "tampered", "HospitalB:role=doctor", doctor, func(s *age.Stanza) { s.Body[len(s.Body)-1] ^= 1 })
	write("unused-row", "a row that is not used changed", "tampered", "HospitalA:role=doctor or HospitalB:role=doctor", doctor, func(s *age.Stanza) {
		at := bytes.Index(s.Body, appendVersion(nil, 1)) + 4
		s.Body[at] ^= 1
	})
	write("relabelled", "policy changed after sealing", "tampered", "HospitalA:role=doctor", w.issue("HospitalB/doctor", "HospitalA:role=nurse_"), func(s *age.Stanza) {
		s.Body = bytes.Replace(s.Body, []byte("=doctor"), []byte("=nurse_"), 1)
	})
	write("moved", "a genuine stanza of another file", "header failure", "HospitalB:role=doctor", doctor, func(*age.Stanza) {})
}
