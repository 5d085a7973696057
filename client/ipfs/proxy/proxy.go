// Package proxy stands between the people of a hospital and its kubo node. [New] makes a
// [Proxy], which is an [http.Handler] behind mutual TLS.
//
// kubo knows tokens, reads them when it starts, and serves parts of its API without any.
// So its API listens on a Unix socket that other users cannot reach, and the proxy is the
// only door for people. It
//
//   - takes a TLS client certificate of the hospital's own people, and asks the
//     revocation list about it at every request, so that access ends with the person;
//   - forwards the calls by which package client/ipfs adds and reads, with the options
//     and the values that it uses. People remove no pins, collect no garbage, and do not
//     stop the node;
//   - gets a good copy of a block from other hospitals' nodes when kubo's is damaged;
//   - makes only pins that the replicator looks after, and lets nobody end a request in
//     which kubo may have removed a pin to make it anew.
//
// When kubo does not answer, the proxy closes the connection, as kubo would.
package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/ipfs"
)

// Config configures a Proxy. All fields but CollectToken are required.
type Config struct {
	Socket  string // path of the Unix socket on which kubo's API listens
	Token   string // for kubo
	People  []byte // PEM roots of the people's TLS certificates
	Revoked string // path of the CA's revocation list, in PEM; it may change at any time
	Log     *slog.Logger

	CollectToken string // for kubo's repo/gc, see Proxy.Collect
}

// maxRunning bounds the requests of a person that run at a time, also after the person
// has hung up.
const maxRunning = 256

// checkPause is how often a request that runs for long is checked again.
const checkPause = 5 * time.Second

// A Proxy serves one kubo node. It is safe for concurrent use.
type Proxy struct {
	config  Config
	people  *x509.CertPool
	revoked *revocations
	forward *httputil.ReverseProxy
	store   *ipfs.Store // for repairs
	repairs chan struct{}
	gate    gate

	mu      sync.Mutex
	running map[string]int // requests, by the name of a person
}

// New returns a Proxy. It does not connect yet.
//
// Errors:
//   - ledger.ErrInvalid if a field is missing or malformed, or the revocation list cannot
//     be read.
func New(c Config) (*Proxy, error) {
	if c.Socket == "" || c.Token == "" || c.Log == nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "proxy: socket, token or log is missing")
	}
	p := &Proxy{config: c, people: x509.NewCertPool(), revoked: &revocations{file: c.Revoked}, running: map[string]int{}, repairs: make(chan struct{}, maxRepairs)}
	var err error
	if p.store, err = ipfs.New(ipfs.Options{API: "/unix/" + strings.TrimPrefix(c.Socket, "/"), Token: c.Token}); err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "proxy: %v", err)
	}
	if !p.people.AppendCertsFromPEM(c.People) {
		return nil, ledger.Errorf(ledger.ErrInvalid, "proxy: the people's roots hold no certificate in PEM")
	}
	if _, err := p.revoked.list(); err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "proxy: %v", err)
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite: p.rewrite,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", c.Socket)
			},
			MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true,
			ReadBufferSize: batchSize, WriteBufferSize: batchSize,
		},
		ModifyResponse: func(r *http.Response) error {
			switch call := r.Request.URL.Path[len(prefix):]; {
			case call == "cat":
				r.Body = batches{r.Body}
			case pinning[call]:
				r.Body = drained{r.Body}
			}
			return nil
		},
		BufferPool:   buffers{},
		ErrorHandler: p.away,
		ErrorLog:     slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// HTTP returns a server at an address. It speaks HTTP/1.1, as kubo does.
func (p *Proxy) HTTP(address string, certificate tls.Certificate) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Addr: address, Handler: p, Protocols: &protocols,
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.people,
		},
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(p.config.Log.Handler(), slog.LevelDebug),
	}
}

