package abe

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
)

// An accepted encoding must be the canonical one. A refusal must be ErrMalformed.

func FuzzParsePublicKey(f *testing.F) {
	b, _ := newWorld(f, "A").public("A:x", 1).MarshalBinary()
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParsePublicKey(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again, _ := k.MarshalBinary(); !bytes.Equal(again, b) {
			t.Fatal("not canonical")
		}
	})
}

func FuzzParseUserKey(f *testing.F) {
	w := newWorld(f, "A")
	b, _ := w.issue("H/d", "A:x")[0].MarshalBinary()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseUserKey(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again, _ := k.MarshalBinary(); !bytes.Equal(again, b) {
			t.Fatal("not canonical")
		}
		if _, err := NewIdentity([]*UserKey{k}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzUnwrap tests malleability: no stanza but the genuine one may give a file key.
func FuzzUnwrap(f *testing.F) {
	w := newWorld(f, "A", "B")
	fileKey, stanzas := w.stanzas("A:x and (B:y or A:z)")
	genuine := stanzas[0].Body
	id := w.identity(w.issue("H/d", "A:x", "B:y"), SkipPolicyCheck)
	f.Add(genuine)
	f.Add(genuine[:100])
	_, other := w.stanzas("A:x")
	f.Add(other[0].Body)
	f.Add(firstFormat(f))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = StanzaPolicy(&age.Stanza{Type: ourType(), Body: body})
		got, err := id.Unwrap([]*age.Stanza{{Type: ourType(), Body: body}})
		switch {
		case bytes.Equal(body, genuine) != (err == nil && bytes.Equal(got, fileKey)):
			// The second seed is genuine too. It has another file key.
			if bytes.Equal(body, other[0].Body) && err == nil {
				return
			}
			t.Fatalf("genuine %v, error %v", bytes.Equal(body, genuine), err)
		case err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTampered) && !errors.Is(err, ErrNotSatisfied):
			t.Fatal(err)
		}
	})
}

// firstFormat returns the body of a stanza of the first format, from a frozen vector.
func firstFormat(f *testing.F) []byte {
	f.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "vectors", "and.json"))
	if err != nil {
		f.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(text, &v); err != nil {
		f.Fatal(err)
	}
	header, err := age.ExtractHeader(bytes.NewReader(v.File))
	if err != nil {
		f.Fatal(err)
	}
	stanzas, err := headerStanzas(header)
	if err != nil || stanzas[0].Body[0] != formatSingle {
		f.Fatalf("no stanza of the first format: %v", err)
	}
	return stanzas[0].Body
}

func FuzzOpenMaster(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := SealMaster(newWorld(f, "A").masters["A"], id.Recipient())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := OpenMaster(b, id); err == nil && m.Authority() != "A" {
			t.Fatal("another authority")
		}
		_, _ = OpenShare(b, id)
	})
}

func FuzzHeaderPolicies(f *testing.F) {
	sealed := newWorld(f, "A").seal("A:x", []byte("record"))
	f.Add(sealed)
	f.Add([]byte("age-encryption.org/v1\n-> X25519 a\nAAAA\n--- AAAA\n"))
	f.Add([]byte("age-encryption.org/v1\n-> chartseal-lw11-toy\nAAAA\n--- AAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := HeaderPolicies(bytes.NewReader(b))
		if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownSuite) {
			t.Fatal(err)
		}
	})
}
