package network

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// TestReplaceSigner: an MSP directory has a certificate and its key at every moment,
// because a kill may come at any.
func TestReplaceSigner(t *testing.T) {
	n := scriptNetwork(t)
	r, err := readRoot(n.org("HospitalA", "servers"))
	if err != nil {
		t.Fatal(err)
	}
	var pairs []fabricca.KeyPair
	for range 100 { // each is used once, so that a look before and after tells a change
		pair, err := r.issue("x", nil, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, pair)
	}
	msp := t.TempDir()
	// As an earlier release, and one that was killed, left it.
	err = errors.Join(
		writeFile(filepath.Join(msp, "keystore", "key.pem"), pairs[0].Key), writeFile(filepath.Join(msp, "signcerts", "cert.pem"), pairs[0].Certificate),
		writeFile(filepath.Join(msp, "signcerts", newPrefix+"1"), pairs[0].Certificate))
	if err != nil {
		t.Fatal(err)
	}
	read := func(dir string) (all []string) {
		files, err := os.ReadDir(filepath.Join(msp, dir))
		if err != nil {
			t.Error(err)
		}
		for _, f := range files {
			if text, err := os.ReadFile(filepath.Join(msp, dir, f.Name())); err == nil && !strings.HasPrefix(f.Name(), newPrefix) {
				all = append(all, string(text))
			}
		}
		return all
	}
	written := make(chan error, 1)
	go func() {
		var err error
		for _, pair := range pairs[1:] {
			err = errors.Join(err, replaceSigner(msp, &pair))
			time.Sleep(time.Millisecond)
		}
		written <- err
	}()
	looks := 0
	for len(written) == 0 {
		certificate := read("signcerts")
		keys := read("keystore")
		if again := read("signcerts"); len(certificate) != 1 || len(again) != 1 || certificate[0] != again[0] {
			continue // it was replaced meanwhile
		}
		looks++
		i := slices.IndexFunc(pairs, func(p fabricca.KeyPair) bool { return string(p.Certificate) == certificate[0] })
		if i < 0 || !slices.Contains(keys, string(pairs[i].Key)) {
			t.Fatalf("certificate %d is there without its key, among %d keys", i, len(keys))
		}
	}
	if err := <-written; err != nil || looks == 0 {
		t.Errorf("%d looks, %v", looks, err)
	}
	for _, dir := range []string{"keystore", "signcerts"} {
		if files, err := os.ReadDir(filepath.Join(msp, dir)); err != nil || len(files) != 1 {
			t.Errorf("%s holds %v, %v", dir, files, err)
		}
	}
}

// TestMendSigners: up makes good what an interrupted renewal of an earlier release left,
// which would keep a server from starting.
func TestMendSigners(t *testing.T) {
	n := scriptNetwork(t)
	for _, id := range n.nodes("HospitalA") {
		msp := n.mspDir("HospitalA", id)
		pair, err := readKeyPair(id.dir, "")
		if err != nil {
			t.Fatal(err)
		}
		other, err := readKeyPair(id.dir, "tls-")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(replaceSigner(msp, &pair), n.mendSigners("HospitalA")); err != nil {
			t.Fatal(err)
		}
		files, _ := os.ReadDir(filepath.Join(msp, "keystore"))
		if err := writeFile(filepath.Join(msp, "keystore", files[0].Name()), other.Key); err != nil {
			t.Fatal(err)
		}
		if signerKeyIn(filepath.Join(msp, "keystore"), pair.Certificate) {
			t.Fatalf("%s: the key is still there", id.name)
		}
		if err := n.mendSigners("HospitalA"); err != nil || !signerKeyIn(filepath.Join(msp, "keystore"), pair.Certificate) {
			t.Errorf("%s: %v, and its key is not there", id.name, err)
		}
	}
}

// TestWaits: an orderer's next identity is taken only as a whole, and while it is good.
func TestWaits(t *testing.T) {
	n := scriptNetwork(t)
	next := n.nextIdentity("HospitalA")
	if n.waits("HospitalA") {
		t.Error("one that is not there waits")
	}
	n.giveCertificate(t, next, "", time.Hour)
	if !n.waits("HospitalA") {
		t.Error("a good one does not wait")
	}
	if err := writeFile(filepath.Join(next, "key.pem"), []byte("another")); err != nil || n.waits("HospitalA") {
		t.Errorf("%v, or one without its key waits", err)
	}
	n.giveCertificate(t, next, "", -time.Minute)
	if n.waits("HospitalA") {
		t.Error("one that has ended waits")
	}
}
