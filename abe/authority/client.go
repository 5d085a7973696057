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
	"net/http"
	"strings"
	"time"

	"github.com/chartseal/chartseal/abe"
)

const (
	maxResponse    = 8 << 20
	requestTimeout = 60 * time.Second
)

// ClientTLS is the TLS configuration for asking an authority: the enrolment certificate
// and its key, and the TLS roots of the authority's MSP from the channel's configuration.
func ClientTLS(enrolment tls.Certificate, roots []*x509.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{enrolment},
		RootCAs:      pool(roots),
	}
}

// A Pinned returns the public key that the ledger pins for one version of an attribute.
type Pinned func(name string, version int) (*abe.PublicKey, error)

// RequestKeys asks the authority at url (https://host:port) for keys of gid: the named
// versions, up to [MaxVersionsPerRequest], or the newest of all attributes if none is
// named. Servers of earlier versions always give the newest. It checks every key of the
// answer: it must be for gid, under the authority's own MSP ID, and fit the pinned public
// key. One bad key fails the whole request.
//
// Errors:
//   - [*DeniedError] if the authority refuses the caller.
//   - ErrUnavailable if the server cannot be reached or is too busy.
//   - ErrUntrusted if the server is another one, or a key is not genuine.
//   - any error of pinned.
func RequestKeys(ctx context.Context, url string, config *tls.Config, authority, gid string, pinned Pinned, versions ...VersionRange) ([]*abe.UserKey, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	fail := func(err error) ([]*abe.UserKey, error) {
		return nil, fmt.Errorf("request keys from %s at %s: %w", authority, url, err)
	}
	body, err := post(ctx, strings.TrimSuffix(url, "/")+KeysPath, config, KeysRequest{versions})
	if err != nil {
		return fail(err)
	}
	defer clear(body)
	var response KeysResponse
	if err := json.Unmarshal(body, &response); err != nil {
		return fail(fmt.Errorf("%w: the answer is not JSON", ErrUntrusted))
	}
	keys := make([]*abe.UserKey, 0, len(response.Keys))
	for _, issued := range response.Keys {
		key, err := check(issued, authority, gid, pinned)
		if err != nil {
			return fail(err)
		}
		keys = append(keys, key)
	}
	sortKeys(keys)
	return keys, nil
}

func check(issued IssuedKey, authority, gid string, pinned Pinned) (*abe.UserKey, error) {
	b, err := base64.StdEncoding.DecodeString(issued.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: key for %.80q is not base64", ErrUntrusted, issued.Name)
	}
	defer clear(b)
	key, err := abe.ParseUserKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: key for %.80q: %w", ErrUntrusted, issued.Name, err)
	}
	switch {
	case key.Name() != issued.Name || key.Version() != issued.Version:
		return nil, fmt.Errorf("%w: key for %s is labelled %.80q", ErrUntrusted, key.Name(), issued.Name)
	case key.Attribute().Authority != authority:
		return nil, fmt.Errorf("%w: %s issued a key for %s", ErrUntrusted, authority, key.Name())
	case key.GID() != gid:
		return nil, fmt.Errorf("%w: key is for %.80q, not for %s", ErrUntrusted, key.GID(), gid)
	}
	public, err := pinned(key.Name(), key.Version())
	if err != nil {
		return nil, fmt.Errorf("pinned public key of %s version %d: %w", key.Name(), key.Version(), err)
	}
	if err := key.Verify(public); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	return key, nil
}

func post(ctx context.Context, url string, config *tls.Config, asked KeysRequest) ([]byte, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if request.URL.Scheme != "https" {
		return nil, fmt.Errorf("%w: the address is not https", ErrUntrusted)
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			return nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if len(body) > maxResponse {
		return nil, fmt.Errorf("%w: the answer is too long", ErrUntrusted)
	}
	if response.StatusCode == http.StatusOK {
		return body, nil
	}
	return nil, refusal(response.StatusCode, body)
}

// refusal turns an error response into an error of this package.
func refusal(status int, body []byte) error {
	var e ErrorResponse
	_ = json.Unmarshal(body, &e) // a proxy's page leaves it empty
	if status == http.StatusForbidden && e.Code != "" {
		return &DeniedError{e.Code, printable(e.Message)}
	}
	if status >= 500 || status == http.StatusTooManyRequests {
		return fmt.Errorf("%w: %s (HTTP status %d)", ErrUnavailable, printable(e.Message), status)
	}
	return fmt.Errorf("%w: it answered with HTTP status %d", ErrUntrusted, status)
}

// printable bounds and cleans a text from a server, for error messages.
func printable(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, s)
	return fmt.Sprintf("%.300s", clean)
}
