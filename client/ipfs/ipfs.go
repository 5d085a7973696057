// Package ipfs keeps payloads on a hospital's kubo node, through its RPC API. [New] makes
// a [Store], which implements client.Blobs.
//
// A payload is a pinned UnixFS file: CIDv1, SHA-256, raw leaves, chunks of 1 MiB,
// balanced layout. A payload of one chunk is just its raw block.
//
// # Reading
//
// Every block is compared with its CID before any of its bytes is released. Neither a
// kubo node nor its Go client does that for blocks on the node's own disk, unless the
// node is told to. When a bit has flipped on disk, or the node lies, the block of another
// hospital's node will do, see [Store.Repair]. If there is none either, that is
// [ledger.ErrTampered] and [ErrDamaged].
//
// # Pins
//
// Single-block payloads that are stored or pinned at the same time share one pin, that of
// a pinset (pinset.go). kubo's "pin ls CID" shows them as pinned indirectly. Whoever
// removes a pin whose name begins with chartseal-tie- releases up to a hundred payloads.
//
// A node may collect its garbage at any time, although a hospital's proxy does that only
// when nobody stores. kubo collects none while it pins. If it removes a payload after
// that was stored and before it is pinned, the pin fails, and the payload is stored
// again.
//
// # Time
//
// Every call fails with [ledger.ErrUnavailable] when the node makes no progress for
// [Options.Idle], for example because no reachable node has a CID. The error names a node
// that does not answer or refuses the token.
package ipfs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/groupcommit"
)

// Options select a node.
type Options struct {
	API   string        // multiaddress of the RPC, such as /ip4/127.0.0.1/tcp/5001 or /unix/run/kubo; with /https for TLS
	Token string        // bearer token, may be empty
	TLS   *tls.Config   // roots and client certificate for an address with /https; nil means the system's roots
	Idle  time.Duration // longest time without progress; zero means 30 s
}

// A Store is a kubo node. It is safe for concurrent use.
type Store struct {
	api     *rpc.HttpApi // short requests and answers
	streams *rpc.HttpApi // payloads of several blocks
	address string
	times
	requests chan struct{} // has room for maxRequests
	puts     *groupcommit.Committer[block]
	unpins   *groupcommit.Committer[cid.Cid]
	pinsets  pinsets
}

var _ client.Blobs = (*Store)(nil)

// times bound how long calls wait for the node.
type times struct {
	idle       time.Duration // Options.Idle
	streamIdle time.Duration // until the next block of a stalled stream is fetched by itself
	groupIdle  time.Duration // that payloads which no node has may delay those pinned with them
}

// defaultTimes were chosen on real nodes. One stream from another hospital's node was
// seen to stall for half a minute, until it was given up, while every machine was idle.
// The cause is not known.
var defaultTimes = times{idle: 30 * time.Second, streamIdle: 5 * time.Second, groupIdle: 5 * time.Second}

// maxRequests bounds the concurrent block requests of a Store.
const maxRequests = 8

// New returns the store of a node. It does not connect yet.
//
// Errors:
//   - ledger.ErrInvalid if the address is not a multiaddress.
//   - ledger.ErrInvalid if the token would go to another machine without TLS.
func New(o Options) (*Store, error) {
	addr, err := multiaddr.NewMultiaddr(o.API)
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "kubo address %q: %v", o.API, err)
	}
	if err := checkToken(addr, o.Token); err != nil {
		return nil, err
	}
	api, err := connect(addr, o.Token, newTransport(o.TLS))
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "kubo address %q: %v", o.API, err)
	}
	streams, err := connect(addr, o.Token, newStreamTransport(o.TLS))
	if err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "kubo address %q: %v", o.API, err)
	}
	s := &Store{api: api, streams: streams, address: o.API, times: defaultTimes, requests: make(chan struct{}, maxRequests)}
	if o.Idle > 0 {
		s.idle = o.Idle
	}
	s.puts, s.unpins = s.putCommitter(), s.unpinCommitter()
	return s, nil
}

// parse accepts only CIDs that a payload can have.
func parse(text string) (cid.Cid, error) {
	c, err := cid.Decode(text)
	if err != nil {
		return cid.Undef, ledger.Errorf(ledger.ErrInvalid, "%q is not a CID", text)
	}
	return c, accept(c)
}

// accept refuses CIDs that cannot be verified: anything but SHA-256 of a raw leaf or a
// UnixFS node.
func accept(c cid.Cid) error {
	p := c.Prefix()
	if p.Version != 1 || p.MhType != multihash.SHA2_256 || p.MhLength != 32 || (p.Codec != cid.Raw && p.Codec != cid.DagProtobuf) {
		return ledger.Errorf(ledger.ErrInvalid, "CID %s is not of a payload: CIDv1 with SHA-256, raw or dag-pb", c)
	}
	return nil
}

// explain maps an error of the RPC client to one of ours. W may be nil.
func (s *Store) explain(op string, err error, w *watchdog) error {
	var refusal *rpc.Error
	var known *ledger.Error
	var remote *net.OpError
	switch {
	case errors.As(err, &known):
		return fmt.Errorf("%s: %w", op, err)
	case w != nil && w.expired():
		return fmt.Errorf("%s: %w", op, s.stalled(w))
	case errors.Is(err, context.DeadlineExceeded):
		return ledger.Errorf(ledger.ErrUnavailable, "%s: no answer within %v from the IPFS node %s", op, s.idle, s.address)
	case errors.As(err, &refusal) && refusal.Code == forbidden:
		return ledger.Errorf(ledger.ErrDenied, "%s: the IPFS node %s refuses our token or certificate: %.200s", op, s.address, strings.TrimSpace(refusal.Message))
	case errors.Is(err, errTLSOnly):
		return ledger.Errorf(ledger.ErrDenied, "%s: the IPFS node %s takes TLS only: get the present profile of your hospital from its administrator, in which the address of the node ends in /https", op, s.address)
	case errors.As(err, &remote) && remote.Op == "remote error":
		return ledger.Errorf(ledger.ErrDenied, "%s: the IPFS node %s refuses our TLS certificate: %v", op, s.address, remote.Err)
	case errors.As(err, &refusal):
		return ledger.Errorf(ledger.ErrUnavailable, "%s: the IPFS node %s refuses: %s", op, s.address, refusal.Message)
	}
	return ledger.Errorf(ledger.ErrUnavailable, "%s: the IPFS node %s does not answer: %v", op, s.address, rootCause(err))
}

// stalled is the error of a watchdog that expired.
func (s *Store) stalled(w *watchdog) error {
	return ledger.Errorf(ledger.ErrUnavailable, "the IPFS node %s made no progress for %v", s.address, w.idle)
}

// altered is the error of a block that does not match its CID.
func (s *Store) altered(c cid.Cid) error {
	return ledger.Errorf(ledger.ErrTampered, "the IPFS node %s serves a block that is not %s: it was corrupted or altered", s.address, c)
}

// rootCause strips the URL that net/http puts before a connection's error.
func rootCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
