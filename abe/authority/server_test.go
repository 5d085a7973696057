package authority

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/abe"
)

// A service is a running authority with its CAs.
type service struct {
	t      testing.TB
	url    string
	root   *ca // of the people
	tls    *ca // of the server
	master *abe.MasterKey
	log    *lockedBuffer

	mu       sync.Mutex
	crls     []*x509.RevocationList
	versions map[string]int
	down     bool
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newService(t testing.TB, limit Limit) *service {
	t.Helper()
	s := &service{t: t, root: newCA(t, "ca.a", nil), tls: newCA(t, "tlsca.a", nil), log: &lockedBuffer{},
		versions: map[string]int{"HospitalA:role=doctor": 1, "HospitalA:role=nurse": 3}}
	var err error
	if s.master, err = abe.NewMasterKey("HospitalA", strings.NewReader(strings.Repeat("s", 32))); err != nil {
		t.Fatal(err)
	}
	mapping, err := NewMapping("HospitalA", DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	members := func(context.Context) ([]MSP, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return []MSP{{ID: "HospitalA", Roots: []*x509.Certificate{s.root.cert}, CRLs: s.crls}}, nil
	}
	server, err := NewServer(Config{Master: s.master, Mapping: mapping, Verifier: NewVerifier(members), Limit: limit,
		Log: slog.New(slog.NewJSONHandler(s.log, nil)),
		Versions: func(_ context.Context, names []string) (map[string]int, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.down {
				return nil, errors.New("peer is down")
			}
			out := map[string]int{}
			for _, n := range names {
				if v := s.versions[n]; v > 0 {
					out[n] = v
				}
			}
			return out, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	http := server.HTTP(listener.Addr().String(), s.tls.serverCertificate())
	go http.ServeTLS(listener, "", "")
	t.Cleanup(func() { http.Close() })
	s.url = "https://" + listener.Addr().String()
	return s
}

func (s *service) pinned(name string, version int) (*abe.PublicKey, error) {
	return s.master.PublicKey(name, version)
}

func (s *service) request(cert tls.Certificate, gid string) ([]*abe.UserKey, error) {
	return RequestKeys(context.Background(), s.url, ClientTLS(cert, []*x509.Certificate{s.tls.cert}), "HospitalA", gid, s.pinned)
}

func TestRequestKeys(t *testing.T) {
	s := newService(t, Limit{})
	doctor := s.root.enrol(person{id: "doctor", attributes: map[string]string{"role": "doctor", "department": "cardiology"}})
	keys, err := s.request(doctor, "HospitalA/doctor")
	if err != nil || len(keys) != 1 || keys[0].Name() != "HospitalA:role=doctor" || keys[0].GID() != "HospitalA/doctor" {
		t.Fatalf("doctor: %v, %v", keys, err)
	}
	// Every version that there has been, and the same keys each time.
	nurse := s.root.enrol(person{id: "nurse", attributes: map[string]string{"role": "nurse"}})
	first, err := s.request(nurse, "HospitalA/nurse")
	if err != nil || len(first) != 3 || first[2].Version() != 3 {
		t.Fatalf("nurse: %v, %v", first, err)
	}
	renewed := s.root.enrol(person{id: "nurse", attributes: map[string]string{"role": "nurse"}})
	second, err := s.request(renewed, "HospitalA/nurse")
	if err != nil {
		t.Fatal(err)
	}
	for i := range first {
		a, _ := first[i].MarshalBinary()
		b, _ := second[i].MarshalBinary()
		if !bytes.Equal(a, b) {
			t.Error("a renewed certificate gives other keys")
		}
	}
	// The log says who got what, and no key.
	log := s.log.String()
	for _, want := range []string{`"gid":"HospitalA/nurse"`, "HospitalA:role=nurse@3", `"msg":"issued"`} {
		if !strings.Contains(log, want) {
			t.Errorf("log lacks %s:\n%s", want, log)
		}
	}
	for _, k := range first {
		b, _ := k.MarshalBinary()
		if strings.Contains(log, base64.StdEncoding.EncodeToString(b)[:40]) {
			t.Error("a key is in the log")
		}
	}
}

func TestRequestRefused(t *testing.T) {
	s := newService(t, Limit{})
	gone := s.root.enrol(person{id: "gone", attributes: map[string]string{"role": "doctor"}})
	if _, err := s.request(gone, "HospitalA/gone"); err != nil {
		t.Fatalf("before the revocation: %v", err)
	}
	s.mu.Lock()
	s.crls = []*x509.RevocationList{s.root.revoke(gone.Leaf)}
	s.mu.Unlock()
	stranger := newCA(t, "ca.x", nil)
	for name, test := range map[string]struct {
		cert tls.Certificate
		code string
	}{
		"revoked":        {gone, CodeRevoked},
		"stranger":       {stranger.enrol(person{id: "doctor"}), CodeUnknownMember},
		"expired":        {s.root.enrol(person{id: "doctor", from: time.Now().Add(-2 * time.Hour), to: time.Now().Add(-time.Hour)}), CodeExpired},
		"nothing":        {s.root.enrol(person{id: "visitor"}), CodeNothing},
		"no certificate": {tls.Certificate{}, CodeNoCertificate},
	} {
		config := ClientTLS(test.cert, []*x509.Certificate{s.tls.cert})
		if test.cert.Certificate == nil {
			config.Certificates = nil
		}
		_, err := RequestKeys(context.Background(), s.url, config, "HospitalA", "HospitalA/doctor", s.pinned)
		var refusal *DeniedError
		if !errors.As(err, &refusal) || refusal.Code != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	// The body cannot ask for anything.
	nurse := s.root.enrol(person{id: "nurse", attributes: map[string]string{"role": "nurse"}})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: ClientTLS(nurse, []*x509.Certificate{s.tls.cert})}}
	response, err := client.Post(s.url+KeysPath, "application/json", strings.NewReader(`{"gid":"HospitalA/doctor","attributes":["HospitalA:role=doctor"]}`))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if !strings.Contains(string(body), `"gid":"HospitalA/nurse"`) || strings.Contains(string(body), "role=doctor") {
		t.Errorf("asked for a doctor's keys and got %s", body)
	}
	if response, err = client.Get(s.url + KeysPath); err != nil || response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v, %v", response.StatusCode, err)
	}
	if response, err = client.Get(s.url + HealthPath); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("health: %v, %v", response, err)
	}
}

// TestStolenCertificate presents a doctor's certificate, which is public, without its
// key.
func TestStolenCertificate(t *testing.T) {
	s := newService(t, Limit{})
	doctor := s.root.enrol(person{id: "doctor", attributes: map[string]string{"role": "doctor"}})
	stolen := tls.Certificate{Certificate: doctor.Certificate, PrivateKey: newKey(t), Leaf: doctor.Leaf}
	if keys, err := s.request(stolen, "HospitalA/doctor"); err == nil || len(keys) > 0 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if strings.Contains(s.log.String(), "issued") {
		t.Errorf("issued to a thief: %s", s.log)
	}
	// TLS 1.2 proves the key too, but renegotiates and resumes: it is not offered.
	old := ClientTLS(doctor, []*x509.Certificate{s.tls.cert})
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if _, err := RequestKeys(context.Background(), s.url, old, "HospitalA", "HospitalA/doctor", s.pinned); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

func TestRateLimit(t *testing.T) {
	s := newService(t, Limit{Every: time.Hour, Burst: 2})
	doctor := s.root.enrol(person{id: "doctor", attributes: map[string]string{"role": "doctor"}})
	for range 2 {
		if _, err := s.request(doctor, "HospitalA/doctor"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.request(doctor, "HospitalA/doctor"); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("third request: %v", err)
	}
	renewed := s.root.enrol(person{id: "doctor", attributes: map[string]string{"role": "doctor"}})
	if _, err := s.request(renewed, "HospitalA/doctor"); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("the same person with another certificate: %v", err)
	}
	nurse := s.root.enrol(person{id: "nurse", attributes: map[string]string{"role": "nurse"}})
	if _, err := s.request(nurse, "HospitalA/nurse"); err != nil {
		t.Errorf("someone else: %v", err)
	}
}

func TestLimiterForgets(t *testing.T) {
	l := newLimiter(Limit{Every: time.Second, Burst: 1})
	now := time.Now()
	l.now = func() time.Time { return now }
	for i := range maxBuckets {
		l.allow(fmt.Sprint(i))
	}
	now = now.Add(time.Minute)
	if !l.allow("one more") || len(l.buckets) != 1 {
		t.Errorf("%d buckets", len(l.buckets))
	}
}

func TestUnavailable(t *testing.T) {
	s := newService(t, Limit{})
	doctor := s.root.enrol(person{id: "doctor", attributes: map[string]string{"role": "doctor"}})
	s.down = true
	if _, err := s.request(doctor, "HospitalA/doctor"); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDenied) {
		t.Errorf("ledger down: %v", err)
	}
	s.url = "https://127.0.0.1:1"
	if _, err := s.request(doctor, "HospitalA/doctor"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestUntrusted points the client at servers that are not the authority, or answer with
// keys that are not right.
func TestUntrusted(t *testing.T) {
	s := newService(t, Limit{})
	doctor := s.root.enrol(person{id: "doctor", attributes: map[string]string{"role": "doctor"}})
	other := newCA(t, "tlsca.x", nil)
	ask := func(url string, roots *ca, gid string, pinned Pinned) error {
		keys, err := RequestKeys(context.Background(), url, ClientTLS(doctor, []*x509.Certificate{roots.cert}), "HospitalA", gid, pinned)
		if err != nil && keys != nil {
			t.Error("keys beside an error")
		}
		return err
	}
	rogue, err := abe.NewMasterKey("HospitalA", strings.NewReader(strings.Repeat("r", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another TLS root":       ask(s.url, other, "HospitalA/doctor", s.pinned),
		"not https":              ask("http"+strings.TrimPrefix(s.url, "https"), s.tls, "HospitalA/doctor", s.pinned),
		"keys for another GID":   ask(s.url, s.tls, "HospitalA/other", s.pinned),
		"another key is pinned":  ask(s.url, s.tls, "HospitalA/doctor", rogue.PublicKey),
		"keys not base64":        ask(s.answer(200, `{"keys":[{"name":"HospitalA:x","version":1,"key":"?"}]}`), s.tls, "HospitalA/doctor", s.pinned),
		"keys malformed":         ask(s.answer(200, `{"keys":[{"name":"HospitalA:x","version":1,"key":"AAAA"}]}`), s.tls, "HospitalA/doctor", s.pinned),
		"keys relabelled":        ask(s.answer(200, s.forged("HospitalA:role=nurse", "HospitalA:role=doctor")), s.tls, "HospitalA/doctor", s.pinned),
		"keys of another":        ask(s.answer(200, s.forged("HospitalB:role=doctor", "HospitalB:role=doctor")), s.tls, "HospitalA/doctor", s.pinned),
		"no JSON":                ask(s.answer(200, `<html>`), s.tls, "HospitalA/doctor", s.pinned),
		"redirect":               ask(s.answer(302, ``), s.tls, "HospitalA/doctor", s.pinned),
		"refusal without a code": ask(s.answer(403, `<html>`), s.tls, "HospitalA/doctor", s.pinned),
		"endless answer":         ask(s.answer(200, strings.Repeat(" ", maxResponse+1)), s.tls, "HospitalA/doctor", s.pinned),
	} {
		if !errors.Is(err, ErrUntrusted) || errors.Is(err, ErrDenied) || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	down := errors.New("ledger is down")
	if err := ask(s.url, s.tls, "HospitalA/doctor", func(string, int) (*abe.PublicKey, error) { return nil, down }); !errors.Is(err, down) {
		t.Errorf("no pinned key: %v", err)
	}
	if err := ask(s.answer(500, `{"message":"a\u001bb"}`), s.tls, "HospitalA/doctor", s.pinned); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("500: %v", err)
	}
}

// answer is the address of a server with the right certificate that answers the same to
// everything.
func (s *service) answer(status int, body string) string {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{TLSConfig: ServerTLS(s.tls.serverCertificate()), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", s.url)
		w.WriteHeader(status)
		io.WriteString(w, body)
	})}
	go server.ServeTLS(listener, "", "")
	s.t.Cleanup(func() { server.Close() })
	return "https://" + listener.Addr().String()
}

// forged is an answer with a key for one attribute under the label of another.
func (s *service) forged(attribute, label string) string {
	s.t.Helper()
	msp, _, _ := strings.Cut(attribute, ":")
	m, err := abe.NewMasterKey(msp, strings.NewReader(strings.Repeat("s", 32)))
	if err != nil {
		s.t.Fatal(err)
	}
	k, err := m.Issue("HospitalA/doctor", attribute, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	b, _ := k.MarshalBinary()
	out, _ := json.Marshal(KeysResponse{Keys: []IssuedKey{{label, 1, base64.StdEncoding.EncodeToString(b)}}})
	return string(out)
}

func TestNewServerRefuses(t *testing.T) {
	if _, err := NewServer(Config{}); err == nil {
		t.Error("empty configuration")
	}
	master, err := abe.NewMasterKey("HospitalB", strings.NewReader(strings.Repeat("s", 32)))
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := NewMapping("HospitalA", DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewServer(Config{Master: master, Mapping: mapping, Verifier: NewVerifier(static()),
		Versions: func(context.Context, []string) (map[string]int, error) { return nil, nil }})
	if err == nil || !strings.Contains(err.Error(), "HospitalB") {
		t.Errorf("rules of another authority: %v", err)
	}
}

// TestOldVersions: an attribute was rotated more often than an answer has versions. The
// holder asks for the older ones, and gets no other attribute's and none of the future.
func TestOldVersions(t *testing.T) {
	s := newService(t, Limit{})
	const nurse, doctor, rotated = "HospitalA:role=nurse", "HospitalA:role=doctor", 200
	s.versions[nurse] = rotated
	holder := s.root.enrol(person{id: "nurse", attributes: map[string]string{"role": "nurse"}})
	config := ClientTLS(holder, []*x509.Certificate{s.tls.cert})
	for _, c := range []struct {
		ask      []VersionRange
		from, to int // of what is issued
	}{
		{nil, rotated - maxVersions + 1, rotated},
		{[]VersionRange{{nurse, 1, rotated - maxVersions}}, 1, rotated - maxVersions},
		{[]VersionRange{{nurse, 1, 1}, {doctor, 1, 1}, {"HospitalA:role=none", 1, 9}, {"", 1, 1}}, 1, 1},
		{[]VersionRange{{nurse, rotated - 1, rotated + 9}}, rotated - 1, rotated},
		{[]VersionRange{{nurse, rotated + 1, rotated + 9}}, 1, 0},
	} {
		keys, err := RequestKeys(t.Context(), s.url, config, "HospitalA", "HospitalA/nurse", s.pinned, c.ask...)
		if err != nil || len(keys) != c.to-c.from+1 {
			t.Errorf("%v: %d keys, %v", c.ask, len(keys), err)
		}
		for i, k := range keys {
			if k.Name() != nurse || k.Version() != c.from+i {
				t.Errorf("%v: %s version %d", c.ask, k.Name(), k.Version())
			}
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	defer client.CloseIdleConnections()
	for body, want := range map[string]int{
		"": 200, "{}": 200, `{"versions":[]}`: 200, "junk": 400, `{"versions":7}`: 400, strings.Repeat(" ", maxRequest+1): 400,
		fmt.Sprintf(`{"versions":[{"name":%q,"from":1,"to":%d}]}`, nurse, MaxVersionsPerRequest+1):                                  400,
		fmt.Sprintf(`{"versions":[{"name":%q,"from":1,"to":%d},{"name":%q,"from":1,"to":1}]}`, nurse, MaxVersionsPerRequest, nurse): 400,
		fmt.Sprintf(`{"versions":[{"name":%q,"from":0,"to":1}]}`, nurse):                                                            400,
		fmt.Sprintf(`{"versions":[{"name":%q,"from":3,"to":2}]}`, nurse):                                                            400,
		fmt.Sprintf(`{"versions":[{"name":%q,"from":1,"to":9223372036854775807}]}`, nurse):                                          400,
	} {
		r, err := client.Post(s.url+KeysPath, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("body %.80q: status %d, want %d", body, r.StatusCode, want)
		}
	}
}
