package abe

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	agetest "c2sp.org/CCTV/age"
	"filippo.io/age"
	"filippo.io/age/armor"
)

// TestPublicAgeVectors runs the age community's test vectors with one of our identities
// beside the one that each vector names. Ours must open nothing and change no result.
func TestPublicAgeVectors(t *testing.T) {
	w := newWorld(t, "A")
	ours := w.identity(w.issue("H/d", "A:x"))
	files, err := fs.ReadDir(agetest.Vectors, ".")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			b, err := fs.ReadFile(agetest.Vectors, file.Name())
			if err != nil {
				t.Fatal(err)
			}
			v := parseAgeVector(t, b)
			got, plain := openAgeVector(v, append(v.identities, ours)...)
			if got != v.expect {
				t.Errorf("%s, want %s", got, v.expect)
			}
			if sum := sha256.Sum256(plain); v.payload != "" && hex.EncodeToString(sum[:]) != v.payload {
				t.Error("another payload")
			}
			if alone, _ := openAgeVector(v, ours); alone == "success" {
				t.Error("our identity alone opens it")
			}
			if v.expect == "success" && !v.armored {
				if policies, err := HeaderPolicies(bytes.NewReader(v.file)); err != nil || len(policies) > 0 {
					t.Errorf("policies %v, %v", policies, err)
				}
			}
		})
	}
}

type ageVector struct {
	expect, payload string
	identities      []age.Identity
	armored         bool
	file            []byte
}

// openAgeVector returns "success" or the kind of failure. Only age's error texts
// distinguish header, HMAC and armor failures, so they count as one kind.
func openAgeVector(v *ageVector, with ...age.Identity) (string, []byte) {
	var in io.Reader = bytes.NewReader(v.file)
	if v.armored {
		in = armor.NewReader(in)
	}
	r, err := age.Decrypt(in, with...)
	if err != nil {
		if strings.Contains(err.Error(), "no identity matched") || strings.Contains(err.Error(), "did not match") {
			return "no match", nil
		}
		return "failure", nil
	}
	plain, err := io.ReadAll(r)
	var bad *armor.Error
	if errors.As(err, &bad) {
		return "failure", plain
	}
	if err != nil {
		return "payload failure", plain
	}
	return "success", plain
}

func parseAgeVector(t *testing.T, b []byte) *ageVector {
	v := &ageVector{}
	compressed := false
	for {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			t.Fatal("no payload")
		}
		b = rest
		if len(line) == 0 {
			break
		}
		key, value, _ := strings.Cut(string(line), ": ")
		var err error
		var id age.Identity
		switch key {
		case "expect":
			v.expect = value
			if value == "header failure" || value == "HMAC failure" || value == "armor failure" {
				v.expect = "failure"
			}
		case "payload":
			v.payload = value
		case "identity":
			if id, err = age.ParseX25519Identity(value); err != nil {
				id, err = age.ParseHybridIdentity(value)
			}
		case "passphrase":
			id, err = age.NewScryptIdentity(value)
		case "armored":
			v.armored = true
		case "compressed":
			compressed = true
		}
		if err != nil {
			t.Fatal(err)
		}
		if id != nil {
			v.identities = append(v.identities, id)
		}
	}
	v.file = b
	if compressed {
		r, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if v.file, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return v
}
