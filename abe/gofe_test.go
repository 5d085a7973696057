package abe

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	fentec "github.com/fentec-project/bn256"
	"github.com/fentec-project/gofe/abe"
	"github.com/fentec-project/gofe/data"

	"github.com/chartseal/chartseal/abe/internal/bn256"
	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

// These tests run the same keys and ciphertexts through both gofe's MAABE and our own
// code.

func raw1(e pairing.G1) *bn256.G1 { return e.(bn256.Element1).G1 }
func raw2(e pairing.G2) *bn256.G2 { return e.(bn256.Element2).G2 }
func rawT(e pairing.GT) *bn256.GT { return e.(bn256.ElementT).GT }

func rawRow(c1 *bn256.GT, c2, c3 *bn256.G2) row {
	return row{bn256.ElementT{GT: c1}, bn256.Element2{G2: c2}, bn256.Element2{G2: c3}}
}

func gofeSpan(s *policy.Span) *abe.MSP {
	msp := &abe.MSP{P: bn256.Order}
	for i, row := range s.Matrix() {
		msp.Mat = append(msp.Mat, data.Vector(row))
		msp.RowToAttrib = append(msp.RowToAttrib, s.Rows()[i].Attribute)
	}
	return msp
}

func gofePublic(keys []*PublicKey) *abe.MAABEPubKey {
	pk := &abe.MAABEPubKey{EggToAlpha: map[string]*bn256.GT{}, GToY: map[string]*bn256.G2{}}
	for _, k := range keys {
		pk.Attribs = append(pk.Attribs, k.Name())
		pk.EggToAlpha[k.Name()], pk.GToY[k.Name()] = rawT(k.egg), raw2(k.gy)
	}
	return pk
}

func gofeUser(keys []*UserKey) []*abe.MAABEKey {
	var out []*abe.MAABEKey
	for _, k := range keys {
		out = append(out, &abe.MAABEKey{Gid: k.gid, Attrib: k.Name(), Key: raw1(k.k)})
	}
	return out
}

// crossCheck holds a policy, its public keys, and the user keys of the reader.
type crossCheck struct {
	span   *policy.Span
	public []*PublicKey
	held   []*UserKey
}

func crossChecks(t *testing.T, n int) []crossCheck {
	w := newWorld(t, "A", "B")
	r := mathrand.New(mathrand.NewPCG(5, 6))
	var out []crossCheck
	for len(out) < n {
		text := randomPolicy(r, 8, 1+r.IntN(2))
		spans, err := mustPolicy(t, text).Spans(order())
		if err != nil {
			continue
		}
		for _, s := range spans {
			c := crossCheck{span: s}
			for _, row := range s.Rows() {
				c.public = append(c.public, w.public(row.Attribute, 1))
				if r.IntN(4) > 0 {
					c.held = append(c.held, w.issue("H/doctor", row.Attribute)[0])
				}
			}
			if _, ok := s.Solve(policy.Holding(names(c.held)...)); ok {
				out = append(out, c)
			}
		}
	}
	return out
}

func names(keys []*UserKey) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Name())
	}
	return out
}

func (c crossCheck) shares(rows []row) []share {
	coefficients, _ := c.span.Solve(policy.Holding(names(c.held)...))
	var out []share
	for _, co := range coefficients {
		for _, k := range c.held {
			if k.Name() == c.span.Rows()[co.Row].Attribute {
				out = append(out, share{rows[co.Row], co.Value, k})
			}
		}
	}
	return out
}

// TestOursOpensWhatGofeSealed recovers e(g1,g2)^s from gofe's ciphertext. The secret must
// turn C0 = key · e(g1,g2)^s into gofe's AES-CBC key. gofe's own symmetric decryption
// proves that it is right.
func TestOursOpensWhatGofeSealed(t *testing.T) {
	maabe := abe.NewMAABE()
	for _, c := range crossChecks(t, 12) {
		ct, err := maabe.Encrypt("a message", gofeSpan(c.span), []*abe.MAABEPubKey{gofePublic(c.public)})
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]row, len(c.public))
		for i, r := range c.span.Rows() {
			encoded := rawRow(ct.C1x[r.Attribute], ct.C2x[r.Attribute], ct.C3x[r.Attribute]).append(nil)
			if rows[i], err = parseRow(suites[0], encoded); err != nil {
				t.Fatalf("gofe's elements do not decode: %v", err)
			}
		}
		secret, err := decapsulate(suites[0], hash(t, "H/doctor"), c.shares(rows))
		if err != nil {
			t.Fatal(err)
		}
		// gofe's symmetric key is C0 / secret. Encrypt it again under a one-row program
		// with λ = s, which gofe can open alone.
		key := new(bn256.GT).Add(ct.C0, new(bn256.GT).Neg(rawT(secret)))
		if got := openGofe(t, key, ct); got != "a message" {
			t.Fatalf("%s: got %q", c.span, got)
		}
	}
}

