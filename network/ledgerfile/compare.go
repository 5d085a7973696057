package ledgerfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// A Source is the block files of one server.
type Source struct {
	Name      string // for people
	Directory string // see [BlockDirectory]
	Peer      bool   // an orderer keeps no validation codes
}

// Findings say what [Compare] has found in the files of one server.
type Findings struct {
	Source
	Blocks  uint64       // read
	Faults  []Fault      // the first maxFaults
	More    int          // faults beyond those
	Cut     *DamageError // where the files cannot be read any further, or nil
	Witness []string     // servers that have the same last block
}

// A Fault is a block that is not as it should be.
type Fault struct {
	Block  uint64
	Reason string
}

const maxFaults = 10

func (f *Findings) add(block uint64, format string, args ...any) {
	if len(f.Faults) == maxFaults {
		f.More++
		return
	}
	f.Faults = append(f.Faults, Fault{block, fmt.Sprintf(format, args...)})
}

// A cursor is a server's files at one block.
type cursor struct {
	*Findings
	next  func() (*common.Block, error, bool)
	ended bool

	block *common.Block     // nil after the last one
	hash  [sha256.Size]byte // of the header
	sound bool              // the transactions are those of the header
	codes []byte            // of validation, with the hash of what was committed; nil for orderers
}

// Compare reads the blocks of all servers, one after the other and at the same time. For
// each number, the right block is the one that follows the right one before, and that
// most servers have. It holds one block of each server in memory.
//
// Errors:
//   - Any error of ctx.
func Compare(ctx context.Context, sources []Source) ([]Findings, error) {
	found := make([]Findings, len(sources))
	cursors := make([]*cursor, len(sources))
	for i, s := range sources {
		found[i].Source = s
		next, stop := iter.Pull2(blocks(s.Directory))
		defer stop()
		cursors[i] = &cursor{Findings: &found[i], next: next}
	}
	var before [sha256.Size]byte // hash of the right block before
	for n := uint64(0); ; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var present []*cursor
		for _, c := range cursors {
			if c.advance(n); c.block != nil {
				present = append(present, c)
			}
		}
		if len(present) == 0 {
			return found, nil
		}
		right := mostFrequent(present, func(c *cursor) (string, bool) {
			linked := n == 0 || bytes.Equal(c.block.Header.PreviousHash, before[:])
			return string(c.hash[:]), c.sound && linked
		})
		codes := mostFrequent(present, func(c *cursor) (string, bool) {
			return string(c.codes), c.Peer && right != "" && string(c.hash[:]) == right
		})
		var good []string
		for _, c := range present {
			if string(c.hash[:]) == right {
				good = append(good, c.Name)
			}
		}
		for _, c := range present {
			c.judge(n, right, codes, good)
		}
		if right == "" { // nobody has it: go on with what there is
			right = string(present[0].hash[:])
		}
		copy(before[:], right)
	}
}

// advance reads block n.
func (c *cursor) advance(n uint64) {
	c.block = nil
	if c.ended {
		return
	}
	b, err, ok := c.next()
	if !ok || err != nil {
		c.ended = true
		if err != nil {
			c.add(n, "%v", err)
			errors.As(err, &c.Cut)
		}
		return
	}
	c.Blocks = n + 1
	c.block, c.hash, c.sound = b, headerHash(b.Header), dataMatches(b)
	c.codes = slices.Concat(metadata(b, common.BlockMetadataIndex_TRANSACTIONS_FILTER), metadata(b, common.BlockMetadataIndex_COMMIT_HASH))
}

// judge compares the block of one server with the right one.
func (c *cursor) judge(n uint64, right, codes string, good []string) {
	c.Witness = slices.DeleteFunc(slices.Clone(good), func(name string) bool { return name == c.Name })
	switch {
	case !c.sound:
		c.add(n, "its transactions are not those of its hash")
	case right == "":
		c.add(n, "it does not follow block %d", n-1)
	case string(c.hash[:]) != right:
		c.add(n, "it is another block than that of %s", strings.Join(good, ", "))
	case c.Peer && string(c.codes) != codes:
		c.add(n, "its validation codes are other ones than those of most peers")
	}
}

// mostFrequent gives the value that most servers have, of those that count, or "".
func mostFrequent(present []*cursor, value func(*cursor) (text string, counts bool)) (most string) {
	times := map[string]int{}
	for _, c := range present {
		if v, counts := value(c); counts {
			if times[v]++; times[v] > times[most] {
				most = v
			}
		}
	}
	return most
}
