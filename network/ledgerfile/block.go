package ledgerfile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/encoding/protowire"
)

// BlockDirectory is where the blocks of a channel are, below the directory of a block
// store.
func BlockDirectory(store, channel string) string { return filepath.Join(store, "chains", channel) }

// maxBlock is more than a block can have: Fabric's messages end at 100 MiB.
const maxBlock = 1 << 28

// A DamageError says where a block file cannot be read.
type DamageError struct {
	File   string
	Offset int64 // of the block that cannot be read
	Next   uint64
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s: byte %d, where block %d begins: %s", filepath.Base(e.File), e.Offset, e.Next, e.Reason)
}

// Truncate cuts a server's block files off before the block that cannot be read. The
// server must be down.
//
// Errors:
//   - Any error of the file system.
func (e *DamageError) Truncate() error {
	if err := removeAfter(e.File); err != nil {
		return err
	}
	return os.Truncate(e.File, e.Offset)
}

// removeAfter removes the block files that come after one.
func removeAfter(name string) error {
	all, err := filepath.Glob(filepath.Join(filepath.Dir(name), "blockfile_*"))
	if err != nil {
		return err
	}
	for _, file := range all {
		if file > name {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// RestoreFirst replaces a peer's block files by the first block of another peer. The peer
// must be down.
//
// Errors:
//   - A *DamageError if the other peer's first block cannot be read.
//   - Any error of the file system.
func RestoreFirst(directory, from string) error {
	for b, err := range blocks(from) {
		if err != nil {
			return err
		}
		name := filepath.Join(directory, firstFile)
		if err := removeAfter(name); err != nil {
			return err
		}
		return os.WriteFile(name, serialize(b), 0o600)
	}
	return fmt.Errorf("%s: %w", from, io.ErrUnexpectedEOF)
}

const firstFile = "blockfile_000000"

// serialize gives a block in the form of Fabric's files, with its length.
func serialize(b *common.Block) []byte {
	raw := protowire.AppendVarint(nil, b.Header.Number)
	raw = protowire.AppendBytes(protowire.AppendBytes(raw, b.Header.DataHash), b.Header.PreviousHash)
	for _, all := range [][][]byte{b.Data.Data, b.Metadata.Metadata} {
		raw = protowire.AppendVarint(raw, uint64(len(all)))
		for _, item := range all {
			raw = protowire.AppendBytes(raw, item)
		}
	}
	return protowire.AppendBytes(nil, raw)
}

// blocks yields the blocks in the files of a directory. It ends with a *DamageError where
// they cannot be read any further, and with errors of the file system. It does not check
// hashes.
func blocks(dir string) iter.Seq2[*common.Block, error] {
	return func(yield func(*common.Block, error) bool) {
		var next uint64
		for i := 0; ; i++ {
			name := filepath.Join(dir, fmt.Sprintf("blockfile_%06d", i))
			f, err := os.Open(name)
			if i > 0 && errors.Is(err, fs.ErrNotExist) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			n, goOn := readFile(f, next, yield)
			f.Close()
			if !goOn {
				return
			}
			next = n
		}
	}
}

// readFile yields the blocks in one file, and returns the number of the block after them.
func readFile(f *os.File, next uint64, yield func(*common.Block, error) bool) (after uint64, goOn bool) {
	r := bufio.NewReaderSize(f, 1<<16)
	for offset := int64(0); ; {
		damage := func(reason string) (uint64, bool) {
			yield(nil, &DamageError{f.Name(), offset, next, reason})
			return 0, false
		}
		head, err := r.Peek(8)
		if len(head) == 0 && errors.Is(err, io.EOF) {
			return next, true
		}
		if err != nil && !errors.Is(err, io.EOF) {
			yield(nil, err)
			return 0, false
		}
		size, width := protowire.ConsumeVarint(head)
		if width < 0 {
			return damage("no length of a block")
		}
		if size > maxBlock {
			return damage(fmt.Sprintf("a block of %d bytes", size))
		}
		r.Discard(width) // they were there
		if !awaitSize(f, offset+int64(width)+int64(size)) {
			return damage("the file ends within a block")
		}
		raw := make([]byte, size)
		if _, err := io.ReadFull(r, raw); err != nil {
			yield(nil, err)
			return 0, false
		}
		b, ok := parseBlock(raw)
		if !ok {
			return damage("it is no block")
		}
		if b.Header.Number != next {
			return damage(fmt.Sprintf("it is block %d", b.Header.Number))
		}
		if !yield(b, nil) {
			return 0, false
		}
		offset += int64(width) + int64(size)
		next++
	}
}

// awaitSize tells whether a file has a size. If its server has written to it a moment
// ago, it may not be done.
func awaitSize(f *os.File, size int64) bool {
	for {
		info, err := f.Stat()
		if err != nil || info.Size() >= size {
			return err == nil
		}
		if time.Since(info.ModTime()).Abs() > time.Second {
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// parseBlock reads a block in the form of Fabric's files.
func parseBlock(raw []byte) (*common.Block, bool) {
	ok := true
	number := func() (n uint64) {
		n, width := protowire.ConsumeVarint(raw)
		if width < 0 {
			ok, width = false, 0
		}
		raw = raw[width:]
		return n
	}
	text := func() (b []byte) {
		b, width := protowire.ConsumeBytes(raw)
		if width < 0 {
			ok, width = false, 0
		}
		raw = raw[width:]
		return b
	}
	texts := func() (all [][]byte) {
		for n := number(); n > 0 && ok; n-- {
			all = append(all, text())
		}
		return all
	}
	b := &common.Block{Header: &common.BlockHeader{Number: number(), DataHash: text(), PreviousHash: text()}}
	b.Data = &common.BlockData{Data: texts()}
	b.Metadata = &common.BlockMetadata{Metadata: texts()}
	return b, ok && len(raw) == 0
}

// headerHash is the hash by which the next block names this one.
func headerHash(h *common.BlockHeader) [sha256.Size]byte {
	der, err := asn1.Marshal(struct {
		Number       *big.Int
		PreviousHash []byte
		DataHash     []byte
	}{new(big.Int).SetUint64(h.Number), h.PreviousHash, h.DataHash})
	if err != nil {
		panic(err) // all of it can be encoded
	}
	return sha256.Sum256(der)
}

// dataMatches tells whether the transactions of a block are those of its header.
func dataMatches(b *common.Block) bool {
	sum := sha256.New()
	for _, tx := range b.Data.Data {
		sum.Write(tx)
	}
	return bytes.Equal(sum.Sum(nil), b.Header.DataHash)
}

// metadata gives an item of a block's metadata, or nil.
func metadata(b *common.Block, i common.BlockMetadataIndex) []byte {
	if all := b.Metadata.Metadata; int(i) < len(all) {
		return all[i]
	}
	return nil
}
