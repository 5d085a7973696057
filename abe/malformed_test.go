package abe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	fentec "github.com/fentec-project/bn256"

	"github.com/chartseal/chartseal/abe/internal/bn256"
)

// fieldPrime is the prime p of bn256's base field, which bn256 does not export.
var fieldPrime, _ = new(big.Int).SetString("65000549695646603732796438742359905742825358107623003571877145026864184071783", 10)

// badG1, badG2 and badGT return encodings that bn256 or gofe accept or fail on. We must
// refuse them.
func badG1() map[string][]byte {
	good := bn256.Generator1().Marshal()
	off := slices.Clone(good)
	off[63] ^= 1
	return map[string][]byte{
		"identity":      make([]byte, bn256.SizeG1),
		"off the curve": off,
		"not reduced":   append(unreduced(good[:32]), good[32:]...),
		"all ones":      bytes.Repeat([]byte{0xff}, bn256.SizeG1),
	}
}

// unreduced encodes a coordinate x as x+p, which bn256 reads as x.
func unreduced(x []byte) []byte {
	return new(big.Int).Add(new(big.Int).SetBytes(x), fieldPrime).FillBytes(make([]byte, 32))
}

func badG2(t *testing.T) map[string][]byte {
	t.Helper()
	good := bn256.Generator2().Marshal()
	off := slices.Clone(good)
	off[128] ^= 1
	tag := slices.Clone(good)
	tag[0] = 2
	zeros := make([]byte, bn256.SizeG2)
	zeros[0] = 1
	return map[string][]byte{
		"identity":       append([]byte{0}, make([]byte, bn256.SizeG2-1)...),
		"zeros":          zeros,
		"off the curve":  off,
		"unknown tag":    tag,
		"not reduced":    slices.Concat(good[:1], unreduced(good[1:33]), good[33:]),
		"wrong subgroup": wrongSubgroup(t),
		"all ones":       append([]byte{1}, bytes.Repeat([]byte{0xff}, bn256.SizeG2-1)...),
	}
}

// wrongSubgroup finds a point of the twist that is not in G2. The twist has order
// r·(2p-r), so almost every point is one.
func wrongSubgroup(t *testing.T) []byte {
	t.Helper()
	// y² = x³ + b': compute b' from the generator, then try x = 1, 2, 3, ... with bn256's
	// square root.
	g := new(bn256.G2).Set(bn256.Generator2())
	b, x3 := g.P.X, g.P.X
	x3.Square(&g.P.X)
	x3.Mul(&x3, &g.P.X)
	b.Square(&g.P.Y)
	b.Sub(&b, &x3)
	x, one := g.P.X, g.P.X
	one.SetOne()
	x.SetZero()
	for range 100 {
		x.Add(&x, &one)
		x3.Square(&x)
		x3.Mul(&x3, &x)
		x3.Add(&x3, &b)
		y := x3
		if _, err := y.Sqrt(&x3); err != nil {
			continue
		}
		square := y
		square.Square(&y)
		if square != x3 {
			continue
		}
		point := new(bn256.G2).Set(bn256.Generator2())
		point.P.X, point.P.Y = x, y
		encoded := point.Marshal()
		if _, err := new(bn256.G2).Unmarshal(encoded); err != nil {
			t.Fatalf("bn256 refuses the point: %v", err)
		}
		return encoded
	}
	t.Fatal("no point found")
	return nil
}

