// Package ipfs keeps payloads on a hospital's kubo node, through its RPC. [New] makes a
// [Store], which is a client.Blobs.
//
// A payload is UnixFS: CIDv1, SHA-256, raw leaves, chunks of 1 MiB, balanced, pinned; one
// of a single chunk is that raw block. Reading fetches block by block and compares each
// with its CID, because neither a kubo node (which does not hash what it reads from its
// own disk) nor its Go client does: a flipped bit on the node's disk, or a node that
// lies, is [ledger.ErrTampered] before any byte of that block is released.
//
// Payloads of one block that are put or pinned together share the pin of a node that
// links to them (tie.go): kubo's "pin ls CID" says that they are pinned indirectly.
// Whoever removes the pins whose names begin with chartseal-tie- lets go of a hundred
// payloads with each. A node may collect its garbage at any time: kubo waits with that
// while it pins, and a payload that is removed between being stored and being pinned is
// missed, and put again.
//
// Every call ends in bounded time when nothing moves for [Options.Idle], which is how a
// CID that no reachable node has becomes [ledger.ErrUnavailable]. A node that does not
// answer, or refuses the token, is named in the error.
package ipfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/cleanup"
	"github.com/chartseal/chartseal/client/groupcommit"
)

// Options say which node to use.
type Options struct {
	API   string        // multiaddress of the RPC, such as /ip4/127.0.0.1/tcp/5001; with /https for TLS
	Token string        // bearer token, may be empty
	Idle  time.Duration // how long a transfer may stand still; zero means 30 s
}

// A Store is a kubo node. It is safe for concurrent use.
type Store struct {
	api     *rpc.HttpApi // requests and their answers
	streams *rpc.HttpApi // payloads of several blocks
	address string
	idle    time.Duration
	blocks  chan struct{} // bounds concurrent block requests
	small   *groupcommit.Committer[leafPut]
	unpins  *groupcommit.Committer[cid.Cid]
}

var _ client.Blobs = (*Store)(nil)

const (
	cleanupTimeout = 10 * time.Second
	stopTimeout    = 2 * time.Second // the same once the caller is told to stop
	chunker        = "size-1048576"  // leafSize
	maxRequests    = 8
)

// New does not connect yet.
func New(o Options) (*Store, error) {
	addr, err := multiaddr.NewMultiaddr(o.API)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "kubo address %q: %v", o.API, err)
	}
	api, err := connect(addr, o.Token, newTransport())
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "kubo address %q: %v", o.API, err)
	}
	streams, err := connect(addr, o.Token, newStreamTransport())
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "kubo address %q: %v", o.API, err)
	}
	if o.Idle <= 0 {
		o.Idle = 30 * time.Second
	}
	s := &Store{api: api, streams: streams, address: o.API, idle: o.Idle, blocks: make(chan struct{}, maxRequests)}
	s.small, s.unpins = s.smallPuts(), s.sharedUnpins()
	return s, nil
}

// Put implements client.Blobs.
func (s *Store) Put(ctx context.Context, r io.Reader) (string, error) {
	var head bytes.Buffer
	switch n, err := io.CopyN(&head, r, leafSize+1); {
	case err == nil: // there is more
		return s.putFile(ctx, io.MultiReader(&head, r))
	case !errors.Is(err, io.EOF):
		return "", err
	case ctx.Err() != nil:
		return "", ctx.Err()
	default:
		return s.putSmall(ctx, head.Bytes()[:n])
	}
}

