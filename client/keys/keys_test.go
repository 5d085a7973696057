package keys

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/trust"
)

const (
	hospital = "HospitalA"
	doctor   = "HospitalA:role=doctor"
)

func newMaster(t *testing.T) *abe.MasterKey {
	t.Helper()
	m, err := abe.NewMasterKey(hospital, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func rules(t *testing.T) *authority.Mapping {
	t.Helper()
	m, err := authority.NewMapping(hospital, authority.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// trusting is what a person believes who has seen nothing yet.
func trusting(p *clienttest.Person) *trust.Directory {
	return &trust.Directory{Ledger: p, Memory: trust.NewMemory()}
}

func signing(p *clienttest.Person) Signing { return Signing{p.Signer(), trusting(p)} }

func TestPublish(t *testing.T) {
	ctx, world, master := t.Context(), &clienttest.World{}, newMaster(t)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	names := rules(t).Attributes()
	published, err := Publish(ctx, l, signing(l), master, names)
	if err != nil || !slices.Equal(published, names) {
		t.Fatalf("published %v, %v; want %v", published, err, names)
	}
	published, err = Publish(ctx, l, signing(l), master, append(names, hospital+":senior"))
	if err != nil || !slices.Equal(published, []string{hospital + ":senior"}) {
		t.Fatalf("published again %v, %v", published, err)
	}

	// Another master key must not pass for this one, and adds nothing before that is
	// found out.
	_, err = Publish(ctx, l, signing(l), newMaster(t), append(names, hospital+":junior"))
	if !errors.Is(err, client.ErrTampered) {
		t.Fatalf("published under another master key: %v", err)
	}
	versions, err := Versions(l)(ctx, []string{hospital + ":junior", doctor})
	if err != nil || versions[hospital+":junior"] != 0 || versions[doctor] != 1 {
		t.Errorf("versions %v, %v", versions, err)
	}
	b := world.As("HospitalB", "authority", ledger.RoleAuthority)
	if _, err := Publish(ctx, b, signing(b), master, []string{hospital + ":x"}); !errors.Is(err, client.ErrDenied) {
		t.Errorf("published as another hospital: %v", err)
	}
}

func TestAnnounce(t *testing.T) {
	ctx, world := t.Context(), &clienttest.World{}
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	for _, c := range []struct {
		a       ledger.Announcement
		changed bool
		want    ledger.Announcement
	}{
		{ledger.Announcement{URL: "https://a:1", Custodian: "age1x"}, true, ledger.Announcement{URL: "https://a:1", Custodian: "age1x"}},
		{ledger.Announcement{URL: "https://a:1", Custodian: "age1x"}, false, ledger.Announcement{URL: "https://a:1", Custodian: "age1x"}},
		{ledger.Announcement{URL: "https://a:2"}, true, ledger.Announcement{URL: "https://a:2", Custodian: "age1x"}},
		{ledger.Announcement{URL: "https://a:2"}, false, ledger.Announcement{URL: "https://a:2", Custodian: "age1x"}},
	} {
		changed, err := Announce(ctx, l, signing(l), c.a)
		if err != nil || changed != c.changed {
			t.Fatalf("Announce(%+v) = %v, %v", c.a, changed, err)
		}
		all, err := l.Authorities(ctx)
		if err != nil || len(all) != 1 || all[0].URL != c.want.URL || all[0].Custodian != c.want.Custodian {
			t.Fatalf("after %+v: %+v, %v", c.a, all, err)
		}
	}
}

// TestFloodedByAnother: another authority has published more than any list can have. The
// own attributes are known all the same: they are published once, rotated and issued.
func TestFloodedByAnother(t *testing.T) {
	ctx, world, master, ca := t.Context(), &clienttest.World{}, newMaster(t), newCA(t)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	names := rules(t).Attributes()
	if _, err := Publish(ctx, l, signing(l), master, names); err != nil {
		t.Fatal(err)
	}
	world.Fail = func(transaction string) error {
		if transaction == ledger.AuthorityAttributes {
			return ledger.Errorf(ledger.ErrUnavailable, "too many for one answer")
		}
		return nil
	}
	if again, err := Publish(ctx, l, signing(l), master, names); err != nil || len(again) > 0 {
		t.Errorf("published %v again, %v", again, err)
	}
	if rotated, err := Rotate(ctx, l, signing(l), master); err != nil || len(rotated) != len(names) {
		t.Errorf("rotated %d of %d, %v", len(rotated), len(names), err)
	}
	issued, err := Issue(ctx, l, ca.members, master, rules(t), ca.person(t, "jones", "doctor").Leaf)
	if err != nil || len(issued.Keys) != 2 {
		t.Errorf("issued %+v, %v", issued, err)
	}
}

// TestRequest goes the whole way: certificate, TLS, rules, keys, pins.
func TestRequest(t *testing.T) {
	ctx, world, master, ca := t.Context(), &clienttest.World{}, newMaster(t), newCA(t)
	l := world.As(hospital, "authority", ledger.RoleAuthority)
	url := serve(t, master, l, ca)
	if _, err := Announce(ctx, l, signing(l), ledger.Announcement{URL: url}); err != nil {
		t.Fatal(err)
	}
	if _, err := Publish(ctx, l, signing(l), master, rules(t).Attributes()); err != nil {
		t.Fatal(err)
	}
	ask := func(id, role string, names ...string) ([]Grant, error) {
		p := world.As(hospital, id, role)
		return Requester{Ledger: p, Trust: trusting(p), Certificate: ca.person(t, id, role), Members: ca.members}.Request(ctx, names...)
	}

	grants, err := ask("jones", "doctor")
	if err != nil || len(grants) != 1 || grants[0].Err != nil || len(grants[0].Keys) != 1 || grants[0].Keys[0].Name() != doctor {
		t.Fatalf("grants %+v, %v", grants, err)
	}
	key := grants[0].Keys[0]
	if err := Check(ctx, l, trusting(l), "HospitalA/jones", []*abe.UserKey{key}); err != nil {
		t.Errorf("Check of an own key: %v", err)
	}
	if err := Check(ctx, l, trusting(l), "HospitalA/smith", []*abe.UserKey{key}); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("Check of somebody else's key: %v", err)
	}
	byHand, err := Issue(ctx, l, ca.members, master, rules(t), ca.person(t, "jones", "doctor").Leaf)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(byHand)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(text)
	if err != nil || len(parsed) != 1 || Check(ctx, l, trusting(l), "HospitalA/jones", parsed) != nil {
		t.Errorf("issued by hand: %v, %v", parsed, err)
	}
	if _, err := Issue(ctx, l, ca.members, master, rules(t), newCA(t).person(t, "jones", "doctor").Leaf); !errors.Is(err, client.ErrDenied) {
		t.Errorf("issued to a certificate of a stranger: %v", err)
	}
	for _, bad := range []string{"", "{}", "null", `{"authority":"HospitalB","keys":` + fmt.Sprintf(`[{"key":%q}]}`, byHand.Keys[0].Key), `{"keys":[{"key":"AAAA"}]}`} {
		if keys, err := Parse([]byte(bad)); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("Parse(%q) = %v, %v", bad, keys, err)
		}
	}
	if _, err := ask("jones", "doctor", "HospitalX"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("an unknown authority: %v", err)
	}
	if grants, err = ask("smith", "gardener"); err != nil || !Nothing(grants[0].Err) || !errors.Is(grants[0].Err, client.ErrDenied) {
		t.Errorf("a role without rules: %+v, %v", grants, err)
	}

	// The ledger is right and the authority wrong, if their keys do not fit.
	other, err := publicKey(newMaster(t), doctor, 1)
	if err != nil {
		t.Fatal(err)
	}
	world.SetKey(l.Signed(other)[0])
	if grants, err = ask("jones", "doctor"); err != nil || !errors.Is(grants[0].Err, client.ErrTampered) || grants[0].Keys != nil {
		t.Errorf("keys that do not fit the pinned ones: %+v, %v", grants, err)
	}
	if err := Check(ctx, l, trusting(l), "HospitalA/jones", []*abe.UserKey{key}); !errors.Is(err, client.ErrTampered) {
		t.Errorf("Check against another pinned key: %v", err)
	}

	// Nobody listens.
	if _, err := Announce(ctx, l, signing(l), ledger.Announcement{URL: "https://127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	if grants, err = ask("jones", "doctor"); err != nil || !errors.Is(grants[0].Err, client.ErrUnavailable) {
		t.Errorf("a stopped authority: %+v, %v", grants, err)
	}
}

func serve(t *testing.T, master *abe.MasterKey, l Catalog, ca *testCA) (url string) {
	t.Helper()
	s, err := authority.NewServer(authority.Config{
		Master: master, Mapping: rules(t), Verifier: authority.NewVerifier(ca.members), Versions: Versions(l),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := s.HTTP("", ca.issue(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}))
	go server.ServeTLS(listener, "", "")
	t.Cleanup(func() { server.Close() })
	return "https://" + listener.Addr().String()
}

// A testCA is the CA of the one hospital, for people and servers.
type testCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *testCA {
	t.Helper()
	ca := &testCA{cert: &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}}
	ca.cert.SubjectKeyId = []byte{1}
	made := ca.issue(t, ca.cert)
	ca.cert, ca.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	return ca
}

func (ca *testCA) members(context.Context) ([]authority.MSP, error) {
	roots := []*x509.Certificate{ca.cert}
	return []authority.MSP{{ID: hospital, Roots: roots, TLSRoots: roots}}, nil
}

func (ca *testCA) person(t *testing.T, id, role string) tls.Certificate {
	t.Helper()
	return ca.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: id}, ExtraExtensions: []pkix.Extension{{
		Id:    asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1},
		Value: fmt.Appendf(nil, `{"attrs":{"hf.EnrollmentID":%q,"role":%q}}`, id, role),
	}}})
}

// issue signs a certificate for a new key; before there is a CA, with that key.
func (ca *testCA) issue(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := ca.key
	if signer == nil {
		signer = key
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
