package authority

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/chartseal/chartseal/abe"
)

// Paths of the service.
const (
	KeysPath   = "/v1/keys" // POST, empty body or a KeysRequest; needs a client certificate
	HealthPath = "/healthz" // GET
)

// A KeysRequest is the body of a request. Without versions, or without a body, it asks
// for the newest versions of all attributes that the holder has.
type KeysRequest struct {
	Versions []VersionRange `json:"versions,omitempty"`
}

// A VersionRange names versions of an attribute, From and To included.
type VersionRange struct {
	Name string `json:"name"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// A KeysResponse is the body of a successful request.
type KeysResponse struct {
	Authority string      `json:"authority"`
	GID       string      `json:"gid"`
	Keys      []IssuedKey `json:"keys"`
}

// An IssuedKey is one key of a response.
type IssuedKey struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Key     string `json:"key"` // base64 (standard, padded) of abe.UserKey's encoding
}

// An ErrorResponse is the body of a refused request.
type ErrorResponse struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Codes in an [ErrorResponse], beside those of [DeniedError].
const (
	CodeBadRequest  = "bad-request" // 400
	CodeTooMany     = "too-many"    // 429
	CodeUnavailable = "unavailable" // 503
	CodeInternal    = "internal"    // 500
)

// maxVersions is how many of an attribute's newest versions a holder gets unasked.
const maxVersions = 64

// MaxVersionsPerRequest bounds the versions that a request may name. They are a second's
// work.
const MaxVersionsPerRequest = 1024

const maxRequest = 256 << 10 // bytes of a request's body

// A Config is what a [Server] needs.
type Config struct {
	Master   *abe.MasterKey
	Mapping  *Mapping
	Verifier *Verifier
	// Versions returns the current published version of each named attribute, and leaves
	// unpublished names out. It should not take a peer's word for a version: it can check
	// the public key published with it, which only the master key can have made.
	Versions func(ctx context.Context, names []string) (map[string]int, error)
	Log      *slog.Logger // who got which names and versions; never a key. Default: slog.Default()
	Limit    Limit        // of requests by one GID
}

// A Server answers key requests. It is an http.Handler; serve it with [Server.HTTP], or
// with the TLS configuration of [ServerTLS].
type Server struct {
	config Config
	mux    *http.ServeMux
	limits *limiter
}

// NewServer checks the configuration.
func NewServer(c Config) (*Server, error) {
	if c.Master == nil || c.Mapping == nil || c.Verifier == nil || c.Versions == nil {
		return nil, errors.New("authority server: incomplete configuration")
	}
	if c.Master.Authority() != c.Mapping.authority {
		return nil, fmt.Errorf("authority server: master key of %s with rules for %s", c.Master.Authority(), c.Mapping.authority)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &Server{config: c, mux: http.NewServeMux(), limits: newLimiter(c.Limit)}
	s.mux.HandleFunc("POST "+KeysPath, s.keys)
	s.mux.HandleFunc("GET "+HealthPath, s.health)
	return s, nil
}

// ServerTLS is the TLS configuration of an authority: TLS 1.3 and a client certificate,
// whose key the handshake proves. The handler, not the handshake, verifies the
// certificate, so that its answer can give the reason of a refusal.
func ServerTLS(certificate tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{certificate},
		ClientAuth:             tls.RequestClientCert,
		SessionTicketsDisabled: true, // each connection proves the client's key anew
		NextProtos:             []string{"http/1.1"},
	}
}

// HTTP makes the http.Server around s, with limits that a slow or hostile client cannot
// stretch. Serve with ListenAndServeTLS("", "").
func (s *Server) HTTP(address string, certificate tls.Certificate) *http.Server {
	return &http.Server{
		Addr:              address,
		Handler:           s,
		TLSConfig:         ServerTLS(certificate),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"authority": s.config.Master.Authority(), "status": "ok"})
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	var asked KeysRequest
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &asked)
	}
	if err != nil || len(body) > maxRequest || !asked.bounded() {
		s.refuse(w, r, errBadRequest)
		return
	}
	response, err := s.issue(r, asked)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, response)
}

// bounded reports whether a request names no more versions than it may.
func (q KeysRequest) bounded() bool {
	left := MaxVersionsPerRequest
	for _, v := range q.Versions {
		if v.From < 1 || v.To < v.From || v.To-v.From >= left {
			return false
		}
		left -= v.To - v.From + 1
	}
	return true
}

// wanted lists the versions to issue: those that the request names, of attributes that
// the holder has and that are published, or the newest ones.
func (q KeysRequest) wanted(names []string, versions map[string]int) []abe.KeyVersion {
	ranges := q.Versions
	if len(ranges) == 0 {
		for _, name := range names {
			ranges = append(ranges, VersionRange{name, max(1, versions[name]-maxVersions+1), versions[name]})
		}
	}
	var wanted []abe.KeyVersion
	for _, r := range ranges {
		if !slices.Contains(names, r.Name) {
			continue
		}
		// A holder who is entitled now may also open records sealed under earlier
		// versions. A rotation excludes those who are not entitled any more.
		for v := r.From; v <= min(r.To, versions[r.Name]); v++ {
			wanted = append(wanted, abe.KeyVersion{Attribute: r.Name, Version: v})
		}
	}
	return wanted
}

func (s *Server) issue(r *http.Request, asked KeysRequest) (*KeysResponse, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, denied(CodeNoCertificate, "present the enrolment certificate as TLS client certificate")
	}
	ctx := r.Context()
	holder, err := s.config.Verifier.Verify(ctx, r.TLS.PeerCertificates[0])
	if err != nil {
		return nil, err
	}
	if !s.limits.allow(holder.GID()) {
		return nil, errTooMany
	}
	names := s.config.Mapping.Grant(holder, time.Now())
	if len(names) == 0 {
		return nil, denied(CodeNothing, fmt.Sprintf("%s grants nothing to %s", s.config.Master.Authority(), holder.GID()))
	}
	versions, err := s.config.Versions(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("%w: published versions: %v", ErrUnavailable, err)
	}
	response := &KeysResponse{Authority: s.config.Master.Authority(), GID: holder.GID(), Keys: []IssuedKey{}}
	wanted := slices.DeleteFunc(asked.wanted(names, versions), func(k abe.KeyVersion) bool {
		return s.config.Master.Foreign(k.Attribute, k.Version)
	})
	keys, err := s.config.Master.IssueAll(holder.GID(), wanted)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		b, err := key.MarshalBinary()
		if err != nil {
			return nil, err
		}
		response.Keys = append(response.Keys, IssuedKey{key.Name(), key.Version(), base64.StdEncoding.EncodeToString(b)})
		clear(b)
	}
	s.config.Log.Info("issued", "gid", holder.GID(), "certificate", holder.Serial, "keys", issued(response.Keys), "remote", r.RemoteAddr)
	return response, nil
}

// issued lists keys for the log by name and version.
func issued(keys []IssuedKey) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = fmt.Sprintf("%s@%d", k.Name, k.Version)
	}
	return out
}

var (
	errTooMany    = fmt.Errorf("%w: too many requests", ErrUnavailable)
	errBadRequest = errors.New("malformed request")
)

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, body := http.StatusInternalServerError, ErrorResponse{CodeInternal, "internal error"}
	var refusal *DeniedError
	switch {
	case errors.As(err, &refusal):
		status, body = http.StatusForbidden, ErrorResponse{refusal.Code, refusal.Message}
	case errors.Is(err, errBadRequest):
		status, body = http.StatusBadRequest, ErrorResponse{CodeBadRequest, fmt.Sprintf("the body needs to be empty or JSON that names up to %d versions", MaxVersionsPerRequest)}
	case errors.Is(err, errTooMany):
		w.Header().Set("Retry-After", fmt.Sprint(int(s.limits.limit.Every.Seconds())+1))
		status, body = http.StatusTooManyRequests, ErrorResponse{CodeTooMany, "too many requests"}
	case errors.Is(err, ErrUnavailable):
		status, body = http.StatusServiceUnavailable, ErrorResponse{CodeUnavailable, "the authority cannot reach the ledger"}
	}
	s.config.Log.Warn("refused", "code", body.Code, "error", err.Error(), "subject", subject(r), "remote", r.RemoteAddr)
	writeJSON(w, status, body)
}

// subject is the claim of an unverified certificate, for the log.
func subject(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	text := r.TLS.PeerCertificates[0].Subject.String()
	return fmt.Sprintf("%.200q", text)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// sortKeys puts keys in the order of names, then versions.
func sortKeys(keys []*abe.UserKey) {
	slices.SortFunc(keys, func(a, b *abe.UserKey) int {
		return cmp.Or(cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.Version(), b.Version()))
	})
}
