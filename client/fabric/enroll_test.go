package fabric

import (
	"context"
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
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/wallet"
)

// A fakeCA signs what it is asked for, as Fabric CA does, if name and secret or the token
// are right.
type fakeCA struct {
	t       *testing.T
	key     *ecdsa.PrivateKey
	foreign bool // answer with a certificate for another key
}

func (f *fakeCA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	refuse := func(code int) {
		w.WriteHeader(code)
		io.WriteString(w, `{"success":false,"errors":[{"code":20,"message":"Authentication failure"}]}`)
	}
	switch r.URL.Path {
	case "/api/v1/enroll":
		if name, secret, ok := r.BasicAuth(); !ok || name != "doctor" || secret != "pw" {
			refuse(http.StatusUnauthorized)
			return
		}
	case "/api/v1/reenroll":
		if !f.tokenGood(r, body) {
			refuse(http.StatusUnauthorized)
			return
		}
	}
	var in struct {
		Request string `json:"certificate_request"`
		CAName  string `json:"caname"`
		Profile string `json:"profile"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		f.t.Error(err)
	}
	if (in.CAName == "tlsca") != (in.Profile == "tls") {
		f.t.Errorf("CA %q is asked for profile %q", in.CAName, in.Profile)
	}
	block, _ := pem.Decode([]byte(in.Request))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		f.t.Errorf("request: %v", err)
	}
	public := csr.PublicKey
	if f.foreign {
		public = &f.key.PublicKey
	}
	der := f.issue(csr.Subject.CommonName, public)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	json.NewEncoder(w).Encode(map[string]any{"success": true, "result": map[string]any{
		"Cert": base64.StdEncoding.EncodeToString(text), "ServerInfo": map[string]any{"CAName": in.CAName}}})
}

// issue makes a certificate in DER.
func (f *fakeCA) issue(id string, public any) []byte {
	attributes, _ := json.Marshal(map[string]any{"attrs": map[string]string{enrolmentAttribute: id}})
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: id},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: attributeExtension, Value: attributes}},
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}, public, f.key)
	if err != nil {
		f.t.Error(err)
	}
	return der
}

// tokenGood checks a token as Fabric CA does.
func (f *fakeCA) tokenGood(r *http.Request, body []byte) bool {
	cert, signature, _ := strings.Cut(r.Header.Get("Authorization"), ".")
	certPEM, _ := base64.StdEncoding.DecodeString(cert)
	sig, _ := base64.StdEncoding.DecodeString(signature)
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return false
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	b64 := base64.StdEncoding.EncodeToString
	digest := sha256.Sum256([]byte(r.Method + "." + b64([]byte(r.URL.Path)) + "." + b64(body) + "." + cert))
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &rs); err != nil || rs.S.Cmp(new(big.Int).Rsh(elliptic.P256().Params().N, 1)) > 0 {
		return false
	}
	return ecdsa.VerifyASN1(c.PublicKey.(*ecdsa.PublicKey), digest[:], sig)
}

func startCA(t *testing.T) (*fakeCA, *wallet.CA) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeCA{t: t, key: key}
	s := httptest.NewTLSServer(f)
	t.Cleanup(s.Close)
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return f, &wallet.CA{URL: s.URL, Name: "ca", TLSName: "tlsca", TLSRoots: roots}
}

func TestEnrollAndRenew(t *testing.T) {
	_, ca := startCA(t)
	c, err := Enroll(t.Context(), ca, "doctor", "pw")
	if err != nil {
		t.Fatal(err)
	}
	w, err := wallet.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Save("doctor@HospitalA", c); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(c.Certificate)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := EnrolmentID(cert); err != nil || id != "doctor" {
		t.Errorf("enrolment id %q, %v", id, err)
	}
	for range 8 { // signatures are random, and half of them need their low form
		again, err := renewWith(t, w, ca)
		if err != nil {
			t.Fatal(err)
		}
		if string(again.Key) == string(c.Key) || string(again.TLSKey) == string(c.TLSKey) {
			t.Fatal("the key is not new")
		}
	}
}

func renewWith(t *testing.T, w *wallet.Wallet, ca *wallet.CA) (wallet.Credentials, error) {
	t.Helper()
	writeProfile(t, w, ca)
	u, err := w.User("doctor@HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	return Renew(t.Context(), u)
}

func TestEnrollRefused(t *testing.T) {
	f, ca := startCA(t)
	if _, err := Enroll(t.Context(), ca, "doctor", "wrong"); !errors.Is(err, ledger.ErrDenied) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong secret: %v", err)
	}
	f.foreign = true
	if _, err := Enroll(t.Context(), ca, "doctor", "pw"); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("a certificate for another key: %v", err)
	}
	_, other := startCA(t)
	impostor := *ca
	impostor.TLSRoots = mustOtherRoots(t)
	if _, err := Enroll(t.Context(), &impostor, "doctor", "pw"); !errors.Is(err, ledger.ErrDenied) {
		t.Errorf("another server than the profile's: %v", err)
	}
	gone := *other
	gone.URL = "https://127.0.0.1:1"
	if _, err := Enroll(t.Context(), &gone, "doctor", "pw"); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("no server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Enroll(ctx, ca, "doctor", "pw"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Enroll(t.Context(), nil, "doctor", "pw"); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("no CA in the profile: %v", err)
	}
}

func mustOtherRoots(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "other"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
