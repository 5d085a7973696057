package authority

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestVerify(t *testing.T) {
	rootA, rootB, stranger := newCA(t, "ca.a", nil), newCA(t, "ca.b", nil), newCA(t, "ca.x", nil)
	intermediate := newCA(t, "ica.a", rootA)
	unknownIntermediate := newCA(t, "ica2.a", rootA)
	namesake := newCA(t, "ca.a", nil) // another CA that calls itself the same
	revoked := rootA.enrol(person{id: "gone"})
	revokedBelow := intermediate.enrol(person{id: "below"})
	sameSerial := namesake.enrol(person{id: "x"})
	a := MSP{ID: "HospitalA", Roots: []*x509.Certificate{rootA.cert}, Intermediates: []*x509.Certificate{intermediate.cert},
		CRLs: []*x509.RevocationList{rootA.revoke(revoked.Leaf), intermediate.revoke(revokedBelow.Leaf), namesake.revoke(sameSerial.Leaf)}}
	b := MSP{ID: "HospitalB", Roots: []*x509.Certificate{rootB.cert}}
	v := NewVerifier(static(a, b, MSP{ID: "Empty"}))
	now := time.Now()

	for name, test := range map[string]struct {
		cert tls.Certificate
		gid  string // of a success
		code string // of a refusal
	}{
		"own":                    {rootA.enrol(person{id: "doctor", attributes: map[string]string{"role": "doctor"}}), "HospitalA/doctor", ""},
		"other member":           {rootB.enrol(person{id: "doctor"}), "HospitalB/doctor", ""},
		"through intermediate":   {intermediate.enrol(person{id: "doctor"}), "HospitalA/doctor", ""},
		"no unit at all":         {rootA.enrol(person{id: "doctor", ou: []string{}}), "HospitalA/doctor", ""},
		"odd but usable id":      {rootA.enrol(person{id: "o'neil, jr/2"}), "HospitalA/o'neil, jr/2", ""},
		"critical extension":     {rootA.enrol(person{id: "doctor", critical: true}), "HospitalA/doctor", ""},
		"stranger":               {stranger.enrol(person{id: "doctor"}), "", CodeUnknownMember},
		"namesake CA":            {namesake.enrol(person{id: "doctor"}), "", CodeUnknownMember},
		"unknown intermediate":   {unknownIntermediate.enrol(person{id: "doctor"}), "", CodeUnknownMember},
		"revoked":                {revoked, "", CodeRevoked},
		"revoked below":          {revokedBelow, "", CodeRevoked},
		"expired":                {rootA.enrol(person{id: "doctor", from: now.Add(-2 * time.Hour), to: now.Add(-time.Hour)}), "", CodeExpired},
		"not yet valid":          {rootA.enrol(person{id: "doctor", from: now.Add(time.Hour), to: now.Add(2 * time.Hour)}), "", CodeExpired},
		"affiliation":            {rootA.enrol(person{id: "doctor", ou: []string{"Client", "oncology"}}), "HospitalA/doctor", ""},
		"no known unit":          {rootA.enrol(person{id: "doctor", ou: []string{"oncology"}}), "", CodeNotClient},
		"peer":                   {rootA.enrol(person{id: "peer0", ou: []string{"peer"}}), "", CodeNotClient},
		"orderer":                {rootA.enrol(person{id: "orderer0", ou: []string{"Orderer"}}), "", CodeNotClient},
		"administrator":          {rootA.enrol(person{id: "admin", ou: []string{"client", "admin"}}), "", CodeNotClient},
		"a CA":                   {rootA.enrol(person{id: "doctor", isCA: true}), "", CodeNotClient},
		"the root itself":        {tls.Certificate{Leaf: rootA.cert}, "", CodeNotClient},
		"no attributes":          {rootA.enrol(person{id: "doctor", none: true}), "", CodeMalformed},
		"attributes twice":       {rootA.enrol(person{id: "doctor", twice: true}), "", CodeMalformed},
		"attributes not JSON":    {rootA.enrol(person{id: "doctor", extension: []byte("{")}), "", CodeMalformed},
		"attributes wrong types": {rootA.enrol(person{id: "doctor", extension: []byte(`{"attrs":{"role":1}}`)}), "", CodeMalformed},
		"attributes too long":    {rootA.enrol(person{id: "doctor", attributes: map[string]string{"x": strings.Repeat("x", maxExtension)}}), "", CodeMalformed},
		"id differs":             {rootA.enrol(person{id: "nurse", attributes: map[string]string{enrollmentIDAttribute: "doctor"}}), "", CodeMalformed},
		"id empty":               {rootA.enrol(person{id: ""}), "", CodeMalformed},
		"id with newline":        {rootA.enrol(person{id: "a\nb"}), "", CodeMalformed},
		"id with zero width":     {rootA.enrol(person{id: "doctor\u200b"}), "", CodeMalformed},
		"id too long":            {rootA.enrol(person{id: strings.Repeat("x", maxEnrollmentID+1)}), "", CodeMalformed},
	} {
		holder, err := v.Verify(context.Background(), test.cert.Leaf)
		if test.code == "" {
			if err != nil || holder.GID() != test.gid || holder.Serial == "" || holder.NotAfter.IsZero() {
				t.Errorf("%s: %+v, %v", name, holder, err)
			}
			continue
		}
		var refusal *DeniedError
		if !errors.As(err, &refusal) || !errors.Is(err, ErrDenied) || refusal.Code != test.code || holder != nil {
			t.Errorf("%s: %v, want code %s", name, err, test.code)
		}
	}

	// A root that two members claim makes the member ambiguous; members that cannot be
	// had make everything unavailable.
	both := NewVerifier(static(a, MSP{ID: "HospitalX", Roots: a.Roots}))
	if _, err := both.Verify(context.Background(), rootA.enrol(person{id: "doctor"}).Leaf); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "HospitalX") {
		t.Errorf("claimed by two: %v", err)
	}
	down := NewVerifier(func(context.Context) ([]MSP, error) { return nil, errors.New("peer is down") })
	if _, err := down.Verify(context.Background(), rootA.enrol(person{id: "doctor"}).Leaf); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDenied) {
		t.Errorf("members not to be had: %v", err)
	}
}

