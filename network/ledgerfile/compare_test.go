package ledgerfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// chain makes blocks that follow each other. Of their metadata, part i holds an i.
func chain(n int) []*common.Block {
	var all []*common.Block
	var before []byte
	for i := range n {
		tx := [][]byte{fmt.Appendf(nil, "first transaction of block %d", i), bytes.Repeat([]byte{byte(i)}, 20)}
		sum := sha256.Sum256(bytes.Join(tx, nil))
		b := &common.Block{
			Header:   &common.BlockHeader{Number: uint64(i), PreviousHash: before, DataHash: sum[:]},
			Data:     &common.BlockData{Data: tx},
			Metadata: &common.BlockMetadata{Metadata: [][]byte{[]byte("signatures"), nil, {0, 11}, nil, []byte("commit hash")}},
		}
		hash := headerHash(b.Header)
		all, before = append(all, b), hash[:]
	}
	return all
}

// store writes block files of two blocks each.
func store(t testing.TB, all []*common.Block) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(all); i += 2 {
		var data []byte
		for _, b := range all[i:min(i+2, len(all))] {
			data = append(data, serialize(b)...)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("blockfile_%06d", i/2)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func compare(t testing.TB, dirs ...string) []Findings {
	t.Helper()
	var sources []Source
	for i, dir := range dirs {
		sources = append(sources, Source{Name: fmt.Sprint("peer", i), Directory: dir, Peer: true})
	}
	found, err := Compare(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestEachByte flips each byte of a block file, and cuts it off there: the damage is
// found, in the right block, and never at another server. Of a block, only the orderers'
// signatures are not compared.
func TestEachByte(t *testing.T) {
	all := chain(6)
	good := []string{store(t, all), store(t, all)}
	for _, f := range compare(t, good...) {
		if f.Blocks != 6 || len(f.Faults) > 0 || len(f.Witness) != 1 {
			t.Fatalf("%+v", f)
		}
	}
	first := len(serialize(all[2]))
	data := append(serialize(all[2]), serialize(all[3])...)
	for at := range data {
		for name, damaged := range map[string][]byte{
			"flip": append(append(bytes.Clone(data[:at]), data[at]^0x10), data[at+1:]...), "cut": data[:at],
		} {
			t.Run(fmt.Sprint(name, at), func(t *testing.T) {
				t.Parallel()
				dir := store(t, all)
				file := filepath.Join(dir, "blockfile_000001")
				if err := os.WriteFile(file, damaged, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(file, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
					t.Fatal(err)
				}
				found := compare(t, good[0], dir, good[1])
				if len(found[0].Faults)+len(found[2].Faults) > 0 {
					t.Fatalf("the others are blamed: %+v, %+v", found[0].Faults, found[2].Faults)
				}
				faults := found[1].Faults
				if len(faults) == 0 {
					if i := bytes.Index(serialize(all[2]), []byte("signatures")); name == "cut" || at%first < i || at%first >= i+len("signatures") {
						t.Error("nothing is found")
					}
					return
				}
				if want := uint64(2 + at/first); faults[0].Block != want || len(faults) > 1 {
					t.Errorf("%+v, want block %d", faults, want)
				}
				if cut := found[1].Cut; cut != nil {
					if err := cut.Truncate(); err != nil {
						t.Fatal(err)
					}
					if again := compare(t, good[0], dir, good[1])[1]; len(again.Faults) > 0 || again.Blocks != faults[0].Block {
						t.Errorf("cut off at %d: %+v", cut.Offset, again)
					}
				}
			})
		}
	}
}

// TestAnotherChain: a member that has other blocks, with good hashes, is the one who
// differs, also if it has more of them. Two members cannot tell.
func TestAnotherChain(t *testing.T) {
	all := chain(6)
	other := chain(8)
	for i, b := range other[3:] {
		b.Data.Data[0] = []byte("rewritten")
		sum := sha256.Sum256(bytes.Join(b.Data.Data, nil))
		hash := headerHash(other[2+i].Header)
		b.Header.PreviousHash, b.Header.DataHash = hash[:], sum[:]
	}
	found := compare(t, store(t, all), store(t, other), store(t, all))
	if len(found[0].Faults)+len(found[2].Faults) > 0 || len(found[1].Faults) < 3 || found[1].Faults[0].Block != 3 ||
		found[1].Faults[0].Reason != "it is another block than that of peer0, peer2" {
		t.Errorf("%+v", found)
	}
	for _, f := range compare(t, t.TempDir(), store(t, all[:3])) {
		if f.Name == "peer0" && (len(f.Faults) != 1 || !strings.Contains(f.Faults[0].Reason, "no such file")) || f.Name == "peer1" && len(f.Faults) > 0 {
			t.Errorf("%+v", f)
		}
	}
}

// TestRestoreFirst: files of which nothing can be read begin again with the first block.
func TestRestoreFirst(t *testing.T) {
	all := chain(5)
	good, bad := store(t, all), store(t, all)
	if err := os.WriteFile(filepath.Join(bad, "blockfile_000000"), []byte("nothing that can be read"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RestoreFirst(bad, good); err != nil {
		t.Fatal(err)
	}
	if f := compare(t, good, bad)[1]; f.Blocks != 1 || len(f.Faults) > 0 {
		t.Errorf("%+v", f)
	}
	if err := RestoreFirst(bad, t.TempDir()); err == nil {
		t.Error("a block out of nothing")
	}
}

func TestCompareEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Compare(ctx, []Source{{Directory: store(t, chain(2))}}); err == nil {
		t.Error("a cancelled comparison went on")
	}
}

// FuzzBlockFile: whatever is in a block file, reading it ends, without more memory than
// the file needs.
func FuzzBlockFile(f *testing.F) {
	f.Add(serialize(chain(1)[0]))
	f.Add([]byte{0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "blockfile_000000"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, "blockfile_000000"), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		n := 0
		for b, err := range blocks(dir) {
			if err == nil {
				n += len(serialize(b))
				for _, tx := range b.Data.Data {
					changesOf(tx)
				}
			}
		}
		if n > 2*len(data) {
			t.Errorf("%d bytes of blocks in a file of %d", n, len(data))
		}
	})
}
