package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/boxo/ipld/merkledag"
)

// TestCorruptedRange flips a bit of one block on the hospital's own IPFS node. A range
// that needs the block is refused and leaves no output file. A range without the block is
// correct.
func TestCorruptedRange(t *testing.T) {
	const leaf, bad = 1 << 20, 2
	content := make([]byte, 5*leaf)
	rand.NewChaCha8([32]byte{'r'}).Read(content)
	row := seal(t, doctorA, write(t, "scan.bin", content), "--policy", twoDoctors)[0]
	part := func(code, offset, length int) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "part")
		expect(t, code, doctorA, "open", row.Record, "--range", fmt.Sprintf("%d:%d", offset, length), "-o", out)
		if code != 0 {
			absent(t, out)
			return
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, content[offset:offset+length]) {
			t.Errorf("%d bytes at %d came as %d: %v", length, offset, len(got), err)
		}
	}
	part(0, bad*leaf+leaf/2, 1000)

	root, err := os.ReadFile(blockFile(t, "HospitalA", row.CID))
	if err != nil {
		t.Fatal(err)
	}
	node, err := merkledag.DecodeProtobuf(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hospitals {
		awaitPinned(t, row.CID, h)
	}
	corruptEverywhere(t, blockFile(t, "HospitalA", node.Links()[bad].Cid.String()), func(block []byte) { block[leaf-7] ^= 1 })
	part(exitTampered, bad*leaf+leaf/2, 1000)
	part(exitTampered, leaf/2, 2*leaf) // ends in the damaged block
	part(0, 10, 1000)
	part(0, 3*leaf+leaf/2, leaf)
}
