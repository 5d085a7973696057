package fabricca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	apiPath = "/api/v1/"

	requestTimeout = 30 * time.Second
	maxAnswer      = 1 << 20
)

// A Client speaks to one CA server, which may hold several CAs. It is safe for concurrent
// use.
type Client struct {
	url  string
	http *http.Client
}

// New makes a client of the server at url. The server's TLS certificate must descend from
// the roots, which are PEM.
//
// Errors:
//   - ErrInvalid if the roots hold no certificate.
func New(url string, roots []byte) (*Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return nil, failure(ErrInvalid, "there are no TLS roots of the CA")
	}
	return &Client{url: strings.TrimSuffix(url, "/"), http: &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
			DialContext:       (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Ping asks whether the server answers for the named CA.
//
// Errors:
//   - ErrUnavailable if it does not answer.
//   - ErrNotFound if the server has no such CA.
func (c *Client) Ping(ctx context.Context, ca string) error {
	return c.call(ctx, http.MethodPost, "cainfo", map[string]string{"caname": ca}, nil, nil)
}

// authorise proves to the CA who sends the body.
type authorise func(r *http.Request, body []byte) error

func withSecret(id, secret string) authorise {
	return func(r *http.Request, _ []byte) error {
		r.SetBasicAuth(id, secret)
		return nil
	}
}

// call makes one request and decodes its result.
func (c *Client) call(ctx context.Context, method, endpoint string, in any, login authorise, result any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+apiPath+endpoint, bytes.NewReader(body))
	if err != nil {
		return failure(ErrInvalid, "%v", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if login != nil {
		if err := login(r, body); err != nil {
			return err
		}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return noAnswer(ctx, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return noAnswer(ctx, err)
	}
	var answer answer
	if err := json.Unmarshal(text, &answer); err != nil {
		return notJSON(resp.StatusCode)
	}
	if !answer.Success || resp.StatusCode >= 300 {
		return answer.refusal(resp.StatusCode)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return failure(ErrMismatch, "the CA's answer cannot be read: %v", err)
	}
	return nil
}

func noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			return failure(ErrUntrusted, "the CA's own certificate has ended, or this machine's clock is wrong: %v", untrusted.Err)
		}
		return failure(ErrUntrusted, "the server is not the CA: %v", untrusted.Err)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which the caller names
	}
	return failure(ErrUnavailable, "the CA does not answer: %v", err)
}

func notJSON(status int) error {
	if status == http.StatusUnauthorized { // Fabric CA then says no more
		return failure(ErrDenied, "the CA does not accept the name with this secret")
	}
	return failure(ErrUnavailable, "the CA answers with HTTP status %d and no JSON", status)
}

// An answer is the envelope of every response.
type answer struct {
	Success bool            `json:"success"`
	Result  json.RawMessage `json:"result"`
	Errors  []struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (a answer) refusal(status int) error {
	var said []string
	for _, e := range a.Errors {
		said = append(said, fmt.Sprintf("%s (code %d)", e.Message, e.Code))
	}
	if len(said) == 0 {
		said = []string{fmt.Sprintf("HTTP status %d", status)}
	}
	kind := ErrUnavailable
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		kind = ErrDenied
	case status == http.StatusNotFound:
		kind = ErrNotFound
	case status == http.StatusConflict:
		kind = ErrExists
	case status < 500:
		kind = ErrInvalid
	}
	return failure(kind, "the CA refuses: %s", strings.Join(said, "; "))
}
