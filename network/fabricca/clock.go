package fabricca

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

// Clock returns the time of the CA's clock, to about a second. A wrong clock of this
// computer does not stop it: the server's certificate is verified as of the middle of its
// own validity.
//
// Errors:
//   - ErrUnavailable if the CA does not answer.
//   - ErrUntrusted if the server is not the CA.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+apiPath+"cainfo", nil)
	if err != nil {
		return time.Time{}, failure(ErrInvalid, "%v", err)
	}
	transport := c.http.Transport.(*http.Transport).Clone() // without idle connections, as its model
	roots := transport.TLSClientConfig.RootCAs
	transport.TLSClientConfig.InsecureSkipVerify = true // VerifyConnection verifies
	transport.TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error {
		leaf := s.PeerCertificates[0]
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), DNSName: r.URL.Hostname(),
			CurrentTime: leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)}
		for _, other := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(other)
		}
		_, err := leaf.Verify(o)
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
		}
		return nil
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return time.Time{}, noAnswer(ctx, err)
	}
	resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, failure(ErrUnavailable, "the CA's answer has no date")
	}
	return at, nil
}
