package ipfs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/multiformats/go-multiaddr"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/clienttest"
)

// TestTokenInClearText: a token crosses no network in clear text.
func TestTokenInClearText(t *testing.T) {
	for address, ok := range map[string]bool{
		"/ip4/127.0.0.1/tcp/5001":                   true,
		"/ip4/127.9.8.7/tcp/5001/http":              true,
		"/ip6/::1/tcp/5001":                         true,
		"/ip6/::ffff:127.0.0.1/tcp/5001":            true,
		"/dns4/localhost/tcp/5001":                  true,
		"/unix/run/kubo.sock":                       true,
		"/ip4/192.0.2.1/tcp/5001/https":             true,
		"/dns4/ipfs.hospital.example/tcp/443/https": true,
		"/ip4/192.0.2.1/tcp/5001":                   false,
		"/ip4/0.0.0.0/tcp/5001":                     false,
		"/ip6/2001:db8::1/tcp/5001/http":            false,
		"/dns4/ipfs.hospital.example/tcp/80":        false,
		"/dns4/localhost.example/tcp/80":            false,
		"/dns4/127.0.0.1.example/tcp/80":            false,
	} {
		_, err := New(Options{API: address, Token: "secret"})
		switch {
		case ok && err != nil:
			t.Errorf("%s: %v", address, err)
		case !ok && (!errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), "/https") || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v", address, err)
		}
		if _, err := New(Options{API: address}); err != nil {
			t.Errorf("%s, without a token: %v", address, err)
		}
	}
}

// TestTokenOverTLS: an address that ends in /https is spoken to with TLS.
func TestTokenOverTLS(t *testing.T) {
	var got string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		io.WriteString(w, `{"Keys":{}}`)
	}))
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	transport := newTransport(nil)
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	api, err := connect(multiaddr.StringCast("/ip4/"+host+"/tcp/"+port+"/https"), "secret", transport)
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Request("pin/ls").Exec(t.Context(), nil); err != nil || got != "Bearer secret" {
		t.Errorf("sent %q, %v", got, err)
	}
}

// TestTokenIsNotRedirected: a node cannot send the token on to another address.
func TestTokenIsNotRedirected(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	s, err := New(Options{API: multiaddress(server), Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	s.Pin(t.Context(), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")
	if asked {
		t.Error("the client followed a redirection")
	}
}

// TestProxyRefuses: a wallet of an earlier release, and one whose certificate a proxy
// does not take, learn what to do.
func TestProxyRefuses(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	address := "/ip4/" + host + "/tcp/" + port
	for says, o := range map[string]Options{
		"get the present profile": {API: address, Token: "secret"},
		"certificate required":    {API: address + "/https", TLS: &tls.Config{RootCAs: roots}},
	} {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		pin := s.Pin(t.Context(), clienttest.UnknownCID)
		_, list := s.Pinned(t.Context())
		for what, err := range map[string]error{"pin": pin, "list": list} {
			if !errors.Is(err, ledger.ErrDenied) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}