// openGofe lets gofe decrypt with a known symmetric key. The only row of the ciphertext
// carries the secret one.
func openGofe(t *testing.T, key *bn256.GT, ct *abe.MAABECipher) string {
	t.Helper()
	w := newWorld(t, "Z")
	g2 := new(bn256.G2).ScalarBaseMult(big.NewInt(1))
	pk := w.public("Z:z", 1)
	trivial := &abe.MAABECipher{
		C0:     key,                                       // multiplied by e(g1,g2)^0
		C1x:    map[string]*bn256.GT{"Z:z": rawT(pk.egg)}, // e(g1,g2)^0 · e(g1,g2)^(α·1)
		C2x:    map[string]*bn256.G2{"Z:z": g2},
		C3x:    map[string]*bn256.G2{"Z:z": raw2(pk.gy)},
		Msp:    &abe.MSP{P: bn256.Order, Mat: data.Matrix{data.Vector{big.NewInt(1)}}, RowToAttrib: []string{"Z:z"}},
		SymEnc: ct.SymEnc, Iv: ct.Iv,
	}
	got, err := abe.NewMAABE().Decrypt(trivial, gofeUser(w.issue("H/doctor", "Z:z")))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestGofeOpensWhatOursSealed puts our rows into a ciphertext of gofe.
func TestGofeOpensWhatOursSealed(t *testing.T) {
	maabe := abe.NewMAABE()
	for _, c := range crossChecks(t, 12) {
		rows, secret, err := encapsulate(suites[0], c.span, c.public, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		// A donor ciphertext supplies the symmetric part. Its key is C0 divided by its
		// secret, which we recover.
		w := newWorld(t, "Z")
		zspan, _ := policy.ParseSpan("Z:z", order())
		donor, err := maabe.Encrypt("a message", gofeSpan(zspan), []*abe.MAABEPubKey{gofePublic([]*PublicKey{w.public("Z:z", 1)})})
		if err != nil {
			t.Fatal(err)
		}
		zkeys := w.issue("H/doctor", "Z:z")
		donorSecret, err := decapsulate(suites[0], hash(t, "H/doctor"), []share{{rawRow(donor.C1x["Z:z"], donor.C2x["Z:z"], donor.C3x["Z:z"]), big.NewInt(1), zkeys[0]}})
		if err != nil {
			t.Fatal(err)
		}
		key := new(bn256.GT).Add(donor.C0, new(bn256.GT).Neg(rawT(donorSecret)))

		ct := &abe.MAABECipher{C0: new(bn256.GT).Add(key, rawT(secret)), C1x: map[string]*bn256.GT{}, C2x: map[string]*bn256.G2{}, C3x: map[string]*bn256.G2{},
			Msp: gofeSpan(c.span), SymEnc: donor.SymEnc, Iv: donor.Iv}
		for i, r := range c.span.Rows() {
			ct.C1x[r.Attribute], ct.C2x[r.Attribute], ct.C3x[r.Attribute] = rawT(rows[i].c1), raw2(rows[i].c2), raw2(rows[i].c3)
		}
		// gofe pairs once for every key, so it gets only the keys in use.
		var used []*UserKey
		for _, s := range c.shares(rows) {
			used = append(used, s.key)
		}
		got, err := maabe.Decrypt(ct, gofeUser(used))
		if err != nil || got != "a message" {
			t.Fatalf("%s: %q, %v", c.span, got, err)
		}
	}
}

// TestIssueIsGofesKey checks our derived keys against the equations, and checks that gofe
// opens with them.
func TestIssueIsGofesKey(t *testing.T) {
	w := newWorld(t, "A")
	m := w.masters["A"]
	_, e, err := m.exponents(suites[0], "A:x", 1)
	if err != nil {
		t.Fatal(err)
	}
	alpha, y := new(big.Int).SetBytes(e.Alpha), new(big.Int).SetBytes(e.Y)
	alpha.Mod(alpha, bn256.Order)
	y.Mod(y, bn256.Order)
	h, err := fentec.HashG1("H/doctor")
	if err != nil {
		t.Fatal(err)
	}
	want := new(bn256.G1).Add(new(bn256.G1).ScalarBaseMult(alpha), new(bn256.G1).ScalarMult(h, y))
	if got := w.issue("H/doctor", "A:x")[0]; !bytes.Equal(got.k.Marshal(), want.Marshal()) {
		t.Error("K is not g1^α · H(GID)^y")
	}
	pk := w.public("A:x", 1)
	if !bytes.Equal(pk.egg.Marshal(), new(bn256.GT).ScalarMult(bn256.GeneratorT(), alpha).Marshal()) ||
		!bytes.Equal(pk.gy.Marshal(), new(bn256.G2).ScalarBaseMult(y).Marshal()) {
		t.Error("public key is not e(g1,g2)^α, g2^y")
	}
}

// TestCiphertextSize compares our stanza with gofe's JSON.
func TestCiphertextSize(t *testing.T) {
	w := newWorld(t, "A")
	for _, n := range []int{1, 10, 50} {
		if n == 50 && testing.Short() {
			continue
		}
		var attributes []string
		var public []*PublicKey
		for i := range n {
			a := fmt.Sprintf("A:x%d", i)
			attributes = append(attributes, a)
			public = append(public, w.public(a, 1))
		}
		_, stanzas := w.stanzas(strings.Join(attributes, " and "))
		span, _ := policy.ParseSpan(strings.Join(attributes, " and "), order())
		ct, err := abe.NewMAABE().Encrypt(strings.Repeat("k", 16), gofeSpan(span), []*abe.MAABEPubKey{gofePublic(public)})
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := json.Marshal(ct)
		if err != nil {
			t.Fatal(err)
		}
		if ratio := float64(len(stanzas[0].Body)) / float64(len(theirs)); ratio > 0.5 {
			t.Errorf("%d attributes: %d bytes, gofe's JSON %d: %.2f", n, len(stanzas[0].Body), len(theirs), ratio)
		}
	}
}