func badGT() map[string][]byte {
	junk := bytes.Repeat([]byte{1}, bn256.SizeGT)
	good := bn256.GeneratorT().Marshal()
	// In the cyclotomic subgroup but not of order r: e^((p⁶-1)(p²+1)) for a random e.
	e := new(bn256.GT)
	if _, err := e.Unmarshal(junk); err != nil {
		panic(err)
	}
	cyclotomic := new(bn256.GT).Set(e)
	cyclotomic.P.Conjugate(e.P)
	inverse := new(bn256.GT).Set(e)
	inverse.P.Invert(e.P)
	cyclotomic.Add(cyclotomic, inverse)
	image := new(bn256.GT).Set(cyclotomic)
	image.P.FrobeniusP2(cyclotomic.P)
	cyclotomic.Add(cyclotomic, image)
	return map[string][]byte{
		"one":                fentec.GetGTOne().Marshal(),
		"zero":               make([]byte, bn256.SizeGT),
		"junk":               junk,
		"cyclotomic":         cyclotomic.Marshal(),
		"output of a Miller": fentec.Miller(bn256.Generator1(), bn256.Generator2()).Marshal(),
		"not reduced":        append(unreduced(good[:32]), good[32:]...),
		"all ones":           bytes.Repeat([]byte{0xff}, bn256.SizeGT),
	}
}

// TestMalformedPoints puts each bad element into each place of an element.
func TestMalformedPoints(t *testing.T) {
	w := newWorld(t, "A")
	public, _ := w.public("A:x", 1).MarshalBinary()
	user, _ := w.issue("H/d", "A:x")[0].MarshalBinary()
	_, stanzas := w.stanzas("A:x")
	s, err := parseStanza(stanzas[0])
	if err != nil {
		t.Fatal(err)
	}
	replace := func(b []byte, at int, with []byte) []byte {
		out := slices.Clone(b)
		copy(out[at:], with)
		return out
	}
	id := w.identity(w.issue("H/d", "A:x"))
	unwrap := func(at int, with []byte) error {
		rowAt := bytes.Index(stanzas[0].Body, s.rows[0])
		_, err := id.Unwrap([]*age.Stanza{{Type: ourType(), Body: replace(stanzas[0].Body, rowAt+at, with)}})
		return err
	}
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for name, bad := range badG1() {
		_, err := ParseUserKey(replace(user, len(user)-bn256.SizeG1, bad))
		check("user key, K "+name, err)
	}
	for name, bad := range badG2(t) {
		_, err := ParsePublicKey(replace(public, len(public)-bn256.SizeG2, bad))
		check("public key, g2^y "+name, err)
		check("stanza, C2 "+name, unwrap(bn256.SizeGT, bad))
		check("stanza, C3 "+name, unwrap(bn256.SizeGT+bn256.SizeG2, bad))
	}
	for name, bad := range badGT() {
		_, err := ParsePublicKey(replace(public, len(public)-bn256.SizeG2-bn256.SizeGT, bad))
		check("public key, e(g1,g2)^alpha "+name, err)
		check("stanza, C1 "+name, unwrap(0, bad))
	}
}