// TestVerifySlash shows why an MSP ID must not have a slash: the GIDs of two people of
// two members would be one.
func TestVerifySlash(t *testing.T) {
	rootA, rootWard := newCA(t, "ca.a", nil), newCA(t, "ca.ward", nil)
	v := NewVerifier(static(MSP{ID: "HospitalA", Roots: []*x509.Certificate{rootA.cert}}, MSP{ID: "HospitalA/ward", Roots: []*x509.Certificate{rootWard.cert}}))
	victim, err := v.Verify(context.Background(), rootA.enrol(person{id: "ward/doctor"}).Leaf)
	if err != nil {
		t.Fatal(err)
	}
	attacker, err := v.Verify(context.Background(), rootWard.enrol(person{id: "doctor"}).Leaf)
	if err == nil && attacker.GID() == victim.GID() {
		t.Errorf("two people have the GID %s", victim.GID())
	}
	var refusal *DeniedError
	if !errors.As(err, &refusal) || refusal.Code != CodeUnknownMember {
		t.Errorf("a member with a slash in its MSP ID: %v", err)
	}
}

// TestVerifySignature changes a certificate after it was signed.
func TestVerifySignature(t *testing.T) {
	root := newCA(t, "ca.a", nil)
	good := root.enrol(person{id: "doctor", attributes: map[string]string{"role": "doctor"}})
	der := append([]byte(nil), good.Leaf.Raw...)
	at := strings.Index(string(der), "doctor")
	copy(der[at:], "dictor")
	forged, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	v := NewVerifier(static(MSP{ID: "A", Roots: []*x509.Certificate{root.cert}}))
	if _, err := v.Verify(context.Background(), forged); !errors.Is(err, ErrDenied) {
		t.Errorf("forged certificate: %v", err)
	}
}

// FuzzReadHolder feeds the attribute extension and the names of a certificate.
func FuzzReadHolder(f *testing.F) {
	f.Add("doctor", "client", []byte(`{"attrs":{"hf.EnrollmentID":"doctor","role":"doctor"}}`))
	f.Add("doctor", "peer", []byte(`{"attrs":{"hf.EnrollmentID":"doctor"}}`))
	f.Add("", "", []byte(`{"attrs":null}`))
	f.Add("a/b", "x", []byte(`{"attrs":{"hf.EnrollmentID":"a/b","role":"[0..65535]"}}`))
	mapping, err := NewMapping("HospitalA", Rules{Rules: []Rule{{Grant: "role={role}", Values: []string{"*"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, cn, ou string, extension []byte) {
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: cn, OrganizationalUnit: []string{ou}},
			Extensions:   []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}}, {Id: attributesOID, Value: extension}},
		}
		h, err := readHolder("HospitalA", cert)
		if err != nil {
			if !errors.Is(err, ErrDenied) {
				t.Fatal(err)
			}
			return
		}
		if h.EnrollmentID != cn || cn == "" {
			t.Fatalf("holder %q from the name %q", h.EnrollmentID, cn)
		}
		for _, name := range mapping.Grant(h, time.Now()) {
			if !mapping.Covers(name) || !strings.HasPrefix(name, "HospitalA:role=") {
				t.Fatalf("granted %q", name)
			}
		}
	})
}
