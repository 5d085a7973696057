package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/client/ipfs"
	"github.com/chartseal/chartseal/client/ipfs/proxy"
	"github.com/chartseal/chartseal/client/replica"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// damage changes a block on a disk, and returns what it was.
func damage(t *testing.T, hospital, id string, change func([]byte) []byte) []byte {
	t.Helper()
	path := blockFile(t, hospital, id)
	good := readFile(t, path)
	if err := os.WriteFile(path, change(bytes.Clone(good)), 0o600); err != nil {
		t.Fatal(err)
	}
	return good
}

func flip(data []byte) []byte {
	data[len(data)/2] ^= 1
	return data
}

func truncate(data []byte) []byte { return data[:len(data)/2] }
func empty([]byte) []byte         { return nil }

// TestDamagedBlock damages blocks on the disk of one's own node: a leaf, a node above
// leaves, a small record. The record opens all the same, the block is good afterwards,
// and the pin stays. If the other nodes' copies are damaged too, the error blames the own
// node. What nobody opens, scrubbing finds and replaces.
func TestDamagedBlock(t *testing.T) {
	const home = "HospitalA"
	hospitals := []string{"HospitalA", "HospitalB", "HospitalC"}
	large := make([]byte, 5<<20)
	rand.NewChaCha8([32]byte{1}).Read(large)
	rows := seal(t, doctorA, write(t, "large.bin", large), write(t, "small.txt", []byte("small")), write(t, "other.txt", []byte("other")), "--policy", twoDoctors)
	for _, row := range rows {
		for _, h := range hospitals {
			awaitPinned(t, row.CID, h)
		}
	}
	var links struct{ Ref string }
	if err := kubo(t, home).Request("refs", rows[0].CID).Exec(t.Context(), &links); err != nil || links.Ref == "" {
		t.Fatal("a leaf of the large payload: ", err)
	}
	leaf, content := links.Ref, [][]byte{large, []byte("small")}
	for what, d := range map[string]struct {
		id     string
		row    int
		change func([]byte) []byte
	}{
		"a flipped leaf": {leaf, 0, flip}, "a short leaf": {leaf, 0, truncate}, "a flipped root": {rows[0].CID, 0, flip},
		"a flipped small record": {rows[1].CID, 1, flip}, "an empty small record": {rows[1].CID, 1, empty},
	} {
		good := damage(t, home, d.id, d.change)
		opens(t, doctorA, rows[d.row].Record, content[d.row])
		if !bytes.Equal(readFile(t, blockFile(t, home, d.id)), good) {
			t.Errorf("%s: the block is not replaced", what)
		}
		if !slices.Contains(pins(t, home), d.id) {
			t.Errorf("%s: it is not pinned any more", what)
		}
	}

	node := store(t, home, 0)
	scrub := func(memory sweepMemory) *replica.Scrub {
		t.Helper()
		s, err := replica.NewScrubber(replica.ScrubConfig{Store: node, Memory: memory, Rate: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		last, _, err := replica.LoadScrub(memory)
		if err != nil {
			t.Fatal(err)
		}
		return last
	}
	good := [][]byte{damage(t, home, leaf, flip), damage(t, home, rows[1].CID, empty)}
	memory := sweepMemory{}
	if last := scrub(memory); last.Replaced != 2 || len(last.Damaged) > 0 || last.Blocks < 7 {
		t.Errorf("scrubbed: %+v", last)
	}
	for i, id := range []string{leaf, rows[1].CID} {
		if !bytes.Equal(readFile(t, blockFile(t, home, id)), good[i]) {
			t.Errorf("scrubbing did not replace block %d", i)
		}
	}

	var blocks [][]byte
	if data, err := memory.Load("replica/pinsets"); err != nil || json.Unmarshal(data, &blocks) != nil || len(blocks) == 0 {
		t.Fatalf("%d pinsets are saved: %v", len(blocks), err)
	}
	pinset, err := cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}.Sum(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	kill(t, "keeper", home, syscall.SIGSTOP) // it would be first
	damage(t, home, pinset.String(), flip)
	if last := scrub(memory); last.Replaced != 1 || len(last.Damaged) > 0 || !bytes.Equal(readFile(t, blockFile(t, home, pinset.String())), blocks[0]) {
		t.Errorf("scrubbed with a damaged pinset: %+v", last)
	}
	kill(t, "keeper", home, syscall.SIGCONT)

	for _, h := range hospitals {
		damage(t, h, leaf, flip)
	}
	r := expect(t, exitTampered, doctorA, "open", rows[0].Record, "-o", filepath.Join(t.TempDir(), "out"))
	if !strings.Contains(r.stderr, "no good copy of block "+leaf) || !strings.Contains(r.stderr, "your hospital's IPFS node has lost the record") {
		t.Errorf("not a clear message: %s", r.stderr)
	}
	if last := scrub(sweepMemory{}); !slices.Equal(last.Damaged, []string{rows[0].CID}) {
		t.Errorf("scrubbed without a good copy: %+v", last)
	}
	if !slices.Contains(pins(t, home), leaf) {
		t.Error("the only copy is not pinned any more")
	}
	if err := os.WriteFile(blockFile(t, "HospitalC", leaf), good[0], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, h := range hospitals[:2] {
		opens(t, "doctor@"+h, rows[0].Record, large)
	}
}

// TestNewPinset damages a pinset on a disk soon after a keeper has made it. No round of
// scrubbing has read it. The keeper replaces it all the same, and kubo can list all pins.
func TestNewPinset(t *testing.T) {
	const hospital = "HospitalB"
	list := func() map[string]struct{ Name string } {
		t.Helper()
		var pinned struct {
			Keys map[string]struct{ Name string }
		}
		if err := kubo(t, hospital).Request("pin/ls").Option("type", "recursive").Option("name", "chartseal-tie-").Exec(t.Context(), &pinned); err != nil {
			t.Fatal(err)
		}
		return pinned.Keys
	}
	before := list()
	rows := seal(t, doctorA, write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b")), "--policy", twoDoctors)
	for _, row := range rows {
		awaitPinned(t, row.CID, hospital)
	}
	pinset := ""
	for id := range list() {
		if _, old := before[id]; !old {
			pinset = id
		}
	}
	if pinset == "" {
		t.Fatal("both payloads have their own pins")
	}
	saved := filepath.Join(consortium.Wallet(), "authority@"+hospital, "state", "replica", "pinsets")
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		var blocks [][]byte
		if data, err := os.ReadFile(saved); err == nil && json.Unmarshal(data, &blocks) == nil && slices.ContainsFunc(blocks, func(b []byte) bool {
			c, err := cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}.Sum(b)
			return err == nil && c.String() == pinset
		}) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the keeper has not saved the pinset")
		}
	}
	good := damage(t, hospital, pinset, flip)
	for end := time.Now().Add(time.Minute); !bytes.Equal(readFile(t, blockFile(t, hospital, pinset)), good); time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatal("the pinset is not replaced")
		}
	}
	for _, row := range rows {
		if !slices.Contains(pins(t, hospital), row.CID) {
			t.Errorf("%s is not pinned any more", row.CID)
		}
	}
}

