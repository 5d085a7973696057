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

// newTransport is for requests and their answers. The client's default opens a connection
// for every block.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: 2 * maxRequests,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: dialTimeout,
	}
}

// newStreamTransport is for what is larger than a block. Its buffers move in one call to
// the system what the usual 4 KiB move in sixty-four. A connection serves one stream: who
// has read enough cuts it.
func newStreamTransport() *http.Transport {
	t := newTransport()
	t.DisableKeepAlives = true
	t.ReadBufferSize, t.WriteBufferSize = streamBuffer, streamBuffer
	return t
}
