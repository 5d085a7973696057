package ipfs

import (
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/ipfs/kubo/client/rpc"
	"github.com/multiformats/go-multiaddr"

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
	api, err := rpc.NewApiWithClient(node, &http.Client{Transport: t, CheckRedirect: stay})
	if err == nil && token != "" {
		api.Headers.Set("Authorization", "Bearer "+token)
	}
	return api, err
}

// newTransport makes the transport of short requests and answers. It keeps connections,
// while the RPC client's default opens one for every block.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: 2 * maxRequests,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: dialTimeout,
	}
}

// newStreamTransport makes the transport of payloads. Its buffers need one system call
// where the usual 4 KiB need sixty-four. Each stream has its own connection, which a
// reader closes when it has read enough.
func newStreamTransport() *http.Transport {
	t := newTransport()
	t.DisableKeepAlives = true
	t.ReadBufferSize, t.WriteBufferSize = streamBuffer, streamBuffer
	return t
}
