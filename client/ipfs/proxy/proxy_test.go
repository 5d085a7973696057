package proxy

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// payload is the CID of one, and addCall the call that stores a larger one.
const (
	payload = "bafkreicn3iktvyvmb4oimrz2vpljh75efa3gyaxdvz6nvqfbqeizcrhfna"
	addCall = "add?cid-version=1&raw-leaves=true&chunker=size-1048576&hash=sha2-256&pin=true&pin-name=chartseal-file&quieter=true"
)

// A hospital has a CA, a kubo node that is played by a handler, and a proxy.
type hospital struct {
	*testing.T
	root    *x509.Certificate
	key     crypto.Signer
	revoked string
	url     string
	proxy   *Proxy
}

func newHospital(t *testing.T, kubo http.HandlerFunc) *hospital {
	t.Helper()
	dir := t.TempDir()
	h := &hospital{T: t, revoked: filepath.Join(dir, "revoked.pem")}
	h.root, h.key = certify(t, nil, nil, "root", 1)
	h.revoke()
	socket := filepath.Join(dir, "rpc")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	node := &httptest.Server{Listener: listener, Config: &http.Server{Handler: kubo}}
	node.Start()
	t.Cleanup(node.Close)
	p, err := New(Config{Socket: socket, Token: "secret", People: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.root.Raw}),
		Revoked: h.revoked, Log: slog.New(slog.DiscardHandler), CollectToken: "collect"})
	if err != nil {
		t.Fatal(err)
	}
	h.proxy = p
	server := p.HTTP("", tls.Certificate{Certificate: [][]byte{h.root.Raw}, PrivateKey: h.key})
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.ServeTLS(front, "", "")
	t.Cleanup(func() { server.Close() })
	h.url = "https://" + front.Addr().String()
	return h
}

