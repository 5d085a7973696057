package fabricca

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// The CA's clock is read although, by this computer's clock, its certificate is not valid
// yet or has expired, and not from a server that is not the CA, or is of another host.
func TestClock(t *testing.T) {
	for ahead, host := range map[time.Duration]net.IP{
		0: net.IPv4(127, 0, 0, 1), 48 * time.Hour: net.IPv4(127, 0, 0, 1), -400 * 24 * time.Hour: net.IPv4(127, 0, 0, 1),
		time.Minute: net.IPv4(10, 0, 0, 1),
	} {
		now := time.Now().Add(ahead)
		key := newKey(t)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(24 * time.Hour), IsCA: true,
			BasicConstraintsValid: true, IPAddresses: []net.IP{host}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		server.StartTLS()
		t.Cleanup(server.Close)

		c, err := New(server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		if err != nil {
			t.Fatal(err)
		}
		if !host.IsLoopback() {
			if got, err := c.Clock(t.Context()); !errors.Is(err, ErrUntrusted) {
				t.Errorf("the clock of another host: %v, %v", got, err)
			}
			continue
		}
		if got, err := c.Clock(t.Context()); err != nil || got.Sub(now).Abs() > 2*time.Second {
			t.Errorf("%v ahead: %v, %v", ahead, got, err)
		}
		if err := c.Ping(t.Context(), "ca"); ahead != 0 && !errors.Is(err, ErrUntrusted) {
			t.Errorf("%v ahead: other calls pass: %v", ahead, err)
		}
		stranger := start(t, func(http.ResponseWriter, *http.Request) {})
		c.url = stranger.url
		if got, err := c.Clock(t.Context()); !errors.Is(err, ErrUntrusted) {
			t.Errorf("the clock of a stranger: %v, %v", got, err)
		}
	}
}
