package keys

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// CheckURL refuses an address that no other machine can use to reach an authority.
//
// Errors:
//   - ErrInvalid if it is not https, has no host, or its host is the wildcard address of
//     a listening server.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		return ledger.Errorf(ledger.ErrInvalid, "%q is not an https address", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return ledger.Errorf(ledger.ErrInvalid, "%q has more than a host, a port and a path", text)
	case net.ParseIP(u.Hostname()).IsUnspecified():
		return ledger.Errorf(ledger.ErrInvalid, "%q: %s is where a server listens, not where people reach it", text, u.Hostname())
	}
	return nil
}

// reachTimeout bounds the whole question of [Reach].
const reachTimeout = 10 * time.Second

// Reach asks the authority's server at a URL for its name, in the way that people ask it
// for keys: its TLS certificate must be from a TLS root of the member.
//
// Errors:
//   - ErrInvalid if the URL is none, see [CheckURL], if the certificate is not from the
//     member, or if the server is not the member's authority.
//   - ErrUnavailable if nothing answers.
func Reach(ctx context.Context, at string, member authority.MSP, caller tls.Certificate) error {
	if err := CheckURL(at); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(at, "/")+authority.HealthPath, http.NoBody)
	if err != nil {
		return ledger.Errorf(ledger.ErrInvalid, "%q: %v", at, err)
	}
	transport := &http.Transport{TLSClientConfig: authority.ClientTLS(caller, member.TLSRoots), DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return ledger.Errorf(ledger.ErrInvalid, "the TLS certificate of %s is not one of %s for this address: %v", at, member.ID, untrusted.Err)
	case err != nil:
		return fmt.Errorf("reach the authority at %s: %w", at, ledger.WithKind(err, ledger.ErrUnavailable))
	}
	defer response.Body.Close()
	var answer struct {
		Authority string `json:"authority"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, 1<<10)).Decode(&answer)
	if err != nil || response.StatusCode != http.StatusOK || answer.Authority != member.ID {
		return ledger.Errorf(ledger.ErrInvalid, "the server at %s is not the authority of %s", at, member.ID)
	}
	return nil
}
