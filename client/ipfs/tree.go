package ipfs

import (
	"context"
	"math"
	"slices"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// maxDepth bounds the depth of leaves. kubo's nodes have up to 174 links, so 4 levels
// hold 800 TiB.
const maxDepth = 8

// A leaf is a raw block and its place in the payload, as the nodes above it claim.
type leaf struct {
	cid         cid.Cid
	start, size int64
}

func (l leaf) end() int64 { return l.start + l.size }

// An inner is a node above the leaves: its children, and the offset at which each ends,
// counted from the start of the first.
type inner struct {
	cid      cid.Cid
	children []cid.Cid
	ends     []int64
}

func (n *inner) size() int64 { return n.ends[len(n.ends)-1] }

// parseInner reads a block that matches its CID. Its content may still be nonsense.
func parseInner(c cid.Cid, data []byte) (*inner, error) {
	bad := func(why string) error {
		return ledger.Errorf(ledger.ErrTampered, "block %s is not of a payload: %s", c, why)
	}
	node, err := merkledag.DecodeProtobuf(data)
	if err != nil {
		return nil, bad(err.Error())
	}
	fs, err := unixfs.FSNodeFromBytes(node.Data())
	if err != nil {
		return nil, bad(err.Error())
	}
	links := node.Links()
	switch {
	case fs.Type() != unixfs.TFile:
		return nil, bad("it is not a file")
	case len(fs.Data()) > 0 || len(links) == 0 || fs.NumChildren() != len(links):
		return nil, bad("its content is not in raw leaves")
	}
	n := &inner{cid: c}
	var end int64
	for i, l := range links {
		size := fs.BlockSize(i)
		if size == 0 || size > uint64(math.MaxInt64-end) {
			return nil, bad("its sizes are impossible")
		}
		if err := accept(l.Cid); err != nil {
			return nil, bad("it links to a block that cannot be verified: " + err.Error())
		}
		end += int64(size)
		n.children, n.ends = append(n.children, l.Cid), append(n.ends, end)
	}
	return n, nil
}

// A tree finds leaves. It caches the nodes above the last leaf, most of which the next
// one shares. It is not safe for concurrent use.
type tree struct {
	s    *Store
	root *inner
	path []*inner // below the root, to the last leaf
}

// locate returns the leaf that holds the byte at an offset, which must be below the size.
func (t *tree) locate(ctx context.Context, at int64) (leaf, error) {
	n, start := t.root, int64(0)
	for depth := range maxDepth {
		i, found := slices.BinarySearch(n.ends, at-start)
		if found { // the byte at this offset begins the next child
			i++
		}
		c, end := n.children[i], n.ends[i]
		from := int64(0)
		if i > 0 {
			from = n.ends[i-1]
		}
		if c.Type() == cid.Raw {
			return leaf{c, start + from, end - from}, nil
		}
		start += from
		var err error
		if n, err = t.child(ctx, depth, c, end-from); err != nil {
			return leaf{}, err
		}
	}
	return leaf{}, ledger.Errorf(ledger.ErrTampered, "payload %s is not a file: its tree is too deep", t.root.cid)
}

func (t *tree) child(ctx context.Context, depth int, c cid.Cid, size int64) (*inner, error) {
	if len(t.path) > depth && t.path[depth].cid == c {
		return t.path[depth], nil
	}
	t.path = t.path[:min(depth, len(t.path))]
	data, err := t.s.verified(ctx, c)
	if err != nil {
		return nil, err
	}
	n, err := parseInner(c, data)
	if err != nil {
		return nil, err
	}
	if n.size() != size {
		return nil, wrongSize(c, n.size(), size)
	}
	t.path = append(t.path, n)
	return n, nil
}
