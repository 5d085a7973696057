package abe

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"testing"

	"filippo.io/age"
	fentec "github.com/fentec-project/bn256"
	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/chartseal/chartseal/abe/internal/bn256"
)

// These tests are attacks by the sealer. No one checks that a ciphertext comes from
// encapsulate.

// offGroup returns a point of the twist outside G2, an element of GF(p¹²) outside GT, and
// its inverse.
func offGroup(t *testing.T) (wrongTwist *bn256.G2, junk, inverse *bn256.GT) {
	t.Helper()
	wrongTwist, err := bn256.DecodeG2(wrongSubgroup(t))
	if err != nil {
		t.Fatal(err)
	}
	if junk, err = bn256.DecodeGT(bytes.Repeat([]byte{1}, bn256.SizeGT)); err != nil {
		t.Fatal(err)
	}
	inverse = new(bn256.GT).Set(junk)
	inverse.P.Invert(junk.P)
	if bn256.InG2(wrongTwist) || bn256.InGT(junk) || bn256.InGT(inverse) {
		t.Fatal("the attack is no attack")
	}
	return
}

// TestOffGroupRowsTellNothing makes rows with C1 and C3 outside their groups. Their
// product and sum are inside, so they pass the checks. The sealer can compute each
// holder's result from public keys alone. So the result reveals nothing about the
// holder's secret keys.
func TestOffGroupRowsTellNothing(t *testing.T) {
	w := newWorld(t, "A", "B")
	twist, junk, inverse := offGroup(t)
	names := []string{"A:x", "B:y"}
	keys := []*PublicKey{w.public("A:x", 1), w.public("B:y", 1)}
	r := []*big.Int{big.NewInt(1234567), big.NewInt(7654321)}
	rows := []row{
		rawRow(junk, new(bn256.G2).ScalarBaseMult(r[0]), new(bn256.G2).Add(bn256.Generator2(), twist)),
		rawRow(inverse, new(bn256.G2).ScalarBaseMult(r[1]), new(bn256.G2).Neg(twist)),
	}
	known := new(bn256.GT).ScalarBaseMult(big.NewInt(99))
	rows[1].c1 = bn256.ElementT{GT: new(bn256.GT).Add(inverse, known)}
	for _, gid := range []string{"H/alice", "H/bob"} {
		h := hash(t, gid)
		user := w.issue(gid, names...)
		var shares []share
		for i := range rows {
			shares = append(shares, share{rows[i], big.NewInt(1), user[i]})
		}
		got, err := decapsulate(suites[0], h, shares)
		if err != nil {
			t.Fatalf("%s: %v", gid, err)
		}
		// known · e(H(GID), g2) / Π (e(g1,g2)^α · e(H(GID), g2^y))^r, since e(K, g2) is
		// public.
		want := new(bn256.GT).Add(known, fentec.Pair(raw1(h), bn256.Generator2()))
		for i, pk := range keys {
			public := new(bn256.GT).Add(rawT(pk.egg), fentec.Pair(raw1(h), raw2(pk.gy)))
			want.Add(want, new(bn256.GT).Neg(new(bn256.GT).ScalarMult(public, r[i])))
		}
		if !bytes.Equal(got.Marshal(), want.Marshal()) {
			t.Errorf("%s: the sealer cannot tell what the holder computes", gid)
		}
		// Each of the two rows alone is refused.
		for i := range rows {
			if _, err := decapsulate(suites[0], h, shares[i:i+1]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: row %d alone: %v", gid, i, err)
			}
		}
	}
}

// TestTwoHoldersTwoFileKeys gives holders of A:x and holders of B:y different secrets.
// Both can open its wrapped key, but to different file keys, because ChaCha20-Poly1305
// does not commit to its key. So a stanza does not determine its file key. The header's
// HMAC does, because its key is the file key. One of the two holders is refused before
// any plaintext.
func TestTwoHoldersTwoFileKeys(t *testing.T) {
	w := newWorld(t, "A", "B")
	const text = "A:x or B:y"
	alice, bob := w.identity(w.issue("H/alice", "A:x")), w.identity(w.issue("H/bob", "B:y"))
	var body []byte
	for body == nil {
		body = twoKeyed(t, w, text)
	}
	forged := &age.Stanza{Type: ourType(), Body: body}
	one, err := alice.Unwrap([]*age.Stanza{forged})
	if err != nil {
		t.Fatal(err)
	}
	two, err := bob.Unwrap([]*age.Stanza{forged})
	if err != nil || bytes.Equal(one, two) {
		t.Fatalf("the attack is no attack: %v", err)
	}
	// The sealer uses alice's file key. Bob gets an error, not another plaintext.
	file := sealWith(t, one, forged, []byte("record"))
	if got, err := decrypt(file, alice); err != nil || string(got) != "record" {
		t.Fatalf("alice: %q, %v", got, err)
	}
	if got, err := decrypt(file, bob); err == nil || got != nil {
		t.Errorf("bob: %q, %v", got, err)
	}
}

