package ipfs

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/multiformats/go-multiaddr"
)

// patient times never pass in a test: whatever ends a call is an event.
var patient = times{idle: time.Hour, streamIdle: time.Hour, groupIdle: time.Hour}

// newStore starts a fake node and connects to it. Its times are patient, so that a slow
// machine makes no difference.
func newStore(t *testing.T) (*fakeKubo, *Store) {
	t.Helper()
	k := newFakeKubo()
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	k.api = multiaddress(server)
	return k, k.connect(t)
}

// connect returns another store of the same node.
func (k *fakeKubo) connect(t *testing.T) *Store { return connectTo(t, k.api, k.token) }

func connectTo(t *testing.T, api, token string) *Store {
	t.Helper()
	s, err := New(Options{API: api, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	s.times = patient
	return s
}

func multiaddress(s *httptest.Server) string {
	host, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	return "/ip4/" + host + "/tcp/" + port
}

// inBubble runs a test with a fake node, the default times, and a clock that only moves
// when everybody waits: what the test measures does not depend on the machine.
func inBubble(t *testing.T, test func(t *testing.T, k *fakeKubo, s *Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKubo()
		test(t, k, pipeStore(t, k, k.token))
	})
}

// pipeStore connects a store with a node in memory.
func pipeStore(t *testing.T, node http.Handler, token string) *Store {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: node}
	go server.Serve(l)
	const api = "/ip4/127.0.0.1/tcp/5001"
	s, err := New(Options{API: api, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	short, stream := newTransport(nil), newStreamTransport(nil)
	short.DialContext, stream.DialContext = l.dial, l.dial
	if s.api, err = connect(multiaddr.StringCast(api), token, short); err != nil {
		t.Fatal(err)
	}
	if s.streams, err = connect(multiaddr.StringCast(api), token, stream); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		short.CloseIdleConnections()
		stream.CloseIdleConnections()
		server.Close()
	})
	return s
}

// A pipeListener accepts connections in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }
