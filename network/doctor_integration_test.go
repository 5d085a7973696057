package network

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
)

// TestDoctor damages the files of a hospital, one after the other and while the network
// runs. Each time the doctor names the damage, and the command that it names mends it.
func TestDoctor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n, err := Up(ctx, testTopology(t), Options{WaitTimeout: testWait, Programs: ownPrograms(t), Progress: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
	const org = "HospitalA"
	for range 3 {
		n.mustSeal(t, "doctor", org)
	}
	diagnose := func(t *testing.T, org string) *Diagnosis {
		t.Helper()
		began := time.Now()
		d, err := n.Doctor(ctx, org, testWriter{t})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%.1f s\n%s", time.Since(began).Seconds(), d.Table())
		return d
	}
	// wantFault makes sure that there is a fault, and no other one with another mend.
	wantFault := func(t *testing.T, subject, what, text, mend string) {
		t.Helper()
		d := diagnose(t, org)
		found := false
		for _, c := range d.Checks {
			if c.Verdict == Faulty && c.Mend != mend {
				t.Errorf("another fault: %+v", c)
			}
			found = found || c.Verdict == Faulty && c.Subject == subject && strings.HasPrefix(c.What, what) && strings.Contains(c.Text, text)
		}
		if !found {
			t.Fatalf("no fault of %s, %s, with %q", subject, what, text)
		}
	}
	wantGood := func(t *testing.T) {
		t.Helper()
		var d *Diagnosis
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		n.retry(ctx, "private data", func(context.Context) error { // what is missing below is an error
			d = diagnose(t, org)
			if slices.ContainsFunc(d.Checks, func(c Check) bool { return c.What == "private data" && c.Verdict == Notice }) {
				return errors.New("it has not arrived")
			}
			return nil
		})
		for _, c := range d.Checks {
			if c.Verdict != Good {
				t.Errorf("%+v", c)
			}
		}
		wantHealthy(t, n)
		n.mustSeal(t, "doctor", org)
	}
	rebuild := func(t *testing.T, name string) {
		t.Helper()
		began := time.Now()
		if err := n.Rebuild(ctx, name, testWriter{t}); err != nil {
			t.Fatal(err)
		}
		t.Logf("rebuilt after %.1f s", time.Since(began).Seconds())
		wantGood(t)
	}

	wantGood(t)
	if d := diagnose(t, "Regulator"); d.Faults() > 0 {
		t.Error("the regulator has faults")
	}

	peerBlocks := n.peerBlocks(org) + "/blockfile_000000"
	ordererBlocks := n.ordererBlocks(org) + "/blockfile_000000"
	const k = 7
	for _, c := range []struct {
		name, file, process string
		at                  func(start, end int64) int64
		text                string
	}{
		{"a transaction in a block", peerBlocks, "peer", func(start, end int64) int64 { return (start + end) / 2 }, fmt.Sprintf("block %d: its transactions are not those of its hash", k)},
		{"the length of a block", peerBlocks, "peer", func(start, _ int64) int64 { return start }, fmt.Sprintf("block %d", k)},
		{"the header of a block", peerBlocks, "peer", func(start, _ int64) int64 { return start + 45 }, fmt.Sprintf("block %d: it is another block than that of HospitalA/orderer, HospitalB/peer", k)},
		// From the end: the hash of what was committed with its length, an empty item,
		// the codes.
		{"a validation code", peerBlocks, "peer", func(_, end int64) int64 { return end - 37 }, fmt.Sprintf("block %d: its validation codes", k)},
		{"the first block", peerBlocks, "peer", func(int64, int64) int64 { return 3 }, "block 0"},
		{"a block of the orderer", ordererBlocks, "orderer", func(start, end int64) int64 { return (start + end) / 2 }, fmt.Sprintf("block %d: its transactions are not those of its hash", k)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.process == "peer" && c.name != "a transaction in a block" {
				long(t)
			}
			start, end := frame(t, c.file, k)
			flip(t, c.file, c.at(start, end))
			n.mustSeal(t, "doctor", org) // Fabric does not notice
			name := org + "/" + c.process
			wantFault(t, name, "block files", c.text, "chartnet rebuild "+name)
			rebuild(t, name)
		})
	}

	state := filepath.Join(n.peerLedgers(org), "stateLeveldb")
	t.Run("a byte of the state database", func(t *testing.T) {
		// A start writes what is in the journal to a table.
		restart(t, n, org+"/peer")
		flip(t, largest(t, state, ".ldb"), 0)
		wantFault(t, org+"/peer", "database stateLeveldb", "checksum", "chartnet rebuild HospitalA/peer")
		rebuild(t, org) // the doctor finds out which part
	})
	t.Run("a byte of the journal of the state database", func(t *testing.T) {
		long(t)
		for range 2 {
			n.mustSeal(t, "doctor", org)
		}
		flip(t, largest(t, state, ".log"), 0)
		wantFault(t, org+"/peer", "database stateLeveldb", "", "chartnet rebuild HospitalA/peer")
		rebuild(t, org)
	})
	t.Run("a start with a damaged journal", func(t *testing.T) {
		long(t)
		for range 2 {
			n.mustSeal(t, "doctor", org)
		}
		flip(t, largest(t, state, ".log"), 0)
		restart(t, n, org+"/peer") // Fabric drops what is damaged
		wantFault(t, org+"/peer", "state", "keys are lost", "chartnet rebuild HospitalA/peer")
		rebuild(t, org)
	})
	key := func(name string) []byte { return []byte(n.topology.Channel + "\x00d" + n.topology.Chaincode + name) }
	for name, c := range map[string]struct {
		change func(t *testing.T, db *leveldb.DB)
		text   string
	}{
		"another value of a record": {func(t *testing.T, db *leveldb.DB) {
			k, v := first(t, db, key("\x00record/"))
			v[len(v)-3]++
			put(t, db, k, v)
		}, "wrote another value"},
		"a record is not in the state": {func(t *testing.T, db *leveldb.DB) {
			k, _ := first(t, db, key("\x00record/"))
			if err := db.Delete(k, nil); err != nil {
				t.Fatal(err)
			}
		}, "1 keys are lost"},
		"a record that nobody sealed": {func(t *testing.T, db *leveldb.DB) {
			k, v := first(t, db, key("\x00record/"))
			put(t, db, append(k, '0'), v)
		}, "1 keys have values that no block wrote"},
		"an older value": {func(t *testing.T, db *leveldb.DB) {
			k, v := first(t, db, key("\x00searchable"))
			i := bytes.Index(v, []byte{0x0a}) // the version: a length and a number, twice
			v[i+3]--
			put(t, db, k, v)
		}, "wrote it last"},
		"another wrapped key": {func(t *testing.T, db *leveldb.DB) {
			k, v := first(t, db, key("$$p"))
			v[len(v)-1]++
			put(t, db, k, v)
		}, "1 private values are not those of their hashes"},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "another wrapped key" {
				long(t)
			}
			stop(t, n, org+"/peer")
			db, err := leveldb.OpenFile(state, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.change(t, db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			start(t, n, org+"/peer")
			wantFault(t, org+"/peer", "state", c.text, "chartnet rebuild HospitalA/peer")
			rebuild(t, org+"/peer")
		})
	}
	t.Run("a byte of the private data", func(t *testing.T) {
		long(t)
		restart(t, n, org+"/peer")
		flip(t, largest(t, filepath.Join(n.peerLedgers(org), "pvtdataStore"), ".ldb"), 0)
		wantFault(t, org+"/peer", "database pvtdataStore", "checksum", "chartnet rebuild HospitalA/peer")
		rebuild(t, org+"/peer")
	})
	t.Run("a payload is not pinned", func(t *testing.T) {
		d := diagnose(t, org)
		if d.Faults() > 0 {
			t.Fatal("faults before")
		}
		out, err := n.ipfsCall(ctx, org, "pin/ls?type=recursive&quiet=true", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var pins struct{ Keys map[string]any }
		if err := json.Unmarshal(out, &pins); err != nil {
			t.Fatal(err)
		}
		for cid := range pins.Keys {
			if _, err := n.ipfsCall(ctx, org, "pin/rm?arg="+cid, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.ipfsCall(ctx, org, "repo/gc", "", nil); err != nil {
			t.Fatal(err)
		}
		wantFault(t, org+"/ipfs", "pins", "payloads are not pinned", "chartnet rebuild HospitalA/ipfs")
		rebuild(t, org)
	})
	t.Run("an ended certificate", func(t *testing.T) {
		long(t)
		lifetime := n.topology.CertificateLifetime
		n.topology.CertificateLifetime = time.Second
		if err := n.recertifyServer(org, "chaincode", n.org(org, "chaincode")); err != nil {
			t.Fatal(err)
		}
		n.topology.CertificateLifetime = lifetime
		time.Sleep(1500 * time.Millisecond)
		wantFault(t, org+"/chaincode", "certificate", "TLS: ended on", "chartnet renew HospitalA")
		if err := n.Renew(ctx, testWriter{t}, org); err != nil {
			t.Fatal(err)
		}
		wantGood(t)
		// The first block has the orderer's old certificate.
		rebuild(t, org+"/orderer")
	})
	t.Run("a stopped process", func(t *testing.T) {
		stop(t, n, org+"/peer")
		wantFault(t, org+"/peer", "process", "stopped", "chartnet start HospitalA/peer")
		start(t, n, org+"/peer")
		wantGood(t)
	})
	if got, err := os.ReadDir(n.path("run", org)); err != nil || strings.Contains(fmt.Sprint(got), "doctor/") {
		t.Errorf("the doctor left its copies: %v, %v", got, err)
	}
}

func stop(t *testing.T, n *Network, name string) {
	t.Helper()
	if err := n.Stop(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, n *Network, name string) {
	t.Helper()
	if err := n.Start(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func restart(t *testing.T, n *Network, name string) {
	t.Helper()
	stop(t, n, name)
	start(t, n, name)
}

// frame gives the place of a block in a block file, its length included.
func frame(t *testing.T, file string, number int) (start, end int64) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for range number + 1 {
		size, width := binary.Uvarint(data[end:])
		start, end = end, end+int64(width)+int64(size)
	}
	return start, end
}

// flip changes a byte of a file; at 0, one in its middle.
func flip(t *testing.T, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if at == 0 {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		at = info.Size() / 2
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// largest gives the largest file of a directory with an ending.
func largest(t *testing.T, dir, ending string) (name string) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*" + ending)
	if err != nil {
		t.Fatal(err)
	}
	var most int64
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Size() > most {
			name, most = f, info.Size()
		}
	}
	if name == "" {
		t.Fatalf("no %s in %s", ending, dir)
	}
	return name
}

// first gives the first key that begins with a prefix, and its value.
func first(t *testing.T, db *leveldb.DB, prefix []byte) (key, value []byte) {
	t.Helper()
	it := db.NewIterator(nil, nil)
	defer it.Release()
	if !it.Seek(prefix) || !bytes.HasPrefix(it.Key(), prefix) {
		t.Fatalf("no key begins with %q: %q", prefix, it.Key())
	}
	return bytes.Clone(it.Key()), bytes.Clone(it.Value())
}

func put(t *testing.T, db *leveldb.DB, key, value []byte) {
	t.Helper()
	if err := db.Put(key, value, nil); err != nil {
		t.Fatal(err)
	}
}
