package ipfs

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/ipfs/kubo/client/rpc"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

const (
	dialTimeout  = 5 * time.Second
	streamBuffer = 256 << 10
)

// checkToken refuses to send a token in clear text to another machine.
func checkToken(node multiaddr.Multiaddr, token string) error {
	if token == "" {
		return nil
	}
	for _, p := range node.Protocols() {
		if p.Code == multiaddr.P_HTTPS || p.Code == multiaddr.P_TLS || p.Code == multiaddr.P_UNIX {
			return nil
		}
	}
	host := node[0].Value()
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	return ledger.Errorf(ledger.ErrInvalid, "the token for %s would cross the network in clear text: reach the node through TLS and end its address in /https, or through a tunnel from 127.0.0.1", node)
}

// connect makes a client of a node's RPC. It follows no redirection, which could lead to
// another machine.
func connect(node multiaddr.Multiaddr, token string, t *http.Transport) (*rpc.HttpApi, error) {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &http.Client{Transport: tlsOnly{t}, CheckRedirect: stay}
	var api *rpc.HttpApi
	network, path, err := manet.DialArgs(node)
	if err == nil && network == "unix" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, path)
		}
		api, err = rpc.NewURLApiWithClient("http://localhost", c)
	} else if err == nil {
		api, err = rpc.NewApiWithClient(node, c)
	}
	if err == nil && token != "" {
		api.Headers.Set("Authorization", "Bearer "+token)
	}
	return api, err
}

var errTLSOnly = errors.New("it takes TLS only")

// tlsOnly tells when a server wants TLS. Servers of Go say so in an answer that kubo's
// client cannot read.
type tlsOnly struct{ *http.Transport }

func (t tlsOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(r)
	if err == nil && r.URL.Scheme == "http" && resp.StatusCode == http.StatusBadRequest && resp.Header.Get("Content-Type") == "" {
		resp.Body.Close()
		return nil, errTLSOnly
	}
	return resp, err
}

// newTransport makes the transport of short requests and answers. It keeps connections,
// while the RPC client's default opens one for every block. Config may be nil.
func newTransport(config *tls.Config) *http.Transport {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: 2 * maxRequests,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: dialTimeout,
	}
	if config != nil {
		t.TLSClientConfig = config.Clone()
		t.TLSClientConfig.MinVersion = tls.VersionTLS12
		t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0) // each stream has a connection
	}
	return t
}

// newStreamTransport makes the transport of payloads. Its buffers need one system call
// where the usual 4 KiB need sixty-four. Each stream has its own connection, which a
// reader closes when it has read enough.
func newStreamTransport(config *tls.Config) *http.Transport {
	t := newTransport(config)
	t.DisableKeepAlives = true
	t.ReadBufferSize, t.WriteBufferSize = streamBuffer, streamBuffer
	return t
}
