package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multiaddr"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/replica"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

// proxyURL is where a wallet's user reaches kubo.
func proxyURL(t *testing.T, u *wallet.User) string {
	t.Helper()
	address, err := multiaddr.NewMultiaddr(u.Profile.IPFS.API)
	if err != nil {
		t.Fatal(err)
	}
	ip, err := address.ValueForProtocol(multiaddr.P_IP4)
	if err != nil {
		t.Fatal(err)
	}
	port, err := address.ValueForProtocol(multiaddr.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	scheme := "http"
	if strings.HasSuffix(u.Profile.IPFS.API, "/https") {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s:%s", scheme, ip, port)
}

// kuboAs calls a hospital's kubo node with everything that a wallet has for it, and with
// a program of its own. Body may be nil.
func kuboAs(t *testing.T, u *wallet.User, call string, body []byte) ([]byte, error) {
	t.Helper()
	var content bytes.Buffer
	form := multipart.NewWriter(&content)
	if body != nil {
		part, err := form.CreateFormFile("file", "file")
		if err != nil {
			t.Fatal(err)
		}
		part.Write(body)
	}
	form.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxyURL(t, u)+"/api/v0/"+call, &content)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+u.Profile.IPFS.Token)
	config := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{u.TLS}}
	resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", resp.Status, data)
	}
	return data, err
}

// addCall stores and pins a file, as the proxy takes it.
const addCall = "add?cid-version=1&raw-leaves=true&pin=true&pin-name=chartseal-file&quieter=true"

// TestNobodyUnpins plays a nurse who has a program of her own. With what her wallet has,
// she removes the pin of another person's record, collects garbage and stops the node.
// She also has kubo pin the record again, and hangs up between removing the old pin and
// making the new one. Revoked, she goes on reading and adding.
func TestNobodyUnpins(t *testing.T) {
	const home, leaver = "HospitalC", "leaver-k@HospitalC"
	secret, err := consortium.Register(t.Context(), home, "leaver-k", map[string]string{"role": "nurse"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, exitDone, leaver, "enroll", leaver, "--secret-file", write(t, "secret", []byte(secret)))
	t.Cleanup(func() { os.RemoveAll(filepath.Join(consortium.Wallet(), leaver)) })
	nurse := user(t, leaver)

	out, err := kuboAs(t, nurse, addCall, []byte("the nurse's own"))
	if err != nil {
		t.Fatal("the nurse adds: ", err)
	}
	var added struct{ Hash string }
	if err := json.Unmarshal(out, &added); err != nil {
		t.Fatal(err)
	}
	if data, err := kuboAs(t, nurse, "cat?arg="+added.Hash, nil); err != nil || string(data) != "the nurse's own" {
		t.Fatalf("the nurse reads %q, %v", data, err)
	}
	pinned := pins(t, home)
	if !slices.Contains(pinned, added.Hash) {
		t.Fatal("nothing is pinned")
	}
	for _, call := range []string{
		"pin/rm?arg=" + added.Hash, "pin/update?arg=" + added.Hash + "&arg=" + pinned[0], "block/rm?arg=" + added.Hash + "&force=true",
		"repo/gc", "config/show", "files/rm?arg=/&recursive=true&force=true", "add/../pin/rm?arg=" + added.Hash, "cat/../pin/rm?arg=" + added.Hash,
		"add%2f..%2fpin%2frm?arg=" + added.Hash, "/pin/rm?arg=" + added.Hash, "shutdown",
	} {
		if _, err := kuboAs(t, nurse, call, nil); err == nil {
			t.Errorf("a nurse calls %s", call)
		}
	}
	if !slices.Contains(pins(t, home), added.Hash) {
		t.Error("a nurse removed a pin")
	}

	row := seal(t, doctorA, write(t, "victim.bin", bytes.Repeat([]byte("victim"), 1<<20)), "--policy", twoDoctors)[0]
	awaitPinned(t, row.CID, home)
	decoy, err := kuboAs(t, nurse, "block/put?pin=false", []byte("a decoy that is not pinned"))
	var stored struct{ Key string }
	if err != nil || json.Unmarshal(decoy, &stored) != nil {
		t.Fatal("the nurse stores a block: ", err)
	}
	tries := 3
	if testing.Short() {
		tries = 1
	}
	victims := strings.Repeat(row.CID+"\n", 5000)
	car := append([]byte("\x3a\xa2eroots\x81\xd8*X%\x00"), cid.MustParse(row.CID).Bytes()...)
	for _, attack := range []struct {
		call string
		body []byte
	}{
		{"pin/add?arg=" + stored.Key + "&progress=true", []byte(victims)},
		{"pin/add?arg=" + stored.Key, []byte(victims)},
		{"pin/add?arg=" + row.CID + "&recursive=false", []byte(victims)},
		{"dag/import?pin-roots=true", append(car, "gversion\x01"...)},
		{"dag/import", append(car, "gversion\x01"...)},
	} {
		for n := range tries {
			hangUp(t, nurse, attack.call, attack.body, 700*time.Millisecond+time.Duration(n)*130*time.Millisecond)
			if !slices.Contains(pins(t, home), row.CID) {
				t.Errorf("a nurse removed a pin by hanging up on %s, try %d", attack.call, n)
				break
			}
		}
	}

	if err := consortium.Revoke(t.Context(), home, "leaver-k"); err != nil {
		t.Fatal(err)
	}
	if _, err := kuboAs(t, nurse, "cat?arg="+added.Hash, nil); err == nil {
		t.Error("a revoked nurse reads")
	}
	if _, err := kuboAs(t, nurse, addCall, []byte("junk")); err == nil {
		t.Error("a revoked nurse adds")
	}
}

// hangUp sends a part of a form with more to come, reads what is answered for a time, and
// hangs up. Then it leaves kubo a moment.
func hangUp(t *testing.T, u *wallet.User, call string, part []byte, after time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	body, w := io.Pipe()
	go func() {
		fmt.Fprintf(w, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n%s\r\n--x\r\n\r\n", part)
		<-ctx.Done()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, proxyURL(t, u)+"/api/v0/"+call, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	config := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{u.TLS}}
	if resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}).Do(req); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	body.Close()
	time.Sleep(300 * time.Millisecond)
}

