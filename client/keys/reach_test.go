package keys

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/client"
)

func TestCheckURL(t *testing.T) {
	for text, fits := range map[string]bool{
		"https://authority.hospital-a.example":      true,
		"https://authority.hospital-a.example:7060": true,
		"https://127.0.0.1:7060":                    true,
		"https://[::1]:7060/":                       true,
		"https://10.0.0.1/authority":                true,
		"":                                          false,
		"authority:7060":                            false,
		"http://authority":                          false,
		"https://":                                  false,
		"https://:7060":                             false,
		"https://0.0.0.0:7060":                      false,
		"https://[::]:7060":                         false,
		"https://[::0]":                             false,
		"https://me:secret@authority":               false,
		"https://authority?x=y":                     false,
		"https://a b":                               false,
	} {
		err := CheckURL(text)
		if (err == nil) != fits || err != nil && !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReach(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == authority.HealthPath {
			fmt.Fprintf(w, `{"authority": %q, "status": "ok"}`, hospital)
		}
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	roots := []*x509.Certificate{server.Certificate()}
	reach := func(msp string, roots []*x509.Certificate, at string) error {
		return Reach(t.Context(), at, authority.MSP{ID: msp, TLSRoots: roots}, tls.Certificate{})
	}
	if err := reach(hospital, roots, server.URL); err != nil {
		t.Error(err)
	}
	if err := reach("HospitalB", roots, server.URL); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("another authority: %v", err)
	}
	if err := reach(hospital, nil, server.URL); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("a certificate of others: %v", err)
	}
	if err := reach(hospital, roots, server.URL+"/elsewhere"); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("no authority there: %v", err)
	}
	if err := reach(hospital, roots, "https://0.0.0.0:1"); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("a wildcard address: %v", err)
	}
	server.Close()
	if err := reach(hospital, roots, server.URL); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("no server: %v", err)
	}
}