// TestCollect collects garbage again and again while people store. Nothing of theirs is
// lost, and what no pin keeps goes. A damaged node with links stops the collection: its
// links may lead elsewhere, and what it really links to would be taken.
func TestCollect(t *testing.T) {
	const home = "HospitalC"
	token, err := consortium.OperatorToken(home)
	if err != nil {
		t.Fatal(err)
	}
	nurse := user(t, nurseC)
	dir := filepath.Dir(consortium.IPFSDirectory(home))
	p, err := proxy.New(proxy.Config{
		Socket: consortium.IPFSSocket(home), Token: token, CollectToken: token, Log: slog.New(slog.DiscardHandler),
		People: readFile(t, filepath.Join(dir, "ca", "tlsca", "ca-cert.pem")), Revoked: filepath.Join(dir, "ipfs-proxy", "revoked.pem"),
	})
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := p.HTTP("", nurse.TLS)
	go server.ServeTLS(front, "", "")
	defer server.Close()
	person, err := ipfs.New(ipfs.Options{API: fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/https", front.Addr().(*net.TCPAddr).Port),
		TLS: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{nurse.TLS}}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := kuboAs(t, nurse, "block/put?pin=false", []byte("garbage"))
	var garbage struct{ Key string }
	if err != nil || json.Unmarshal(out, &garbage) != nil {
		t.Fatal("store a block that is not pinned: ", err)
	}
	has := func(id string) bool {
		return kubo(t, home).Request("block/stat", id).Option("offline", true).Exec(t.Context(), nil) == nil
	}

	var mu sync.Mutex
	var ids []string
	var storing sync.WaitGroup
	length, people := 15*time.Second, 20
	if testing.Short() {
		length, people = 4*time.Second, 8
	}
	end := time.Now().Add(length)
	for n := range people {
		storing.Go(func() {
			for i := 0; time.Now().Before(end); i++ {
				times := 10
				if i%5 == 0 {
					times = 200000 // several blocks
				}
				id, err := person.Put(t.Context(), bytes.NewReader(bytes.Repeat(fmt.Appendln(nil, "stored", n, i), times)))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
				time.Sleep(time.Duration(1000+rand.IntN(4000)) * time.Millisecond)
			}
		})
	}
	collections := 0
	collect := func() (err error) {
		for range 10 { // people store without a pause
			if _, err = p.Collect(t.Context()); err == nil {
				collections++
				break
			}
		}
		return err
	}
	for time.Now().Before(end) {
		collect()
	}
	storing.Wait()
	if err := collect(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d payloads, %d collections", len(ids), collections)
	if has(garbage.Key) || collections < 3 || len(ids) < people {
		t.Errorf("%d payloads, %d collections, the garbage is there: %v", len(ids), collections, has(garbage.Key))
	}
	pinned := pins(t, home)
	for _, id := range ids {
		if !slices.Contains(pinned, id) || !has(id) {
			t.Errorf("%s was stored, and is pinned: %v, there: %v", id, slices.Contains(pinned, id), has(id))
		}
	}

	var pinsets struct {
		Keys map[string]struct{ Name string }
	}
	if err := kubo(t, home).Request("pin/ls").Option("type", "recursive").Option("name", "chartseal-tie-").Exec(t.Context(), &pinsets); err != nil || len(pinsets.Keys) == 0 {
		t.Fatalf("%d pinsets are pinned: %v", len(pinsets.Keys), err)
	}
	kill(t, "keeper", home, syscall.SIGSTOP) // it would mend the node
	for root := range pinsets.Keys {
		good := damage(t, home, root, func(data []byte) []byte {
			data[20] ^= 1 // in the hash of a link
			return data
		})
		_, err := p.Collect(t.Context())
		if werr := os.WriteFile(blockFile(t, home, root), good, 0o600); werr != nil {
			t.Fatal(werr)
		}
		if err == nil {
			t.Error("garbage is collected although a pinned node is damaged")
		}
		break
	}
	kill(t, "keeper", home, syscall.SIGCONT)
	for _, id := range ids {
		if !has(id) {
			t.Errorf("%s is collected", id)
		}
	}
	if err := collect(); err != nil {
		t.Errorf("when the node is good again: %v", err)
	}
}