// TestSweep: the replicator unpins what is in no record, small and large, and nothing
// else: not what any hospital has registered, and not the operator's own pins.
func TestSweep(t *testing.T) {
	const home, grace = "HospitalA", time.Millisecond
	large := bytes.Repeat([]byte("large"), 1<<20)
	seal(t, doctorA, write(t, "small.txt", []byte("small")), write(t, "large.bin", large), "--policy", twoDoctors)
	seal(t, doctorB, write(t, "there.txt", []byte("there")), "--policy", twoDoctors)
	level(t)
	node := store(t, home, 0)
	put := func(data []byte) string {
		id, err := node.Put(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	junk := []string{put([]byte("no record")), put(append(large, "no record"...))}
	backup := put([]byte("a backup"))
	if err := kubo(t, home).Request("pin/add", backup).Option("name", "backup").Exec(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	sweeper := newSweeper(t, home, grace)
	before := pins(t, home)
	for range 14 { // one sees what is in no record, 12 see it again, and then it is unpinned
		if err := sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * grace)
	}
	after := pins(t, home)
	for _, id := range junk {
		if !slices.Contains(before, id) || slices.Contains(after, id) {
			t.Errorf("%s is in no record: pinned before %v, afterwards %v", id, slices.Contains(before, id), slices.Contains(after, id))
		}
	}
	if !slices.Contains(after, backup) {
		t.Error("the operator's own pin is gone")
	}
	g := connect(t, auditor)
	erased := map[string]bool{}
	for q := (ledger.ErasureQuery{}); ; {
		page, err := g.AuditErasures(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Erasures {
			erased[e.ID] = true
		}
		if q.Bookmark = page.Bookmark; q.Bookmark == "" {
			break
		}
	}
	kept := 0
	for q := (ledger.RecordQuery{}); ; {
		page, err := g.AuditRecords(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			if slices.Contains(before, v.CID) && !erased[v.ID] {
				if kept++; !slices.Contains(after, v.CID) {
					t.Errorf("the payload %s of record %s is unpinned", v.CID, v.ID)
				}
			}
		}
		if q.Bookmark = page.Bookmark; q.Bookmark == "" {
			break
		}
	}
	if kept < 3 {
		t.Errorf("%d payloads of records were pinned: the test shows nothing", kept)
	}
}

// newSweeper returns what a hospital's replicator unpins with, which knows nothing yet.
func newSweeper(t *testing.T, hospital string, grace time.Duration) *replica.Sweeper {
	t.Helper()
	s, err := session.Open(user(t, "authority@"+hospital), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	sweeper, err := replica.NewSweeper(replica.SweepConfig{
		Store: store(t, hospital, 0), Memory: sweepMemory{}, Grace: grace,
		Registered: func(ctx context.Context, from uint64, handle func([]ledger.Payload, []ledger.End) error) (uint64, error) {
			height, err := s.Height(ctx)
			if err != nil {
				return from, err
			}
			return s.Ledger.ReadRecords(ctx, from, height, handle)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sweeper
}

// sweepMemory is a replica.Memory.
type sweepMemory map[string][]byte

func (m sweepMemory) Load(name string) ([]byte, error) {
	if data, ok := m[name]; ok {
		return data, nil
	}
	return nil, ledger.ErrNotFound
}

func (m sweepMemory) Store(name string, data []byte) error {
	m[name] = data
	return nil
}
