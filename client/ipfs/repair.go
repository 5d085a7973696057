package ipfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/kubo/client/rpc"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A node that has a damaged copy of a block never asks other nodes for it, and serves
// what it has, or an error. So this package asks the others itself: through the node's
// own connections, for which kubo's Experimental.Libp2pStreamMounting has to be set, and
// from the block server of the others, their Experimental.GatewayOverLibp2p. The good
// copy replaces the damaged one in one step, and pins are left alone. kubo only takes it
// if its Datastore.BlockKeyCacheSize is 0; otherwise it believes that it has the block.

// ErrDamaged is of a block whose copy on the own node is damaged, cannot be read or is
// missing, when no other node gives a good one. It comes with ledger.ErrTampered.
var ErrDamaged = errors.New("damaged copy")

// RepairCall is the call by which a person's program asks the hospital's proxy for
// [Store.Repair]. Plain kubo does not know it.
const RepairCall = "block/repair"

// peerTimeout bounds what one other node may take for a block.
const peerTimeout = 10 * time.Second

// A Copy tells which copy of a block Repair returns.
type Copy int

// Copies of a block.
const (
	Own         Copy = iota // that of the own node, which is good
	Replaced                // another node's, which is now the own one
	NotReplaced             // another node's, which the own node does not take
)

// Repair returns a block: the own node's copy or, if that is damaged, cannot be read or
// is missing, that of another hospital's node. This then replaces the own copy. The store
// must have the address of a Unix socket.
//
// Errors:
//   - ledger.ErrInvalid if id is not the CID of a block of a payload.
//   - ErrDamaged if there is no good copy.
//   - ledger.ErrUnavailable if the own node does not answer.
//   - ledger.ErrDenied if the node refuses the token.
//   - the error of ctx, once it has ended.
func (s *Store) Repair(ctx context.Context, id string) (data []byte, which Copy, err error) {
	c, err := parse(id)
	if err != nil {
		return nil, 0, err
	}
	good, err := s.ownCopy(ctx, c)
	if err == nil {
		return good, Own, nil
	}
	var bad unreadable
	if !errors.As(err, &bad) {
		return nil, 0, err
	}
	data, eerr := s.elsewhere(ctx, c)
	switch {
	case ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case eerr != nil:
		return nil, 0, s.damaged(c, bad, eerr)
	}
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	if err = s.putBlock(wctx, codecs[c.Type()], false, block{data, c}); err == nil {
		_, err = s.ownCopy(ctx, c)
	}
	if err != nil {
		return data, NotReplaced, ctx.Err()
	}
	return data, Replaced, ctx.Err()
}

var codecs = map[uint64]string{cid.Raw: "raw", cid.DagProtobuf: "dag-pb"}

// An unreadable error is that of a block of which the node has no good copy.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

// ownCopy returns a block that is on the node's own disk.
func (s *Store) ownCopy(ctx context.Context, c cid.Cid) ([]byte, error) {
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	data, err := s.getBlock(wctx, c, true)
	var refusal *rpc.Error
	switch {
	case err == nil && matches(c, data):
		return data, nil
	case err == nil:
		return nil, unreadable{s.altered(c)}
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &refusal) && refusal.Code != forbidden:
		return nil, unreadable{s.explain("read block "+c.String(), err, nil)}
	}
	return nil, s.explain("read block "+c.String(), err, nil)
}

func (s *Store) damaged(c cid.Cid, own, others error) error {
	return damagedError{ledger.Errorf(ledger.ErrTampered, "the IPFS node %s has no good copy of block %s (%v), and no other hospital's node gave one: %v", s.address, c, own, others)}
}

type damagedError struct{ error }

func (d damagedError) Unwrap() []error { return []error{d.error, ErrDamaged} }

// heal gets a good copy of a block of which the node has none: by Repair, or from the
// proxy, which calls that.
func (s *Store) heal(ctx context.Context, c cid.Cid) ([]byte, error) {
	if s.directory() != "" {
		data, _, err := s.Repair(ctx, c.String())
		return data, err
	}
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	resp, err := s.api.Request(RepairCall, c.String()).Send(wctx)
	if err != nil {
		return nil, err
	}
	if resp.Error != nil {
		return nil, resp.Error
	}
	defer resp.Cancel()
	data, err := io.ReadAll(io.LimitReader(resp.Output, maxBlock+1))
	if err == nil && !matches(c, data) {
		err = s.altered(c)
	}
	return data, err
}

// elsewhere asks the other nodes for a block, one after the other.
func (s *Store) elsewhere(ctx context.Context, c cid.Cid) ([]byte, error) {
	if s.directory() == "" {
		return nil, errors.New("the node is not reached by a Unix socket")
	}
	var out struct{ Peers []struct{ Peer string } }
	wctx, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	if err := s.api.Request("swarm/peers").Exec(wctx, &out); err != nil {
		return nil, err
	}
	rand.Shuffle(len(out.Peers), func(i, j int) { out.Peers[i], out.Peers[j] = out.Peers[j], out.Peers[i] })
	errs := []error{errors.New("no other node is connected")}
	if len(out.Peers) > 0 {
		errs = nil
	}
	for _, p := range out.Peers {
		data, err := s.askPeer(ctx, p.Peer, c)
		if err == nil {
			return data, nil
		}
		if errs = append(errs, fmt.Errorf("%s: %w", p.Peer, err)); ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func (s *Store) askPeer(ctx context.Context, peer string, c cid.Cid) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	conn, err := s.dialPeer(ctx, peer)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	once := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/ipfs/"+c.String()+"?format=raw", nil)
	if err != nil {
		return nil, err
	}
	resp, err := once.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBlock+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, errAbsent
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %.100s", resp.Status, bytes.TrimSpace(data))
	case !matches(c, data):
		return nil, errOther
	}
	return data, nil
}

// directory is that of the Unix socket by which the node is reached, or "".
func (s *Store) directory() string {
	if socket, ok := strings.CutPrefix(s.address, "/unix"); ok {
		return filepath.Dir(socket)
	}
	return ""
}

// dialPeer connects with the block server of another node. The own node listens on a
// socket beside that of its API, and passes everything on. A socket that is left of a
// node that was killed is replaced.
func (s *Store) dialPeer(ctx context.Context, peer string) (net.Conn, error) {
	path := filepath.Join(s.directory(), peerSocket(peer))
	dial := func() (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", path) }
	if conn, err := dial(); err == nil {
		return conn, nil
	}
	s.api.Request("p2p/close").Option("listen-address", "/unix"+path).Exec(ctx, nil)
	os.Remove(path)
	err := s.api.Request("p2p/forward", "/http/1.1", "/unix"+path, "/p2p/"+peer).Option("allow-custom-protocol", true).Exec(ctx, nil)
	conn, derr := dial() // another program may have been faster
	if derr != nil && err != nil {
		return nil, err
	}
	return conn, derr
}

// peerSocket names the socket for another node. Paths of sockets are short, so the name
// is a hash of the whole ID: somebody can make an ID that ends like that of another node.
func peerSocket(peer string) string {
	sum := sha256.Sum256([]byte(peer))
	return "peer" + base64.RawURLEncoding.EncodeToString(sum[:9])
}
