package e2e

import (
	"bytes"
	"context"
	"encoding/base32"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/ipfs"
)

// TestLedgerConformance runs clienttest's ledger suite on real peers.
func TestLedgerConformance(t *testing.T) {
	clienttest.Ledger(t, clienttest.LedgerEnv{
		Doctor: connect(t, doctorA), Other: connect(t, doctorB), Custodian: connect(t, "custodian@HospitalA"),
		Authority: connect(t, "authority@HospitalA"), Auditor: connect(t, auditor),
		PublicKey: func(name string, version int) []byte {
			owner, _, _ := strings.Cut(name, ":")
			master, err := abe.NewMasterKey(owner, bytes.NewReader(make([]byte, 32)))
			if err != nil {
				t.Fatal(err)
			}
			key, err := master.PublicKey(name, version)
			if err != nil {
				t.Fatal(err)
			}
			b, err := key.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
	})
}

// TestBlobsConformance runs clienttest's blob suite on a kubo node, as a person through
// the proxy.
func TestBlobsConformance(t *testing.T) {
	const hospital = "HospitalC"
	kill(t, "keeper", hospital, syscall.SIGSTOP) // its late pins for earlier tests would count as this test's
	defer kill(t, "keeper", hospital, syscall.SIGCONT)
	clienttest.Blobs(t, clienttest.BlobsEnv{
		Blobs:  personsStore{storeOf(t, user(t, nurseC), 5*time.Second), store(t, hospital, 0)},
		Pinned: func(t *testing.T) []string { return pins(t, hospital) },
		Corrupt: func(t *testing.T, id string) {
			path := blockFile(t, hospital, id)
			block, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			good := bytes.Clone(block)
			block[len(block)/2] ^= 1
			replace(t, path, block)
			t.Cleanup(func() { replace(t, path, good) }) // kubo lists no pins, and collects nothing, while a node of a tree is damaged
		},
	})
}

// personsStore is a person's store. Its operator unpins.
type personsStore struct {
	client.Blobs
	operator *ipfs.Store
}

func (s personsStore) Unpin(ctx context.Context, id string) error { return s.operator.Unpin(ctx, id) }

// blockFile returns the file of the first block of a CID on a hospital's IPFS node. Its
// name is the multihash in base32.
func blockFile(t *testing.T, hospital, id string) string {
	t.Helper()
	c, err := cid.Decode(id)
	if err != nil {
		t.Fatal(err)
	}
	name := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(c.Hash()) + ".data"
	files, err := filepath.Glob(filepath.Join(consortium.IPFSDirectory(hospital), "blocks", "*", name))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s on %s: files %s (%v)", id, hospital, strings.Join(files, " "), err)
	}
	return files[0]
}
