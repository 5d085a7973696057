package abe

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/policy"
)

func TestSmoke(t *testing.T) {
	a, _ := NewMasterKey("A", rand.Reader)
	b, _ := NewMasterKey("B", rand.Reader)
	masters := map[string]*MasterKey{"A": a, "B": b}
	p, err := policy.Parse("A:x and (B:y or 2 of (A:p, A:q, B:r)) or A:x and B:z")
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRecipient(p, func(n string) (*PublicKey, error) {
		at, _ := policy.ParseAttribute(n)
		pk, err := masters[at.Authority].PublicKey(n, 1)
		if err != nil {
			return nil, err
		}
		bs, _ := pk.MarshalBinary()
		return ParsePublicKey(bs)
	})
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w, err := age.Encrypt(&buf, r)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("hello"))
	w.Close()
	keys := func(names ...string) (out []*UserKey) {
		for _, n := range names {
			at, _ := policy.ParseAttribute(n)
			k, err := masters[at.Authority].Issue("A/doctor", n, 1)
			if err != nil {
				t.Fatal(err)
			}
			pk, _ := masters[at.Authority].PublicKey(n, 1)
			if err := k.Verify(pk); err != nil {
				t.Fatal(err)
			}
			out = append(out, k)
		}
		return
	}
	id, _ := NewIdentity(keys("A:x", "A:p", "B:r"))
	rd, err := age.Decrypt(bytes.NewReader(buf.Bytes()), id)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(rd)
	if string(got) != "hello" {
		t.Fatal(got)
	}
	id, _ = NewIdentity(keys("A:x", "A:p"), SkipPolicyCheck)
	_, err = age.Decrypt(bytes.NewReader(buf.Bytes()), id)
	if !errors.Is(err, ErrNotSatisfied) {
		t.Fatal(err)
	}
	t.Log(err)
}