// ServeHTTP implements [http.Handler]. The request must have come over TLS with a
// verified client certificate.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		p.refuse(w, r, "nobody", "no client certificate")
		return
	}
	person := r.TLS.PeerCertificates[0]
	err := p.admit(person)
	if err == nil {
		err = allowed(r)
	}
	if err != nil {
		p.refuse(w, r, person.Subject.CommonName, err.Error())
		return
	}
	if !p.begin(person) {
		http.Error(w, fmt.Sprintf("%s has %d requests that run", person.Subject.CommonName, maxRunning), http.StatusTooManyRequests)
		return
	}
	defer p.end(person)
	control := http.NewResponseController(w)
	over := make(chan struct{})
	defer close(over)
	go p.watch(person, control, over)
	ctx := r.Context()
	call := r.URL.Path[len(prefix):]
	switch {
	case storing[call]:
		control.EnableFullDuplex() // kubo may answer before it has read all
	case r.ContentLength != 0:
		w.Header().Set("Connection", "close") // else net/http waits for the body, which nobody reads
	}
	if pinning[call] {
		var cancel context.CancelFunc
		ctx, cancel = outlive(ctx)
		defer cancel()
	}
	if call == repairCall {
		p.repair(w, r)
		return
	}
	if call == "pin/add" {
		switch answered, err := p.pinned(w, r); {
		case err != nil:
			p.away(w, r, err)
		case answered:
			return
		}
	}
	if pinning[call] {
		if p.gate.enter(r.Context(), storing[call]) != nil {
			return
		}
		defer p.gate.leave()
	}
	forwarded := r.WithContext(ctx)
	if storing[call] {
		forwarded.Body, forwarded.ContentLength = newBody(r), -1
	} else {
		forwarded.Body, forwarded.ContentLength = http.NoBody, 0 // kubo takes further arguments from a body
	}
	p.forward.ServeHTTP(w, forwarded)
}

// begin counts a request, unless its person has too many. A person can renew a
// certificate any number of times, so the name counts.
func (p *Proxy) begin(person *x509.Certificate) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := person.Subject.CommonName
	if p.running[id] == maxRunning {
		return false
	}
	p.running[id]++
	return true
}

func (p *Proxy) end(person *x509.Certificate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := person.Subject.CommonName
	if p.running[id]--; p.running[id] == 0 {
		delete(p.running, id)
	}
}

// watch hangs up on a request that runs for long when its person is revoked.
func (p *Proxy) watch(person *x509.Certificate, control *http.ResponseController, over <-chan struct{}) {
	tick := time.NewTicker(checkPause)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			if p.admit(person) != nil {
				control.SetReadDeadline(time.Now())
				control.SetWriteDeadline(time.Now())
			}
		}
	}
}

// admit decides whether a person with a certificate of the hospital's CA is still one of
// its people.
func (p *Proxy) admit(person *x509.Certificate) error {
	if now := time.Now(); now.After(person.NotAfter) {
		return fmt.Errorf("the TLS certificate of %s has expired", person.Subject.CommonName)
	}
	revoked, err := p.revoked.list()
	switch {
	case err != nil:
		p.config.Log.Error("nobody is served until the revocation list can be read", "error", err.Error())
		return fmt.Errorf("the revocation list cannot be read")
	case revoked[person.SerialNumber.String()]:
		return fmt.Errorf("the TLS certificate of %s was revoked", person.Subject.CommonName)
	}
	return nil
}

// refuse answers as kubo does, whose client takes 403 for ErrDenied.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, person, why string) {
	p.config.Log.Warn("refused", "person", person, "call", r.URL.Path, "reason", why)
	http.Error(w, why, http.StatusForbidden)
}

// away hangs up when kubo does not answer. An error of HTTP would look like one of
// kubo's.
func (p *Proxy) away(_ http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		p.config.Log.Warn("kubo does not answer", "call", r.URL.Path, "error", err.Error())
	}
	panic(http.ErrAbortHandler)
}

// rewrite makes the request to kubo. Of what the person sent, it has the call, its
// options, and a body to store.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	query, _ := url.ParseQuery(r.In.URL.RawQuery) // allowed has parsed it
	r.Out.URL = &url.URL{Scheme: "http", Host: "localhost", Path: r.In.URL.Path, RawQuery: query.Encode()}
	r.Out.Host = "localhost"
	r.Out.Header = http.Header{"Authorization": {"Bearer " + p.config.Token}}
	if v := r.In.Header.Get("Content-Type"); storing[r.In.URL.Path[len(prefix):]] && v != "" {
		r.Out.Header.Set("Content-Type", v)
	}
}

// ReadToken reads a token from a file of one line.
func ReadToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if token := strings.TrimSpace(string(text)); token != "" {
		return token, nil
	}
	return "", ledger.Errorf(ledger.ErrInvalid, "%s holds no token", file)
}
