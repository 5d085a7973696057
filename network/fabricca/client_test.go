package fabricca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// start serves one handler as a CA.
func start(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue answers an enrolment as Fabric CA does: with a certificate for the public key.
func issue(t *testing.T, w io.Writer, csr *x509.CertificateRequest, public any) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: csr.Subject, NotAfter: time.Now().Add(time.Hour),
		DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}, public, newKey(t))
	if err != nil {
		t.Error(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	json.NewEncoder(w).Encode(map[string]any{"success": true, "result": map[string]any{"Cert": text}})
}

type enrolment struct {
	Request string `json:"certificate_request"`
	CAName  string
	Profile string
	Hosts   []string
}

func (e enrolment) csr(t *testing.T) *x509.CertificateRequest {
	t.Helper()
	block, _ := pem.Decode([]byte(e.Request))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		t.Errorf("certificate request: %v", err)
	}
	return csr
}

func TestEnrollServer(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		var in enrolment
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		name, secret, _ := r.BasicAuth()
		if r.URL.Path != "/api/v1/enroll" || name != "authority" || secret != "pw" || in.CAName != "tlsca" || in.Profile != "tls" {
			t.Errorf("%s as %s:%s for %+v", r.URL.Path, name, secret, in)
		}
		csr := in.csr(t)
		issue(t, w, csr, csr.PublicKey)
	})
	pair, err := c.Enroll(t.Context(), Request{CA: "tlsca", Profile: ProfileTLS, Name: "authority", Hosts: []string{"hospital-a.example", "127.0.0.1"}}, "pw")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(pair.Certificate)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"hospital-a.example", "127.0.0.1"} {
		if err := cert.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	identity, err := pair.Identity()
	if err != nil || !identity.Key.Public().(*ecdsa.PublicKey).Equal(cert.PublicKey) {
		t.Errorf("key and certificate do not belong together: %v", err)
	}
}

func TestForeignCertificate(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		var in enrolment
		json.NewDecoder(r.Body).Decode(&in)
		issue(t, w, in.csr(t), newKey(t).Public())
	})
	if _, err := c.Enroll(t.Context(), Request{CA: "ca", Name: "doctor"}, "pw"); !errors.Is(err, ErrMismatch) {
		t.Errorf("a certificate for another key: %v", err)
	}
}

// A token is a key that only signs, as one in an HSM does.
type token struct{ key *ecdsa.PrivateKey }

func (k token) Public() crypto.PublicKey { return k.key.Public() }
func (k token) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(r, digest, o)
}

func TestReenrollWithToken(t *testing.T) {
	key := newKey(t)
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		cert, signature, _ := strings.Cut(r.Header.Get("Authorization"), ".")
		b64 := base64.StdEncoding.EncodeToString
		if cert != b64([]byte("certificate")) {
			t.Errorf("certificate %q", cert)
		}
		digest := sha256.Sum256([]byte("POST." + b64([]byte("/api/v1/reenroll")) + "." + b64(body) + "." + cert))
		sig, _ := base64.StdEncoding.DecodeString(signature)
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(sig, &rs); err != nil || rs.S.Cmp(new(big.Int).Rsh(key.Params().N, 1)) > 0 {
			t.Errorf("signature %x has a high s, or cannot be read: %v", sig, err)
		}
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			t.Error("the signature does not verify")
		}
		var in enrolment
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		csr := in.csr(t)
		issue(t, w, csr, csr.PublicKey)
	})
	for range 8 { // signatures are random, and half of them need their low form
		if _, err := c.Reenroll(t.Context(), Request{CA: "ca", Name: "doctor"}, Identity{[]byte("certificate"), token{key}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRegisterAndRevoke(t *testing.T) {
	var bodies []string
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.URL.Path+" "+string(body))
		fmt.Fprintf(w, `{"success":true,"result":{"CRL":"%s"}}`, base64.StdEncoding.EncodeToString([]byte("list")))
	})
	registrar := Identity{[]byte("certificate"), newKey(t)}
	err := c.Register(t.Context(), registrar, Registration{CA: "ca", ID: "ada", Type: "client",
		Attributes: map[string]string{"role": "doctor", "department": "cardiology"}, Secret: "pw", Enrolments: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Revoke(t.Context(), registrar, "ca", "ada"); err != nil {
		t.Fatal(err)
	}
	if list, err := c.RevocationList(t.Context(), registrar, "ca"); err != nil || string(list) != "list" {
		t.Errorf("list %q, %v", list, err)
	}
	for i, want := range []string{
		`/api/v1/register {"id":"ada","type":"client","secret":"pw","max_enrollments":2,"attrs":[` +
			`{"name":"department","value":"cardiology","ecert":true},{"name":"role","value":"doctor","ecert":true}],"caname":"ca"}`,
		`/api/v1/revoke {"caname":"ca","id":"ada"}`,
		`/api/v1/gencrl {"caname":"ca"}`,
	} {
		if bodies[i] != want {
			t.Errorf("request %s, want %s", bodies[i], want)
		}
	}
}

// TestReissue: the CA compares a limit with the number of all enrolments, so a new secret
// needs a higher limit, unless there is none.
func TestReissue(t *testing.T) {
	for limit, want := range map[string]string{
		"4": `{"secret":"pw","caname":"ca"} {"secret":"pw","max_enrollments":6,"caname":"ca"} `, "-1": `{"secret":"pw","caname":"ca"} `,
	} {
		var bodies string
		c := start(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Method != http.MethodPut || r.URL.Path != "/api/v1/identities/ada" {
				t.Errorf("%s %s", r.Method, r.URL.Path)
			}
			bodies += string(body) + " "
			fmt.Fprintf(w, `{"success":true,"result":{"id":"ada","max_enrollments":%s}}`, limit)
		})
		err := c.Reissue(t.Context(), Identity{[]byte("certificate"), newKey(t)}, "ca", "ada", "pw", 2)
		if err != nil || bodies != want {
			t.Errorf("limit %s: %v, requests %s, want %s", limit, err, bodies, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   error
		text   string
	}{
		{401, `{"success":false,"errors":[{"code":20,"message":"Authentication failure"}]}`, ErrDenied, "Authentication failure (code 20)"},
		{401, "no JSON", ErrDenied, "does not accept the name with this secret"},
		{403, `{"success":false,"errors":[{"code":71,"message":"Authorization failure"}]}`, ErrDenied, "code 71"},
		{404, `{"success":false,"errors":[{"code":10,"message":"Identity ada was not found"}]}`, ErrNotFound, "ada was not found"},
		{409, `{"success":false,"errors":[{"code":74,"message":"Identity 'ada' is already registered"}]}`, ErrExists, "already registered"},
		{400, `{"success":false,"errors":[{"code":9,"message":"bad CSR"}]}`, ErrInvalid, "bad CSR"},
		{500, `{"success":false}`, ErrUnavailable, "HTTP status 500"},
		{502, "<html>", ErrUnavailable, "HTTP status 502"},
		{302, `{"success":true}`, ErrInvalid, "HTTP status 302"},
	} {
		client := start(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		if err := client.Ping(t.Context(), "ca"); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("status %d %s: error %v, want %v with %q", c.status, c.body, err, c.kind, c.text)
		}
	}
}

func TestUnreachable(t *testing.T) {
	trusted := start(t, func(w http.ResponseWriter, r *http.Request) {})
	if _, err := New(trusted.url, []byte("no PEM")); !errors.Is(err, ErrInvalid) {
		t.Errorf("roots without a certificate: %v", err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	others := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	stranger, err := New(trusted.url, others)
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Ping(t.Context(), "ca"); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a server below other roots: %v", err)
	}
	gone, err := New("https://127.0.0.1:1", others)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Ping(t.Context(), "ca"); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "https://") {
		t.Errorf("no server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := gone.Ping(ctx, "ca"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