// twoKeyed makes the body of a stanza for "A:x or B:y". Its rows have different secrets,
// and its wrapped key opens with both. It returns nil if the drawn randomness has no such
// wrapped key.
func twoKeyed(t *testing.T, w *world, text string) []byte {
	t.Helper()
	one, two := w.target(text), w.target(text)
	header := appendText(appendText([]byte{formatSalted}, text), "")
	header = binary.BigEndian.AppendUint16(header, 2)
	header = one.rows[0].append(appendVersion(header, 1))
	header = two.rows[1].append(appendVersion(header, 1))
	salt := make([]byte, saltSize)
	rand.Read(salt)
	before := slices.Concat(header, salt)
	ciphertext, tag, ok := collide(wrappingKey(t, one.secret, header, salt), wrappingKey(t, two.secret, header, salt), before)
	if !ok {
		return nil
	}
	return slices.Concat(before, ciphertext, tag)
}

// wrappingKey derives the key of FORMAT.md independently of package abe.
func wrappingKey(t *testing.T, secret, header, salt []byte) []byte {
	t.Helper()
	binding := sha256.Sum256(header)
	info := slices.Concat([]byte("chartseal-lw11-bn256/file-key/v2"), salt)
	key, err := hkdf.Key(sha256.New, secret, binding[:], string(info), chacha20poly1305.KeySize)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// collide finds a ciphertext of one block and a tag that are valid under both keys
// (Grubbs, Lu, Ristenpart, eprint 2017/664). The Poly1305 tags are linear in the block,
// so exactly one block makes their difference zero. It is in range for about every second
// pair of keys.
func collide(key1, key2, ad []byte) (ciphertext, tag []byte, ok bool) {
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 130), big.NewInt(5))
	two128 := new(big.Int).Lsh(big.NewInt(1), 128)
	r1, s1 := polyKey(key1)
	r2, s2 := polyKey(key2)
	// fixed is the tag's polynomial in r without the term of the ciphertext's block,
	// which has the factor r².
	fixed := func(r *big.Int) *big.Int {
		sum := new(big.Int)
		for block := range slices.Chunk(append(slices.Clone(ad), make([]byte, -len(ad)&15)...), 16) {
			sum.Add(sum, little(append(slices.Clone(block), 1))).Mul(sum, r).Mod(sum, prime)
		}
		lengths := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(len(ad))), 16)
		sum.Mul(sum, r).Add(sum, little(append(lengths, 1))).Mul(sum, r)
		return sum.Mod(sum, prime)
	}
	f1, f2 := fixed(r1), fixed(r2)
	square := func(r *big.Int) *big.Int { return new(big.Int).Mul(r, r) }
	slope := new(big.Int).Sub(square(r1), square(r2))
	slope.ModInverse(slope.Mod(slope, prime), prime)
	for k := int64(-4); k <= 4; k++ {
		block := new(big.Int).Sub(s2, s1)
		block.Add(block, new(big.Int).Mul(big.NewInt(k), two128))
		block.Sub(block, f1).Add(block, f2).Mul(block, slope).Mod(block, prime)
		if block.BitLen() != 129 { // the encoding of a full block has bit 128 set
			continue
		}
		final := func(r, f, s *big.Int) *big.Int {
			v := new(big.Int).Mul(block, square(r))
			v.Add(v, f).Mod(v, prime).Add(v, s)
			return v.Mod(v, two128)
		}
		if v := final(r1, f1, s1); v.Cmp(final(r2, f2, s2)) == 0 {
			return bytesOf(new(big.Int).Sub(block, two128)), bytesOf(v), true
		}
	}
	return nil, nil, false
}

// polyKey returns the one-time Poly1305 key for the nonce zero (RFC 8439, section 2.6).
func polyKey(key []byte) (r, s *big.Int) {
	c, _ := chacha20.NewUnauthenticatedCipher(key, make([]byte, chacha20.NonceSize))
	block := make([]byte, 32)
	c.XORKeyStream(block, block)
	for _, i := range []int{3, 7, 11, 15} {
		block[i] &= 15
	}
	for _, i := range []int{4, 8, 12} {
		block[i] &= 252
	}
	return little(block[:16]), little(block[16:])
}

func little(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func bytesOf(x *big.Int) []byte {
	b := x.FillBytes(make([]byte, 16))
	slices.Reverse(b)
	return b
}

// sealWith makes an age file (c2sp.org/age) with one stanza, one chunk and a chosen file
// key. age's own functions do not allow this.
func sealWith(t *testing.T, fileKey []byte, s *age.Stanza, plain []byte) []byte {
	t.Helper()
	derive := func(salt []byte, info string) []byte {
		key, err := hkdf.Key(sha256.New, fileKey, salt, info, 32)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	file := []byte("age-encryption.org/v1\n-> " + s.Type + "\n")
	text := base64.RawStdEncoding.EncodeToString(s.Body)
	for ; len(text) >= 64; text = text[64:] {
		file = append(file, text[:64]+"\n"...)
	}
	file = append(file, text+"\n---"...)
	mac := hmac.New(sha256.New, derive(nil, "header"))
	mac.Write(file)
	file = append(file, " "+base64.RawStdEncoding.EncodeToString(mac.Sum(nil))+"\n"...)
	salt := make([]byte, 16)
	file = append(file, salt...)
	payload, err := chacha20poly1305.New(derive(salt, "payload"))
	if err != nil {
		t.Fatal(err)
	}
	last := append(make([]byte, 11), 1)
	return payload.Seal(file, last, plain, nil)
}