// putFile stores and pins a payload of several blocks.
func (s *Store) putFile(ctx context.Context, r io.Reader) (string, error) {
	// The pin gets a name that only this upload has. If the answer is lost, the name
	// finds the pin again.
	name := "chartseal-" + rand.Text()
	wctx, watch := newWatch(ctx, s.idle)
	defer watch.stop()
	src := &watchedReader{r: r, watch: watch}
	id, err := s.add(wctx, src, name)
	if err == nil {
		return id, nil
	}
	watch.pause()
	var refusal *rpc.Error
	if src.ended && !errors.As(err, &refusal) { // the node may have got all of it, and not said that it failed
		s.forget(ctx, name)
	}
	switch {
	case src.err != nil: // the source failed, not the node
		return "", src.err
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	return "", s.explain("store payload", err, watch)
}

func (s *Store) add(ctx context.Context, r io.Reader, name string) (string, error) {
	dir := files.NewMapDirectory(map[string]files.Node{"payload": files.NewReaderFile(r)})
	body := files.NewMultiFileReader(dir, false, false)
	resp, err := s.streams.Request("add").
		Option("cid-version", 1).Option("raw-leaves", true).Option("chunker", chunker).Option("hash", "sha2-256").
		Option("pin", true).Option("pin-name", name).Option("quieter", true).
		Body(body).Send(ctx)
	if err != nil {
		return "", err
	}
	if resp.Error != nil {
		return "", resp.Error
	}
	defer resp.Close()
	var last struct{ Hash string }
	for d := json.NewDecoder(resp.Output); ; {
		if err := d.Decode(&last); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
	}
	c, err := parse(last.Hash)
	if err != nil {
		return "", err
	}
	return c.String(), nil
}

// forget unpins what an upload under the name may have pinned. The node may still be
// finishing it, so it looks a few times. What it cannot undo stays as ciphertext without
// a key.
func (s *Store) forget(ctx context.Context, name string) {
	ctx, cancel := cleanup.Context(ctx, cleanupTimeout, stopTimeout)
	defer cancel()
	for wait := 50 * time.Millisecond; wait < time.Second; wait *= 3 {
		var out struct {
			Keys map[string]struct{ Name string }
		}
		err := s.api.Request("pin/ls").Option("type", "recursive").Option("name", name).Option("names", true).Exec(ctx, &out)
		if err == nil && len(out.Keys) > 0 {
			for id := range out.Keys {
				s.Unpin(ctx, id)
			}
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// parse accepts the CIDs that payloads have.
func parse(text string) (cid.Cid, error) {
	c, err := cid.Decode(text)
	if err != nil {
		return cid.Undef, ledger.Errorf(ledger.ErrInvalid, "%q is not a CID", text)
	}
	return c, accept(c)
}

// accept refuses what cannot be verified: only SHA-256, only raw leaves and UnixFS nodes.
func accept(c cid.Cid) error {
	p := c.Prefix()
	if p.Version != 1 || p.MhType != multihash.SHA2_256 || p.MhLength != 32 || (p.Codec != cid.Raw && p.Codec != cid.DagProtobuf) {
		return ledger.Errorf(ledger.ErrInvalid, "CID %s is not of a payload: CIDv1 with SHA-256, raw or dag-pb", c)
	}
	return nil
}

// explain turns what the RPC client returned into one of our errors.
func (s *Store) explain(op string, err error, w *watch) error {
	var refusal *rpc.Error
	var known *ledger.Error
	switch {
	case errors.As(err, &known):
		return fmt.Errorf("%s: %w", op, err)
	case w != nil && w.expired():
		return ledger.Errorf(ledger.ErrUnavailable, "%s: nothing moved for %v at the IPFS node %s", op, w.idle, s.address)
	case errors.Is(err, context.DeadlineExceeded):
		return ledger.Errorf(ledger.ErrUnavailable, "%s: no answer within %v from the IPFS node %s", op, s.idle, s.address)
	case errors.As(err, &refusal) && refusal.Code == forbidden:
		return ledger.Errorf(ledger.ErrDenied, "%s: the IPFS node %s refuses our token", op, s.address)
	case errors.As(err, &refusal):
		return ledger.Errorf(ledger.ErrUnavailable, "%s: the IPFS node %s refuses: %s", op, s.address, refusal.Message)
	}
	return ledger.Errorf(ledger.ErrUnavailable, "%s: the IPFS node %s does not answer: %v", op, s.address, rootCause(err))
}

// rootCause leaves out the URL that net/http puts before a connection's error.
func rootCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