// certify makes a certificate below a root, or a root.
func certify(t *testing.T, root *x509.Certificate, by crypto.Signer, name string, serial int64) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if root == nil {
		root, by = template, key
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		template.ExtKeyUsage = nil
		template.SubjectKeyId = []byte{1}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

// revoke replaces the revocation list.
func (h *hospital) revoke(serials ...int64) {
	h.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, h.root, h.key)
	if err != nil {
		h.Fatal(err)
	}
	h.replace(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func (h *hospital) replace(list []byte) {
	h.Helper()
	if err := os.WriteFile(h.revoked+".new", list, 0o600); err != nil {
		h.Fatal(err)
	}
	if err := os.Rename(h.revoked+".new", h.revoked); err != nil {
		h.Fatal(err)
	}
}

// person makes a client of a nurse, who may have several certificates. Its connections
// are kept.
func (h *hospital) person(serial int64) *http.Client { return h.named("nurse", serial) }

func (h *hospital) named(name string, serial int64) *http.Client {
	certificate, key := certify(h.T, h.root, h.key, name, serial)
	return client(h.T, tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key})
}

func client(t *testing.T, certificates ...tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificates}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (h *hospital) call(c *http.Client, method, path, body string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(h.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer other")
	req.Header.Set("Origin", "http://evil.example")
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// echo tells what kubo gets.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v0/pin/ls" && r.URL.Query().Get("type") == "recursive" {
		http.Error(w, "not pinned", http.StatusInternalServerError)
		return
	}
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %v %s", r.URL, r.Header.Get("Authorization"), r.Header.Get("Origin"), r.Header.Get("Content-Type"), body)
}

func TestCalls(t *testing.T) {
	h := newHospital(t, echo)
	nurse := h.person(2)
	for path, ok := range map[string]bool{
		"/api/v0/add?pin=true&pin-name=chartseal-file&quieter=true&cid-version=1": true,
		"/api/v0/cat?arg=x&offset=3": true, "/api/v0/block/get?arg=x&offline=true&timeout=1s": true, "/api/v0/block/put?pin=true": true,
		"/api/v0/block/stat?arg=x": true, "/api/v0/dag/import?pin-roots=false&stats=true": true,
		"/api/v0/pin/add?arg=" + payload + "&recursive=true&name=chartseal-tie-abc": true, "/api/v0/pin/add?arg=" + payload: true, "/api/v0/" + addCall: true, "/api/v0/pin/ls?names=true&stream=true&encoding=json&stream-channels=true": true,

		"/api/v0/pin/rm?arg=x": false, "/api/v0/pin/update?arg=x&arg=y": false, "/api/v0/block/rm?arg=x": false, "/api/v0/repo/gc": false,
		"/api/v0/shutdown": false, "/api/v0/config/show": false, "/api/v0/files/rm?arg=/": false, "/api/v0/id": false,
		"/debug/metrics/prometheus": false, "/": false, "/api/v0/": false, "/api/v0": false, "": false,
		"/api/v0/add/../pin/rm?arg=x": false, "/api/v0//pin/rm?arg=x": false, "/api/v0/add%2f..%2fpin%2frm?arg=x": false,
		"/api/v0/add/": false, "/api/v0/ADD": false, "//api/v0/add": false, "/webui": false,
		"/api/v0/add?nocopy=true": false, "/api/v0/add?to-files=/x": false, "/api/v0/add?pin-name=backup": false,
		"/api/v0/pin/add?arg=x&name=chartseal-a&name=backup": false, "/api/v0/pin/ls?arg=x;name=y": false, "/api/v0/cat?arg=x%zz": false,
		"/api/v0/pin/add?arg=" + payload + "&name=chartseal-a&name=backup": false, "/api/v0/pin/add?arg=" + payload + "&timeout=1ms": false,

		// what Chartseal would not find, or takes for something else
		"/api/v0/dag/import": false, "/api/v0/dag/import?pin-roots=true": false, "/api/v0/dag/import?pin-roots=1": false, "/api/v0/dag/import?pin-roots=false&pin-roots=true": false,
		"/api/v0/block/put?pin=true&cid-codec=dag-pb": false, "/api/v0/block/put?pin=1&cid-codec=dag-pb": false, "/api/v0/block/put?cid-codec=dag-pb&pin=false": true,
		"/api/v0/block/put?pin=true&cid-codec=dag-cbor": false, "/api/v0/block/put?pin=true&mhtype=sha2-512": false, "/api/v0/block/put?cid-codec=raw&mhtype=sha2-256&pin=true": true,
		"/api/v0/add": false, "/api/v0/add?cid-version=1": false, "/api/v0/add?cid-version=1&pin-name=chartseal-tie-x": false, "/api/v0/add?cid-version=0&pin-name=chartseal-file": false,
		"/api/v0/" + addCall + "&hash=sha2-512": false, "/api/v0/add?cid-version=1&pin-name=chartseal-file&hash=blake3": false,
		"/api/v0/pin/add?arg=" + payload + "&recursive=false": false, "/api/v0/pin/add?arg=" + payload + "&name=chartseal-file": false,
		"/api/v0/pin/add?arg=" + payload + "/x": false, "/api/v0/pin/add?arg=/ipns/x": false, "/api/v0/pin/add?arg=QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG": false,
		"/api/v0/pin/add": false, "/api/v0/pin/add?arg=" + payload + "&arg=" + payload: false,
	} {
		status, text, err := h.call(nurse, http.MethodPost, path, "body")
		if err != nil || (status == http.StatusOK) != ok || !ok && status != http.StatusForbidden {
			t.Errorf("%s: %d %s, %v", path, status, text, err)
		}
		got := " Bearer secret   "
		if call, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/v0/"), "?"); storing[call] {
			got = " Bearer secret  multipart/form-data; boundary=x body"
		}
		if ok && (!strings.HasPrefix(text, strings.SplitN(path, "?", 2)[0]+"?") || !strings.HasSuffix(text, got)) {
			t.Errorf("%s: kubo got %s", path, text)
		}
	}
	if status, text, err := h.call(nurse, http.MethodGet, "/api/v0/cat?arg=x", ""); status != http.StatusForbidden {
		t.Errorf("GET: %d %s, %v", status, text, err)
	}
}

// TestPeople: nobody but the hospital's people gets through, and those who are revoked
// get nothing from the next request on, also on a connection that they have.
func TestPeople(t *testing.T) {
	h := newHospital(t, echo)
	const call = "/api/v0/cat?arg=x"
	nurse, doctor := h.person(2), h.person(3)
	want := func(what string, c *http.Client, status int) {
		t.Helper()
		if got, text, err := h.call(c, http.MethodPost, call, ""); got != status {
			t.Errorf("%s: %d %s, %v, want %d", what, got, text, err, status)
		}
	}
	want("the nurse", nurse, 200)
	want("nobody", client(t), 0)
	foreignRoot, foreignKey := certify(t, nil, nil, "root", 1)
	foreigner, key := certify(t, foreignRoot, foreignKey, "nurse", 2)
	want("a foreigner", client(t, tls.Certificate{Certificate: [][]byte{foreigner.Raw}, PrivateKey: key}), 0)
	h.revoke(2)
	want("the revoked nurse", nurse, 403)
	want("the revoked nurse, on a new connection", h.person(2), 403)
	want("the doctor", doctor, 200)
	h.revoke()
	want("the nurse again", nurse, 200)
	h.replace([]byte("damaged"))
	want("without a readable list", doctor, 403)
	if err := os.Remove(h.revoked); err != nil {
		t.Fatal(err)
	}
	want("without a list", doctor, 403)
	h.revoke(2)
	want("the list is back, the doctor", doctor, 200)
	want("the list is back, the nurse", nurse, 403)
}

