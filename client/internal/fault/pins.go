package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pins makes sure that a hospital's node keeps the wanted payloads. It may keep others
// only if failed seals of this run have left them. The payloads of a run are single
// blocks. The hospital's keeper gets some time.
func (r *run) pins(ctx context.Context, hospital string, want map[string]bool) error {
	for end := time.Now().Add(3 * time.Minute); ; pause(ctx, 2*time.Second) {
		pinned, err := r.pinned(ctx, hospital)
		if err != nil {
			return err
		}
		var missing []string
		extra := map[string]int64{}
		for cid := range want {
			if !pinned[cid] {
				missing = append(missing, cid)
			}
		}
		for cid := range pinned {
			if want[cid] || !strings.HasPrefix(cid, "bafkr") { // raw blocks; others are directories of payloads
				continue
			}
			var block struct{ Size int64 }
			if err := r.askNode(ctx, hospital, "block/stat?arg="+cid, &block); err != nil {
				return err
			}
			extra[cid] = block.Size
		}
		strange := r.load.left.unexplained(hospital, extra)
		if len(missing)+len(strange) == 0 {
			if len(extra) > 0 {
				r.say("%s keeps %d payloads of failed seals", hospital, len(extra))
			}
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			r.harm("%s lacks %d payloads, %q, and keeps %d that are on no ledger and of no failed seal, %q", hospital, len(missing), missing, len(strange), strange)
			return ctx.Err()
		}
	}
}

// pinned lists all blocks that a hospital's node has pinned.
func (r *run) pinned(ctx context.Context, hospital string) (map[string]bool, error) {
	var answer struct{ Keys map[string]any }
	if err := r.askNode(ctx, hospital, "pin/ls", &answer); err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for cid := range answer.Keys {
		all[cid] = true
	}
	return all, nil
}

// askNode calls a hospital's node as its operator.
func (r *run) askNode(ctx context.Context, hospital, call string, into any) error {
	repository := filepath.Join(r.network(), "orgs", hospital, "ipfs")
	token, err := os.ReadFile(filepath.Join(repository, "operator-token"))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://ipfs/api/v0/"+call, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	node := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(repository, "rpc"))
	}}}
	resp, err := node.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("%s of the node of %s: %s, %w", call, hospital, resp.Status, err)
	}
	return nil
}

// Leftovers are payloads that failed seals may have left at their hospital's node. They
// are in no record, and its keeper unpins them after a day of grace. Nobody knows their
// CIDs, so they are counted by size.
type leftovers []leftover

type leftover struct {
	at       time.Time
	hospital string
	size     int64
	count    int
}

// sweptAfter is a time after which a keeper with the default grace has unpinned what a
// failed seal has left.
const sweptAfter = 26 * time.Hour

// unexplained gives those payloads of a hospital's node that no failed seal has left.
func (l leftovers) unexplained(hospital string, sizes map[string]int64) (strange []string) {
	explained := map[int64]int{}
	for _, one := range l {
		if one.hospital == hospital && time.Since(one.at) < sweptAfter {
			explained[one.size] += one.count
		}
	}
	for _, cid := range slices.Sorted(maps.Keys(sizes)) {
		if explained[sizes[cid]]--; explained[sizes[cid]] < 0 {
			strange = append(strange, cid)
		}
	}
	return strange
}
