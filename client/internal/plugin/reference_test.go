package plugin

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age/plugin"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
)

// TestFrozen keeps old recipients and identities readable.
func TestFrozen(t *testing.T) {
	const recipient = "age1chartseal1q9yx7umsd96xzmzp8fex7mr984jx7cm5daezqctwvssxsmmnwp5hgctvvga8smtx9tm"
	_, data, err := plugin.ParseRecipient(recipient)
	must(t, err)
	r, err := parseRecipient(data)
	must(t, err)
	if got := r.policy.String(); got != "HospitalA:role=doctor and hospitalb:x" || r.keys != nil {
		t.Errorf("recipient says %q, %d keys", got, len(r.keys))
	}
	if r.String() != recipient {
		t.Errorf("it is written as %s", r)
	}
	for text, want := range map[string]identityRef{
		"AGE-PLUGIN-CHARTSEAL-1QGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYVWVCKU": {recordKey: bytes.Repeat([]byte{2}, 32)},
		"AGE-PLUGIN-CHARTSEAL-1Q9JX7CM5DAEYQJR0WDCXJARPD3QSESDZNN":                          {user: "doctor@HospitalA"},
	} {
		if got := want.String(); got != text {
			t.Errorf("what %s said is written as %s now", text, got)
		}
		_, data, err := plugin.ParseIdentity(text)
		must(t, err)
		got, err := parseIdentity(data)
		must(t, err)
		if got.user != want.user || !bytes.Equal(got.recordKey, want.recordKey) {
			t.Errorf("%s says %+v", text, got)
		}
	}
}

func TestRecipientWithKeys(t *testing.T) {
	w := newWorld(t)
	p, err := policy.Parse("2 of (HospitalC:role=nurse, HospitalA:role=doctor, HospitalB:role=doctor)")
	must(t, err)
	a, b, c := w.published["HospitalA:role=doctor"], w.published["HospitalB:role=doctor"], w.published["HospitalC:role=nurse"]
	encode := func(keys ...*abe.PublicKey) []byte {
		_, data, err := plugin.ParseRecipient(recipientRef{p, keys}.String())
		must(t, err)
		return data
	}
	good := encode(a, b, c)
	r, err := parseRecipient(good)
	must(t, err)
	if len(r.keys) != 3 || !r.keys[2].Equal(c) || r.String() != plugin.EncodeRecipient(name, good) {
		t.Errorf("%d keys came back", len(r.keys))
	}
	for what, bad := range map[string][]byte{
		"a key is missing":   encode(a, b),
		"a key is doubled":   encode(a, a, b, c),
		"another order":      encode(b, a, c),
		"bytes after it":     append(bytes.Clone(good), 0),
		"cut":                good[:len(good)-1],
		"cut to the policy":  good[:20],
		"policy and no keys": appendBlob([]byte{kindKeys}, []byte(p.String())),
	} {
		if _, err := parseRecipient(bad); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if r, err := parseRecipient(bad); err == nil && plugin.EncodeRecipient(name, bad) != r.String() {
			t.Fatalf("byte %d flipped gives a second encoding of something", i)
		}
	}
}

func TestMalformedReferences(t *testing.T) {
	for _, data := range []string{"", "\x01", "\x01 HospitalA:x", "\x01HospitalA:x  or HospitalA:y", "\x01HospitalA:", "\x02", "\x02\xff\xffx", "\x07HospitalA:x"} {
		if _, err := parseRecipient([]byte(data)); err == nil {
			t.Errorf("recipient %q accepted", data)
		}
	}
	for _, data := range []string{"\x01", "\x01doctor", "\x01../x@HospitalA", "\x01doctor@HospitalA/..", "\x02", "\x02short", "\x03doctor@HospitalA"} {
		if _, err := parseIdentity([]byte(data)); err == nil {
			t.Errorf("identity %q accepted", data)
		}
	}
	secret := "\x02" + strings.Repeat("s", 31)
	if _, err := parseIdentity([]byte(secret)); !errors.Is(err, errEncoding) || strings.Contains(err.Error(), "sss") {
		t.Errorf("a damaged record key gives %v", err)
	}
}

// FuzzReferences looks for data that panics or that is a second encoding of something.
func FuzzReferences(f *testing.F) {
	for _, s := range []string{"", "\x01HospitalA:x and HospitalB:y", "\x01doctor@HospitalA", "\x02" + strings.Repeat("k", 32), "\x02\x00\x0bHospitalA:x\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := parseRecipient(data); err == nil && r.String() != plugin.EncodeRecipient(name, data) {
			t.Errorf("recipient %q has a second encoding", data)
		}
		if i, err := parseIdentity(data); err == nil && i.String() != plugin.EncodeIdentity(name, data) {
			t.Errorf("identity %q has a second encoding", data)
		}
	})
}