// TestRevokedMeanwhile: a request that runs for long ends after its person is revoked.
func TestRevokedMeanwhile(t *testing.T) {
	h := newHospital(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprintln(w, "more")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	go func() {
		time.Sleep(100 * time.Millisecond)
		h.revoke(2)
	}()
	start := time.Now()
	if _, text, err := h.call(h.person(2), http.MethodPost, "/api/v0/cat?arg=x", ""); err == nil || !strings.HasPrefix(text, "more") {
		t.Errorf("%v after %d bytes", err, len(text))
	}
	if took := time.Since(start); took > 4*checkPause {
		t.Errorf("it ended after %v", took)
	}
}

// TestKuboAway: a node that does not answer is no refusal, which a client would believe.
func TestKuboAway(t *testing.T) {
	h := newHospital(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if status, text, err := h.call(h.person(2), http.MethodPost, "/api/v0/pin/ls?arg=x", ""); err == nil {
		t.Errorf("%d %s", status, text)
	}
}

// TestBothWays: kubo answers while it still reads, and ends with a trailer.
func TestBothWays(t *testing.T) {
	h := newHospital(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Trailer", "X-Stream-Error")
		fmt.Fprintln(w, "began")
		w.(http.Flusher).Flush()
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, n)
		w.Header().Set("X-Stream-Error", "late")
	})
	body, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/api/v0/"+addCall, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.person(2).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	large := make([]byte, 4<<20)
	w.Write(large)
	w.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || string(text) != "began\n4194304\n" || resp.Trailer.Get("X-Stream-Error") != "late" {
		t.Errorf("%q, %v, trailer %v", text, err, resp.Trailer)
	}
}

// TestPinsSurvive: kubo removes a pin before it makes it anew, and a request that ends in
// between loses it. A person asks for a pin that is there, or stores what is there, and
// hangs up. A body that stays open until then has parts that kubo has read, and more may
// come: kubo would notice when it writes.
func TestPinsSurvive(t *testing.T) {
	calls := []string{"pin/add?arg=" + payload + "&progress=true", addCall, "block/put?pin=true", "dag/import?pin-roots=false"}
	for i := range 2 * len(calls) {
		call, open := calls[i/2], i%2 == 1
		asked, done := make(chan bool), make(chan error, 1)
		h := newHospital(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v0/pin/ls" {
				http.Error(w, "not pinned", http.StatusInternalServerError)
				return
			}
			http.NewResponseController(w).EnableFullDuplex()
			if form, err := r.MultipartReader(); err != nil {
				io.Copy(io.Discard, r.Body)
			} else if part, err := form.NextPart(); err == nil {
				io.Copy(io.Discard, part)
			}
			for range 100 { // longer than the proxy's buffers
				fmt.Fprintf(w, "%s\n", strings.Repeat("progress", 1<<10))
				w.(http.Flusher).Flush()
			}
			asked <- true
			var err error
			for begun := time.Now(); err == nil && time.Since(begun) < 500*time.Millisecond; time.Sleep(10 * time.Millisecond) {
				if _, err = fmt.Fprintln(w, "progress"); err == nil {
					err = http.NewResponseController(w).Flush()
				}
				err = cmp.Or(err, r.Context().Err())
			}
			done <- err
		})
		ctx, hangUp := context.WithCancel(t.Context())
		var body io.Reader = strings.NewReader("--x\r\n\r\n" + payload + "\r\n--x\r\n\r\n")
		if open {
			body = io.MultiReader(body, waiting{ctx})
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/api/v0/"+call, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		go func() {
			<-asked
			hangUp()
		}()
		if resp, err := h.person(2).Do(req); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err := <-done; err != nil {
			t.Errorf("%s, body open %v: kubo's request ended with the person's: %v", call, open, err)
		}
	}
}

// waiting is a body that stays open.
type waiting struct{ context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.Done()
	return 0, w.Err()
}

// TestCutOff: what is cut off does not look whole to kubo. With a length stated or not,
// kubo never gets the boundary that ends a form.
func TestCutOff(t *testing.T) {
	for _, length := range []int64{-1, 1000} {
		got := make(chan error, 1)
		h := newHospital(t, func(w http.ResponseWriter, r *http.Request) {
			form, err := r.MultipartReader()
			if err == nil {
				var part io.Reader
				if part, err = form.NextPart(); err == nil {
					_, err = io.Copy(io.Discard, part)
				}
			}
			got <- err
		})
		ctx, hangUp := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/api/v0/"+addCall, io.MultiReader(strings.NewReader("--x\r\n\r\ncut"), waiting{ctx}))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		time.AfterFunc(200*time.Millisecond, hangUp)
		if resp, err := h.person(2).Do(req); err == nil {
			resp.Body.Close()
		}
		if err := <-got; err == nil {
			t.Errorf("length %d: kubo got a whole file", length)
		}
	}
}

