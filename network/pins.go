package network

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// pinMark shortens a CID. Of two with the same mark, one that is not pinned would go
// unnoticed.
func pinMark(cid string) uint64 {
	sum := sha256.Sum256([]byte(cid))
	return binary.BigEndian.Uint64(sum[:])
}

var errNoNode = errors.New("the organisation has no IPFS node")

// pinned gives the marks of all that is pinned at a hospital's node, by itself or as a
// part of something else.
func (n *Network) pinned(ctx context.Context, org string) (map[uint64]bool, error) {
	if !n.topology.isHospital(org) {
		return nil, errNoNode
	}
	all := map[uint64]bool{}
	err := n.pinCall(ctx, org, time.Hour, "pin/ls?type=all&stream=true", func(body io.Reader) error {
		for d := json.NewDecoder(body); ; {
			var pin struct{ Cid string }
			if err := d.Decode(&pin); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			all[pinMark(pin.Cid)] = true
		}
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// isPinned tells whether one payload is pinned. A node that does not answer has nothing
// pinned.
func (n *Network) isPinned(ctx context.Context, org, cid string) bool {
	return n.pinCall(ctx, org, time.Minute, "pin/ls?type=all&arg="+url.QueryEscape(cid), drain) == nil
}

// pinPatience is the time to fetch a payload from other nodes.
const pinPatience = 5 * time.Minute

// pin pins a payload. The name is that of the client's pins.
func (n *Network) pin(ctx context.Context, org, cid string) error {
	return n.pinCall(ctx, org, pinPatience, "pin/add?name=chartseal-file&arg="+url.QueryEscape(cid), drain)
}

// repin pins payloads, and gives up after ten failures.
func (n *Network) repin(ctx context.Context, org string, cids []string) error {
	var errs []error
	for _, cid := range cids {
		if err := n.pin(ctx, org, cid); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", cid, err))
		}
		if len(errs) == 10 || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func drain(body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}

// pinCall calls a hospital's node as its operator, with an answer of any length.
func (n *Network) pinCall(ctx context.Context, org string, patience time.Duration, call string, read func(io.Reader) error) error {
	token, err := n.OperatorToken(org)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/api/v0/"+call, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", n.ipfsSocket(org))
	}}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return fmt.Errorf("%s: %s", resp.Status, text)
	}
	if err := read(resp.Body); err != nil {
		return err
	}
	if trailer := resp.Trailer.Get("X-Stream-Error"); trailer != "" { // kubo reports late errors there
		return errors.New(trailer)
	}
	return nil
}
