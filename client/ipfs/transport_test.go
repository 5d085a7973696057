package ipfs

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/multiformats/go-multiaddr"

	"github.com/chartseal/chartseal/chaincode/ledger"
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
	transport := newTransport()
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