// TestBodiesOfArguments: kubo takes arguments from the body too. None reaches it.
func TestBodiesOfArguments(t *testing.T) {
	h := newHospital(t, echo)
	for _, call := range []string{"pin/add?arg=" + payload, "cat?arg=x", "block/get?arg=x", "block/stat?arg=x", "pin/ls?arg=x"} {
		status, text, err := h.call(h.person(2), http.MethodPost, "/api/v0/"+call, "--x\r\n\r\nother\r\n--x--\r\n")
		if err != nil || status != http.StatusOK || strings.Contains(text, "other") || strings.Contains(text, "boundary") {
			t.Errorf("%s: %d, %v: kubo got %s", call, status, err, text)
		}
	}
}

// TestTooMany: a person's requests for payloads that nobody has are bounded, also when
// the person hangs up or has renewed the certificate. Others are served.
func TestTooMany(t *testing.T) {
	over := make(chan struct{})
	var waiting atomic.Int32 // at kubo
	h := newHospital(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v0/pin/ls":
			http.Error(w, "not pinned", http.StatusInternalServerError)
		case "/api/v0/pin/add":
			waiting.Add(1)
			<-over
		}
	})
	defer close(over)
	nurse := h.person(2)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	var calls sync.WaitGroup
	for range maxRunning {
		calls.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/api/v0/pin/add?arg="+payload, nil)
			if resp, err := nurse.Do(req); err == nil {
				resp.Body.Close()
			}
		})
	}
	for deadline := time.Now().Add(20 * time.Second); waiting.Load() < maxRunning && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, c := range []*http.Client{nurse, nurse, h.person(3)} {
		if status, text, err := h.call(c, http.MethodPost, "/api/v0/cat?arg=x", ""); status != http.StatusTooManyRequests {
			t.Errorf("with %d requests: %d %s, %v", waiting.Load(), status, text, err)
		}
		hangUp()
		calls.Wait()
	}
	if other, text, err := h.call(h.named("doctor", 4), http.MethodPost, "/api/v0/cat?arg=x", ""); other != http.StatusOK {
		t.Errorf("another person: %d %s, %v", other, text, err)
	}
}

// TestPinnedAlready: kubo is not asked for a pin that is there.
func TestPinnedAlready(t *testing.T) {
	h := newHospital(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v0/pin/ls" || r.URL.Query().Get("arg") != payload || r.URL.Query().Get("type") != "recursive" {
			t.Errorf("kubo is asked for %s", r.URL)
		}
		io.WriteString(w, `{"Keys":{"`+payload+`":{"Type":"recursive"}}}`)
	})
	status, text, err := h.call(h.person(2), http.MethodPost, "/api/v0/pin/add?arg="+payload+"&recursive=true&name=chartseal-tie-a", "")
	if status != http.StatusOK || text != `{"Pins":["`+payload+`"]}`+"\n" {
		t.Errorf("%d %q, %v", status, text, err)
	}
	if status, text, err := h.call(h.person(2), http.MethodPost, "/api/v0/pin/add?arg="+payload+"&arg="+payload[:58]+"b", ""); status != http.StatusForbidden {
		t.Errorf("two pins: %d %q, %v", status, text, err)
	}
}

func TestNewProxy(t *testing.T) {
	h := newHospital(t, echo)
	good := Config{Socket: "s", Token: "t", People: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.root.Raw}), Revoked: h.revoked, Log: slog.Default()}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no socket": func(c *Config) { c.Socket = "" }, "no token": func(c *Config) { c.Token = "" },
		"no people": func(c *Config) { c.People = []byte("x") }, "no list": func(c *Config) { c.Revoked = h.revoked + "x" },
	} {
		c := good
		change(&c)
		if _, err := New(c); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBody: a body fails until the end of a part may have passed, and then ends instead,
// however it is cut into reads.
func TestBody(t *testing.T) {
	for form, fails := range map[string]bool{
		"": true, "--x\r\n\r\nfile": true, "--x\r\n\r\nfile\r\n--": true, "--x\r\n\r\nfile\r\n-x": true,
		"--x\r\n\r\nfile\r\n--x": false, "--x\r\n\r\nfile\r\n--x\r\n\r\nsecond": false, "--x--x": false, "-----x-----x": false,
	} {
		for size := 1; size <= len(form)+1; size++ {
			r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader(form), iotest.ErrReader(errors.New("gone"))))
			r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			b, got := newBody(r), []byte(nil)
			var err error
			for p := make([]byte, size); err == nil; {
				var n int
				n, err = b.Read(p)
				got = append(got, p[:n]...)
			}
			if string(got) != form || (err != io.EOF) != fails {
				t.Errorf("%q by %d: got %q, %v", form, size, got, err)
			}
		}
	}
}
