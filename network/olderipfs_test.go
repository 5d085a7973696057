package network

import (
	"encoding/base32"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/go-cid"
)

// olderDatastore takes from a stopped hospital's kubo what came with the settings of
// release 4: it then serves a damaged block.
func olderDatastore(t *testing.T, n *Network, org string) {
	t.Helper()
	file := n.org(org, "ipfs", "config")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config object
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	datastore, _ := config["Datastore"].(object)
	if datastore["HashOnRead"] != true {
		t.Fatalf("kubo of %s has an unexpected configuration: %s", org, data)
	}
	delete(datastore, "HashOnRead")
	delete(datastore, "BlockKeyCacheSize")
	config["Experimental"] = object{}
	if data, err = json.Marshal(config); err == nil {
		err = writeFile(file, data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantDamageSeen makes sure that a hospital's kubo serves no damaged block, and serves it
// as soon as it is good again.
func wantDamageSeen(t *testing.T, n *Network, org, id string) {
	t.Helper()
	c, err := cid.Decode(id)
	if err != nil {
		t.Fatal(err)
	}
	name := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(c.Hash()) + ".data"
	files, err := filepath.Glob(n.org(org, "ipfs", "blocks", "*", name))
	if err != nil || len(files) != 1 {
		t.Fatalf("block %s of %s is in %q: %v", id, org, files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []bool{true, false} {
		data := append([]byte{}, good...)
		if damaged {
			data[0] ^= 1
		}
		if err := os.WriteFile(files[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := n.ipfs(t.Context(), org, "block/get?offline=true&arg="+id, nil); (err != nil) != damaged {
			t.Errorf("damaged %t: kubo of %s serves %q, %v", damaged, org, got, err)
		}
	}
}
