package ipfs

import (
	"net"
	"net/http"
	"time"

	"github.com/ipfs/kubo/client/rpc"
	"github.com/multiformats/go-multiaddr"
)

const (
	dialTimeout  = 5 * time.Second
	streamBuffer = 256 << 10
)

// connect makes a client of a node's RPC.
func connect(node multiaddr.Multiaddr, token string, t *http.Transport) (*rpc.HttpApi, error) {
	api, err := rpc.NewApiWithClient(node, &http.Client{Transport: t})
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