// TestKeyEncodings checks round trips, every cut and every flipped byte. The decoder
// refuses a changed encoding or returns another valid key, for example with other letters
// in its name. It never panics.
func TestKeyEncodings(t *testing.T) {
	w := newWorld(t, "A")
	pk, uk := w.public("A:x", 1), w.issue("H/d", "A:x")[0]
	public, _ := pk.MarshalBinary()
	user, _ := uk.MarshalBinary()
	parsed, err := ParsePublicKey(public)
	if err != nil || !parsed.Equal(pk) || parsed.Attribute() != pk.Attribute() {
		t.Fatalf("public key: %v", err)
	}
	back, err := ParseUserKey(user)
	if err != nil || back.GID() != "H/d" || back.Attribute() != uk.Attribute() || back.Verify(pk) != nil {
		t.Fatalf("user key: %v", err)
	}
	type encoding interface {
		MarshalBinary() ([]byte, error)
		UnmarshalBinary([]byte) error
	}
	for name, k := range map[string]encoding{"public": new(PublicKey), "user": new(UserKey)} {
		parse := k.UnmarshalBinary
		good := map[string][]byte{"public": public, "user": user}[name]
		if err := parse(good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range good {
			if err := parse(good[:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s key cut to %d: %v", name, n, err)
			}
			changed := slices.Clone(good)
			changed[n] ^= 0x80
			if err := parse(changed); err == nil {
				if again, _ := k.MarshalBinary(); !bytes.Equal(again, changed) {
					t.Fatalf("%s key with byte %d flipped is read as another", name, n)
				}
			} else if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s key with byte %d flipped: %v", name, n, err)
			}
		}
		if err := parse(append(slices.Clone(good), 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s key with a byte more: %v", name, err)
		}
	}
	at := len(magic(suites[0], kindUserKey))
	for name, bad := range map[string][]byte{
		"version 0":      bytes.Replace(user, appendVersion(appendText(nil, "A:x"), 1), appendVersion(appendText(nil, "A:x"), 0), 1),
		"version 2^31":   bytes.Replace(user, appendVersion(appendText(nil, "A:x"), 1), binary.BigEndian.AppendUint32(appendText(nil, "A:x"), 1<<31), 1),
		"GID no slash":   bytes.Replace(user, []byte("H/d"), []byte("H.d"), 1),
		"GID not UTF-8":  bytes.Replace(user, []byte("H/d"), []byte("H/\xff"), 1),
		"GID invisible":  slices.Concat(user[:at], appendText(nil, "H/d\u200b"), user[at+5:]),
		"GID newline":    bytes.Replace(user, []byte("H/d"), []byte("H/\n"), 1),
		"GID too long":   slices.Concat(user[:at], appendText(nil, "H/"+strings.Repeat("d", maxGID)), user[at+5:]),
		"name too long":  slices.Concat(user[:at+5], appendText(nil, "A:"+strings.Repeat("x", 200)), user[at+10:]),
		"name not valid": bytes.Replace(user, []byte("A:x"), []byte("A x"), 1),
		"a public key":   public,
	} {
		if _, err := ParseUserKey(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSecretsStayOutOfTexts prints keys in every way that a log might print them.
func TestSecretsStayOutOfTexts(t *testing.T) {
	w := newWorld(t, "A")
	uk := w.issue("H/d", "A:x")[0]
	m := w.masters["A"]
	if uk.String() != "user key of H/d for A:x version 1" || uk.GoString() != uk.String() {
		t.Error(uk.String())
	}
	if m.String() != "master key of A" || m.GoString() != m.String() {
		t.Error(m.String())
	}
	m.Destroy()
	if m.secret != [masterSize]byte{} {
		t.Error("not destroyed")
	}
}

func TestStanzaPolicy(t *testing.T) {
	w := newWorld(t, "A", "B")
	_, stanzas := w.stanzas("A:x and B:y or A:x and B:z or B:y and B:z")
	for i, want := range []string{"A:x and (B:y or B:z)", "B:y and B:z"} {
		p, err := StanzaPolicy(stanzas[i])
		if err != nil || p.Policy != "A:x and B:y or A:x and B:z or B:y and B:z" || p.Span != want || p.Keys[0].Version != 1 {
			t.Errorf("stanza %d: %+v, %v", i, p, err)
		}
	}
	if _, err := StanzaPolicy(&age.Stanza{Type: "X25519"}); !errors.Is(err, ErrMalformed) {
		t.Errorf("another type: %v", err)
	}
	// Texts that do not match their labels.
	rest := stanzas[0].Body[1+2+len("A:x and B:y or A:x and B:z or B:y and B:z")+2+len("A:x and (B:y or B:z)"):]
	for name, texts := range map[string][2]string{
		"twice":              {"A:x", "A:x"},
		"policy not parsed":  {"A:x and", "A:x"},
		"policy not canon":   {"(A:x)", "A:x"},
		"program not parsed": {"A:x", "(("},
		"program not canon":  {"A:x or A:y", "A:x  or A:y"},
		"program reuses":     {"A:x", "A:x or A:x"},
		"alone not canon":    {"A:x and (B:y)", ""},
	} {
		body := appendText(appendText([]byte{formatSalted}, texts[0]), texts[1])
		if _, err := StanzaPolicy(&age.Stanza{Type: ourType(), Body: append(body, rest...)}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
