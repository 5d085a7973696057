package ipfs

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/go-cid"
)

// pin fetches and pins one payload after another.
func (k *fakeKubo) pin(w http.ResponseWriter, ctx context.Context, ids []string, name string) {
	k.mu.Lock()
	k.pinAdds++
	lose := k.losePin
	k.mu.Unlock()
	if k.beforePin != nil {
		k.beforePin()
	}
	for _, id := range ids {
		root, _ := cid.Decode(id)
		for _, c := range append(k.leaves(root), root) {
			if k.block(ctx, c) == nil {
				return
			}
		}
		k.mu.Lock()
		k.pins[root] = name
		delete(k.twice, root)
		k.mu.Unlock()
	}
	if lose {
		panic(http.ErrAbortHandler)
	}
	io.WriteString(w, `{"Progress":1}`+"\n")
	json.NewEncoder(w).Encode(map[string]any{"Pins": ids})
}

func (k *fakeKubo) unpin(w http.ResponseWriter, root cid.Cid) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, pinned := k.pins[root]; !pinned {
		refuse(w, "not pinned or pinned indirectly")
		return
	}
	delete(k.pins, root)
	delete(k.twice, root)
	json.NewEncoder(w).Encode(map[string]any{"Pins": []string{root.String()}})
}

// update replaces a pin by another, which keeps its name. Like kubo, it releases
// its lock between looking and replacing, does not notice that the other has been pinned
// meanwhile, and from then on refuses roots that have two pins.
func (k *fakeKubo) update(w http.ResponseWriter, ids []string) {
	if k.beforeUpdate != nil {
		k.beforeUpdate()
	}
	from, _ := cid.Decode(ids[0])
	to, _ := cid.Decode(ids[1])
	k.mu.Lock()
	defer k.mu.Unlock()
	_, pinned := k.pins[from]
	if _, there := k.pins[to]; there || !pinned || k.twice[from] {
		refuse(w, "'from' is not pinned or 'to' is")
		return
	}
	if k.whileUpdated != nil {
		k.mu.Unlock()
		k.whileUpdated()
		k.mu.Lock()
	}
	name, pinned := k.pins[from]
	if !pinned {
		refuse(w, "'from' is gone")
		return
	}
	_, k.twice[to] = k.pins[to]
	delete(k.pins, from)
	delete(k.twice, from)
	k.pins[to] = name
	json.NewEncoder(w).Encode(map[string]any{"Pins": ids})
}

// list, like kubo, first lists the pinned roots, and then looks up their names one by
// one.
func (k *fakeKubo) list(w http.ResponseWriter, wanted []string, name string, stream, names bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	roots := slices.Collect(maps.Keys(k.pins))
	if names && len(wanted) == 0 && k.whileNamed != nil {
		k.mu.Unlock()
		k.whileNamed()
		k.mu.Lock()
	}
	keys := map[string]any{}
	for _, c := range roots {
		n, still := k.pins[c]
		if len(wanted) > 0 && !slices.Contains(wanted, c.String()) || !strings.Contains(n, name) || names && !still {
			continue
		}
		if !names {
			n = ""
		}
		keys[c.String()] = map[string]string{"Type": "recursive", "Name": n}
		if stream {
			json.NewEncoder(w).Encode(map[string]string{"Cid": c.String(), "Type": "recursive", "Name": n})
		}
	}
	switch {
	case len(keys) < len(wanted):
		refuse(w, "path is not pinned")
	case !stream:
		json.NewEncoder(w).Encode(map[string]any{"Keys": keys})
	}
}

// pinned lists the payloads that are kept: by their own pin, or as members of a pinset.
func (k *fakeKubo) pinned(*testing.T) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	kept := map[string]bool{}
	for root := range k.pins {
		if root.Type() == cid.Raw {
			kept[root.String()] = true
			continue
		}
		n, err := merkledag.DecodeProtobuf(k.blocks[root])
		if err != nil {
			continue
		}
		if _, err := unixfs.FSNodeFromBytes(n.Data()); err == nil { // no pinset can be read as a file
			kept[root.String()] = true
			continue
		}
		for _, l := range n.Links() {
			kept[l.Cid.String()] = true
		}
	}
	return slices.Collect(maps.Keys(kept))
}

func (k *fakeKubo) roots() []cid.Cid {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.pins))
}
