package wallet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// pair is a self-signed certificate and its key.
func pair(t *testing.T, name string, until time.Time) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: until.Add(-time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func credentials(t *testing.T, until time.Time) Credentials {
	var c Credentials
	c.Certificate, c.Key = pair(t, "doctor", until)
	c.TLSCertificate, c.TLSKey = pair(t, "doctor", until)
	return c
}

const profile = `msp: HospitalA
channel: chartseal
chaincode: chartseal
peer: {address: "127.0.0.1:7051", serverName: localhost, tlsRoots: tls/roots.pem}
ipfs: {api: /ip4/127.0.0.1/tcp/5001, token: secret}
ca: {url: "https://127.0.0.1:7054", name: ca, tlsName: tlsca, tlsRoots: tls/roots.pem}
`

// newWallet has a profile and doctor@HospitalA, valid for an hour.
func newWallet(t *testing.T) *Wallet {
	t.Helper()
	dir := t.TempDir()
	roots, _ := pair(t, "root", time.Now().Add(time.Hour))
	write(t, filepath.Join(dir, "tls", "roots.pem"), string(roots), 0o644)
	write(t, filepath.Join(dir, "HospitalA.yaml"), profile, 0o644)
	w, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Save("doctor@HospitalA", credentials(t, time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func user(t *testing.T, w *Wallet) *User {
	t.Helper()
	u, err := w.User("doctor@HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUser(t *testing.T) {
	w := newWallet(t)
	u := user(t, w)
	if u.String() != "doctor@HospitalA" || u.Profile.Peer.Address != "127.0.0.1:7051" || u.Profile.IPFS.Token != "secret" || u.Profile.CA.TLSName != "tlsca" {
		t.Errorf("user %s, profile %+v", u, u.Profile)
	}
	if err := u.Valid(time.Now()); err != nil {
		t.Error(err)
	}
	filepath.Walk(u.Dir(), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	users, err := w.Users()
	if err != nil || !slices.Equal(users, []string{"doctor@HospitalA"}) {
		t.Errorf("users %v, %v", users, err)
	}
}

func TestValid(t *testing.T) {
	u := user(t, newWallet(t))
	for _, c := range []struct {
		at   time.Time
		says string
	}{{time.Now().Add(2 * time.Hour), "expired on"}, {time.Now().Add(-2 * time.Hour), "not valid before"}} {
		err := u.Valid(c.at)
		var expired *ExpiredError
		if !errors.As(err, &expired) || !errors.Is(err, ledger.ErrDenied) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("at %v: %v", c.at, err)
		}
	}
}

// TestEnds: of two certificates the first to end counts, 30 days before, or a third of a
// shorter lifetime.
func TestEnds(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	lasts := func(from, to time.Duration) *x509.Certificate {
		return &x509.Certificate{NotBefore: now.Add(from), NotAfter: now.Add(to)}
	}
	for _, c := range []struct {
		enrolment, tls *x509.Certificate
		soon           bool
	}{
		{lasts(-300*day, 65*day), lasts(-300*day, 65*day), false},
		{lasts(-300*day, 31*day), lasts(-300*day, 65*day), false},
		{lasts(-300*day, 29*day), lasts(-300*day, 65*day), true},
		{lasts(-300*day, 65*day), lasts(-300*day, 29*day), true},
		{lasts(-5*time.Minute, 5*time.Minute), lasts(-300*day, 65*day), false},
		{lasts(-7*time.Minute, 3*time.Minute), lasts(-300*day, 65*day), true},
	} {
		u := &User{Certificate: c.enrolment, TLS: tls.Certificate{Leaf: c.tls}}
		first := c.enrolment.NotAfter
		if c.tls.NotAfter.Before(first) {
			first = c.tls.NotAfter
		}
		if end, soon := u.Ends(now); soon != c.soon || !end.Equal(first) {
			t.Errorf("%v and %v: ends %v, soon %v", c.enrolment.NotAfter.Sub(now), c.tls.NotAfter.Sub(now), end, soon)
		}
	}
}

func TestUserErrors(t *testing.T) {
	other, otherKey := pair(t, "other", time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		user   string
		damage func(t *testing.T, dir string)
		want   error
		says   string
	}{
		"unknown user":   {"nurse@HospitalA", nil, ledger.ErrNotFound, "it has doctor@HospitalA"},
		"unknown org":    {"doctor@HospitalX", nil, ledger.ErrNotFound, "doctor@HospitalX"},
		"no profile":     {"", func(t *testing.T, d string) { os.Remove(filepath.Join(d, "HospitalA.yaml")) }, ledger.ErrNotFound, "no profile of organisation HospitalA"},
		"no at":          {"doctor", nil, ledger.ErrInvalid, "NAME@ORG"},
		"way out":        {"../doctor@HospitalA", nil, ledger.ErrInvalid, "NAME@ORG"},
		"way out by org": {"doctor@../HospitalA", nil, ledger.ErrInvalid, "NAME@ORG"},
		"readable key":   {"", func(t *testing.T, d string) { os.Chmod(filepath.Join(d, "doctor@HospitalA/key.pem"), 0o644) }, ledger.ErrDenied, "chmod 600"},
		"open directory": {"", func(t *testing.T, d string) { os.Chmod(filepath.Join(d, "doctor@HospitalA"), 0o755) }, ledger.ErrDenied, "chmod 700"},
		"no certificate": {"", func(t *testing.T, d string) { os.Remove(filepath.Join(d, "doctor@HospitalA/cert.pem")) }, ledger.ErrNotFound, "not enrolled"},
		"wrong key": {"", func(t *testing.T, d string) {
			write(t, filepath.Join(d, "doctor@HospitalA/key.pem"), string(otherKey), 0o600)
		}, ledger.ErrInvalid, "cert.pem and key.pem: tls: private key does not match"},
		"key of rubbish": {"", func(t *testing.T, d string) { write(t, filepath.Join(d, "doctor@HospitalA/key.pem"), "x", 0o600) }, ledger.ErrInvalid, "cert.pem and key.pem: tls: failed to find any PEM data in key"},
		"wrong TLS pair": {"", func(t *testing.T, d string) {
			write(t, filepath.Join(d, "doctor@HospitalA/tls-cert.pem"), string(other), 0o600)
		}, ledger.ErrInvalid, "tls-cert.pem"},
		"cert of rubbish": {"", func(t *testing.T, d string) { write(t, filepath.Join(d, "doctor@HospitalA/cert.pem"), "x", 0o600) }, ledger.ErrInvalid, "cert.pem and key.pem: tls: failed to find any PEM data in certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWallet(t)
			if c.damage != nil {
				c.damage(t, w.Dir())
			}
			name := c.user
			if name == "" {
				name = "doctor@HospitalA"
			}
			_, err := w.User(name)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("no wallet: %v", err)
	}
}

func TestProfileStrict(t *testing.T) {
	roots, _ := pair(t, "root", time.Now().Add(time.Hour))
	inline := "  tlsRoots: |\n    " + strings.ReplaceAll(strings.TrimSpace(string(roots)), "\n", "\n    ") + "\n"
	for name, c := range map[string]struct{ old, new, says string }{
		"unknown field":   {"channel:", "chanel:", "chanel"},
		"no channel":      {"channel: chartseal\n", "", "no channel"},
		"bad msp":         {"msp: HospitalA", "msp: ../x", "MSP ID"},
		"bad address":     {"127.0.0.1:7051", "127.0.0.1", "peer.address"},
		"no roots":        {"tls/roots.pem}\nipfs", "tls/none.pem}\nipfs", "peer.tlsRoots"},
		"plain http CA":   {"https://", "http://", "https"},
		"bad multiaddr":   {"/ip4/127.0.0.1/tcp/5001", "http://127.0.0.1:5001", "multiaddress"},
		"not YAML":        {"msp:", "\tmsp:", ""},
		"empty":           {profile, "", "channel"},
		"roots as a list": {"tlsRoots: tls/roots.pem}\nipfs", "tlsRoots: [a]}\nipfs", ""},
	} {
		w := newWallet(t)
		path := filepath.Join(w.Dir(), "HospitalA.yaml")
		text := strings.Replace(profile, c.old, c.new, 1)
		if text == profile {
			t.Fatalf("%s: the case changes nothing", name)
		}
		write(t, path, text, 0o644)
		if _, err := w.Profile("HospitalA"); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWallet(t)
	write(t, filepath.Join(w.Dir(), "Regulator.yaml"), "msp: Regulator\nchannel: c\nchaincode: c\npeer:\n  address: localhost:1\n"+inline, 0o644)
	p, err := w.Profile("Regulator")
	if err != nil || p.IPFS != nil || p.CA != nil || p.Peer.ServerName != "localhost" || len(p.Peer.TLSRoots) == 0 {
		t.Errorf("the least profile, with roots in it: %+v, %v", p, err)
	}
}

func TestSaveRefusesMismatch(t *testing.T) {
	w := newWallet(t)
	c := credentials(t, time.Now().Add(time.Hour))
	_, c.Key = pair(t, "x", time.Now())
	if err := w.Save("new@HospitalA", c); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.Dir(), "new@HospitalA")); err == nil {
		t.Error("it left a directory")
	}
}

func TestAttributeKeys(t *testing.T) {
	w := newWallet(t)
	u := user(t, w)
	const gid = "HospitalA/doctor"
	if keys, err := u.Keys(gid); err != nil || len(keys) != 0 {
		t.Errorf("before any: %v, %v", keys, err)
	}
	a := []AttributeKey{{"HospitalA:ward=2", 1, []byte{1}}, {"HospitalA:role=doctor", 3, []byte{2}}}
	b := []AttributeKey{{"HospitalB:guest", 1, []byte{3}}}
	for authority, keys := range map[string][]AttributeKey{"HospitalA": a, "HospitalB": b} {
		if err := u.StoreKeys(authority, gid, keys, nil); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := u.Keys(gid)
	if err != nil || len(keys) != 3 || keys[0].Name != "HospitalA:role=doctor" || keys[0].Version != 3 || keys[2].Key[0] != 3 {
		t.Errorf("keys %v, %v", keys, err)
	}
	if err := u.StoreKeys("HospitalB", gid, nil, nil); err != nil {
		t.Fatal(err)
	}
	if after, err := u.Keys(gid); err != nil || !reflect.DeepEqual(after, keys) {
		t.Errorf("after an empty answer of HospitalB: %v, %v", after, err)
	}
	fewer := []AttributeKey{{"HospitalA:role=doctor", 3, []byte{4}}, {"HospitalA:role=doctor", 4, []byte{5}}}
	if err := u.StoreKeys("HospitalA", gid, fewer, nil); err != nil {
		t.Fatal(err)
	}
	keys, err = u.Keys(gid)
	if err != nil || len(keys) != 4 || keys[0].Key[0] != 4 || keys[1].Version != 4 || keys[2].Name != "HospitalA:ward=2" {
		t.Errorf("after fewer keys of HospitalA, one of them new: %v, %v", keys, err)
	}
	if _, err := u.Keys("HospitalA/other"); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("keys of somebody else: %v", err)
	}
	if err := u.StoreKeys("../x", gid, nil, nil); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a way out: %v", err)
	}
	write(t, filepath.Join(u.Dir(), "keys", "HospitalC.json"), "{}}", 0o600)
	if _, err := u.Keys(gid); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestCustodianKeyIsMadeOnce(t *testing.T) {
	w := newWallet(t)
	u := user(t, w)
	if ids, err := u.Identities(); err != nil || len(ids) != 0 {
		t.Errorf("before: %v, %v", ids, err)
	}
	var wg sync.WaitGroup
	recipients := make([]string, 8)
	made := make([]bool, len(recipients))
	for i := range recipients {
		wg.Go(func() {
			var err error
			if recipients[i], made[i], err = u.CreateCustodian(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	for _, m := range made {
		if m {
			n++
		}
	}
	again, created, err := u.CreateCustodian()
	if err != nil || created || n != 1 || !strings.HasPrefix(again, "age1") || recipients[slices.Index(made, true)] != again {
		t.Errorf("made %d times; now %q, %v, %v", n, again, created, err)
	}
	if ids, err := u.Identities(); err != nil || len(ids) != 1 {
		t.Errorf("after: %v, %v", ids, err)
	}
	os.Chmod(filepath.Join(u.Dir(), "custodian.txt"), 0o640)
	if _, err := u.Identities(); !errors.Is(err, ledger.ErrDenied) {
		t.Errorf("readable by others: %v", err)
	}
}

func TestMemory(t *testing.T) {
	w := newWallet(t)
	m := user(t, w).Memory()
	if _, err := m.Load("pin/x"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	for _, text := range []string{"one", "two"} {
		if err := m.Store("pin/x", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := m.Load("pin/x"); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	for _, name := range []string{"../key.pem", "/etc/passwd", "", "a/../../key.pem"} {
		if _, err := m.Load(name); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("load %q: %v", name, err)
		}
		if err := m.Store(name, nil); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("store %q: %v", name, err)
		}
	}
}
