package abe

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/fentec-project/gofe/abe"

	"github.com/chartseal/chartseal/abe/internal/bn256"
	"github.com/chartseal/chartseal/abe/policy"
)

// Each of these tests shows a defect of gofe or bn256 at the pinned version, and that
// this package does not have it. If gofe fixes a defect, the first half of its test fails
// and tells us.

// panics runs f and reports whether it panicked.
func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return
}

func TestDefectOperatorsInsideNames(t *testing.T) {
	msp, err := abe.BooleanToMSP("LABORATORY", false)
	if err == nil && len(msp.RowToAttrib) == 1 && msp.RowToAttrib[0] == "LABORATORY" {
		t.Error("gofe no longer finds OR inside LABORATORY")
	}
	if !panics(func() { _, _ = abe.BooleanToMSP("ORTHO", false) }) {
		t.Error("gofe no longer panics on ORTHO")
	}
	for _, name := range []string{"A:DOCTOR", "A:LABORATORY", "A:ORTHO", "AND:x", "A:role=BRAND", `A:role="x OR y"`} {
		p, err := policy.Parse(name)
		if err != nil || len(p.Attributes()) != 1 {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func TestDefectPrecedence(t *testing.T) {
	msp, err := abe.BooleanToMSP("a AND b OR c", false)
	if err != nil {
		t.Fatal(err)
	}
	// c alone should satisfy the policy. With gofe it does not, because its row is not
	// (1, 0, ...).
	if c := msp.Mat[2]; c[0].Cmp(big.NewInt(1)) == 0 && c[1].Sign() == 0 {
		t.Error("gofe now reads a AND b OR c as (a AND b) OR c")
	}
	w := newWorld(t, "A", "B", "C")
	if _, err := decrypt(w.seal("A:a and B:b or C:c", nil), w.identity(w.issue("H/d", "C:c"))); err != nil {
		t.Errorf("c alone: %v", err)
	}
}

// TestDefectUnauthenticated: gofe uses AES-CBC without a MAC. A flipped bit or a wrong
// key then gives garbage with a nil error.
func TestDefectUnauthenticated(t *testing.T) {
	w := newWorld(t, "A")
	maabe := abe.NewMAABE()
	span, err := policy.ParseSpan("A:x", order())
	if err != nil {
		t.Fatal(err)
	}
	keys := w.issue("H/d", "A:x")
	seal := func() *abe.MAABECipher {
		ct, err := maabe.Encrypt(strings.Repeat("m", 32), gofeSpan(span), []*abe.MAABEPubKey{gofePublic([]*PublicKey{w.public("A:x", 1)})})
		if err != nil {
			t.Fatal(err)
		}
		return ct
	}
	flipped := seal()
	flipped.SymEnc[0] ^= 1
	if got, err := maabe.Decrypt(flipped, gofeUser(keys)); err != nil || got == strings.Repeat("m", 32) {
		t.Errorf("gofe notices a flipped bit: %v", err)
	}
	short := seal()
	short.SymEnc = nil
	if !panics(func() { _, _ = maabe.Decrypt(short, gofeUser(keys)) }) {
		t.Error("gofe no longer panics on truncated input")
	}
	garbage := 0
	for i := range 64 { // another user's key, relabelled: the padding looks right in about one of a few
		stolen := w.issue(fmt.Sprintf("H/other%d", i), "A:x")[0]
		stolen = &UserKey{suite: stolen.suite, gid: "H/d", attribute: stolen.attribute, version: 1, k: stolen.k}
		ct := seal()
		if !panics(func() {
			if got, err := maabe.Decrypt(ct, gofeUser([]*UserKey{stolen})); err == nil && got != strings.Repeat("m", 32) {
				garbage++
			}
		}) && garbage > 0 {
			break
		}
	}
	if garbage == 0 {
		t.Error("gofe no longer returns garbage for a wrong key")
	}
	// Ours is tested by TestFlippedBytes, TestTruncation and TestRelabelledKeys.
}

// TestDefectFirstKeyWins: gofe encrypts to the first public key with the attribute's
// name, whichever authority made it.
func TestDefectFirstKeyWins(t *testing.T) {
	w := newWorld(t, "A", "R")
	span, _ := policy.ParseSpan("A:x", order())
	rogue := &MasterKey{authority: "A", secret: w.masters["R"].secret}
	theirs, err := rogue.PublicKey("A:x", 1)
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := rogue.Issue("H/rogue", "A:x", 1)
	if err != nil {
		t.Fatal(err)
	}
	maabe := abe.NewMAABE()
	ct, err := maabe.Encrypt("m", gofeSpan(span), []*abe.MAABEPubKey{gofePublic([]*PublicKey{theirs}), gofePublic([]*PublicKey{w.public("A:x", 1)})})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := maabe.Decrypt(ct, gofeUser([]*UserKey{stolen})); err != nil || got != "m" {
		t.Errorf("gofe no longer takes the first key: %v", err)
	}
	if _, err := KeyRing(theirs, w.public("A:x", 1)); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("two keys for one name: %v", err)
	}
}

func TestDefectPointChecks(t *testing.T) {
	if _, err := new(bn256.GT).Unmarshal(badGT()["junk"]); err != nil {
		t.Error("bn256 now checks GT")
	}
	if _, err := new(bn256.G2).Unmarshal(wrongSubgroup(t)); err != nil {
		t.Error("bn256 now checks the subgroup of G2")
	}
	if _, err := new(bn256.G1).Unmarshal(badG1()["not reduced"]); err != nil {
		t.Error("bn256 now refuses coordinates that are not reduced")
	}
	// Ours is tested by TestMalformedPoints.
}

func TestDefectUsedReceiver(t *testing.T) {
	used := new(bn256.G2).ScalarBaseMult(big.NewInt(7))
	if _, err := used.Unmarshal(bn256.Generator2().Marshal()); err == nil && bytes.Equal(used.Marshal(), bn256.Generator2().Marshal()) {
		t.Error("bn256 now unmarshals into a used receiver")
	}
	w := newWorld(t, "A")
	encoded, _ := w.public("A:y", 1).MarshalBinary()
	k := *w.public("A:x", 1)
	if err := k.UnmarshalBinary(encoded); err != nil || !k.Equal(w.public("A:y", 1)) {
		t.Errorf("unmarshal into a used key: %v", err)
	}
}

// TestDefectSpacesInNames: FAME hashes the attribute "0 0" like a matrix row. We do not
// use FAME and hash no attributes. Names have no spaces outside quoted values.
func TestDefectSpacesInNames(t *testing.T) {
	for _, name := range []string{"0 0", "A:0 0", "A 0:x"} {
		if _, err := policy.ParseAttribute(name); !errors.Is(err, policy.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestRowsGrowLinearly: FAME's cost is quadratic in the size of the policy. Here each row
// adds the same number of bytes.
func TestRowsGrowLinearly(t *testing.T) {
	w := newWorld(t, "A")
	var sizes []int
	for n := 1; n <= 4; n++ {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf("A:x%d", i))
		}
		_, stanzas := w.stanzas(strings.Join(parts, " and "))
		sizes = append(sizes, len(stanzas[0].Body))
	}
	steps := []int{sizes[1] - sizes[0], sizes[2] - sizes[1], sizes[3] - sizes[2]}
	if slices.Max(steps) != slices.Min(steps) || steps[0] > 700 {
		t.Errorf("sizes %v", sizes)
	}
	// A policy of two hundred rows that needs one opens as fast as one row, because the
	// other rows are not decoded.
	var parts []string
	for i := range 200 {
		parts = append(parts, fmt.Sprintf("A:x%d", i))
	}
	_, stanzas := w.stanzas(strings.Join(parts, " or "))
	if _, err := w.identity(w.issue("H/d", "A:x199")).Unwrap([]*age.Stanza{stanzas[0]}); err != nil {
		t.Error(err)
	}
}
