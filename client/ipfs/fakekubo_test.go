package ipfs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	chunk "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"
)

// fakeKubo answers the calls of kubo's RPC that the adapter makes, from memory. Like
// kubo, it does not verify the blocks that it has, and waits for those that it does not
// have. The integration tests run the same suite on a real kubo.
type fakeKubo struct {
	api, token string

	mu      sync.Mutex
	blocks  map[cid.Cid][]byte
	pins    map[cid.Cid]string // name by root
	twice   map[cid.Cid]bool   // roots that an update has given a second pin
	loseAdd bool               // break the connection instead of answering an add or a put
	puts    int                // requests to put blocks
	pinAdds int                // requests to pin
	losePin bool               // break the connection instead of answering them

	whilePut                func() // runs when nothing keeps the node any more from pinning what it is given
	beforePin, beforeUpdate func() // run before a pin is made or replaced
	whileUpdated            func() // runs after an update has looked at what is pinned, and before it changes that
	whileNamed              func() // runs after roots were listed and before their names are
	beforeGet               func() // runs before the node looks only in its own store for a block

	elsewhere map[cid.Cid][]byte // what a proxy answers about damaged blocks; nil if there is no proxy

	refuseBlock string // refuse requests with a block that has this in it

	hang    chan struct{} // when set, blocks are served only once it is closed
	noCat   bool          // refuse the cat command
	cutCat  int           // break a cat before this leaf
	stopCat int           // let the first cat stand still before this leaf
	lieCat  int           // flip a bit of this leaf in what cat sends; the block itself is good
	cats    int           // how many were asked for
	maxLink int           // links of a node; zero means kubo's 174

	stood time.Duration // the longest wait that a caller gave up
}

func newFakeKubo() *fakeKubo {
	return &fakeKubo{token: "secret", blocks: make(map[cid.Cid][]byte), pins: make(map[cid.Cid]string), twice: make(map[cid.Cid]bool)}
}

func (k *fakeKubo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+k.token {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "403 - Forbidden")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	q := r.URL.Query()
	var root cid.Cid
	if arg := q.Get("arg"); arg != "" {
		root, _ = cid.Decode(arg)
	}
	switch strings.TrimPrefix(r.URL.Path, "/api/v0/") {
	case "add":
		k.add(w, r, q.Get("pin-name"))
	case "block/put":
		k.putBlock(w, r, q.Get("cid-codec"), q.Get("pin") == "true")
	case "dag/import":
		k.importCAR(w, r)
	case "cat":
		k.cat(w, r.Context(), root, q.Get("offset"))
	case "block/get":
		if q.Get("offline") == "true" && k.beforeGet != nil {
			k.beforeGet()
		}
		if q.Get("offline") == "true" && k.stored(root) == nil {
			refuse(w, "not found")
			return
		}
		w.Write(k.block(r.Context(), root))
	case RepairCall:
		if data := k.elsewhere[root]; data != nil {
			w.Write(data)
			return
		}
		refuse(w, "no other node has it")
	case "pin/add":
		k.pin(w, r.Context(), q["arg"], q.Get("name"))
	case "block/stat":
		if q.Get("offline") == "true" && k.stored(root) == nil {
			refuse(w, "not found")
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"Key": root.String(), "Size": len(k.block(r.Context(), root))})
	case "pin/rm":
		k.unpin(w, root)
	case "pin/update":
		k.update(w, q["arg"])
	case "pin/ls":
		k.list(w, q["arg"], q.Get("name"), q.Get("stream") == "true", q.Get("names") == "true")
	default:
		refuse(w, "unknown command")
	}
}

func refuse(w http.ResponseWriter, message string) {
	w.WriteHeader(http.StatusInternalServerError)
	json.NewEncoder(w).Encode(map[string]any{"Message": message, "Code": 0, "Type": "error"})
}

// block waits for a block that it does not have, as a node does that asks its neighbours,
// until the caller gives up.
func (k *fakeKubo) block(ctx context.Context, c cid.Cid) []byte {
	k.mu.Lock()
	data, ok := k.blocks[c]
	hang := k.hang
	k.mu.Unlock()
	if !ok || hang != nil {
		began := time.Now()
		select {
		case <-ctx.Done():
			k.stand(began)
		case <-hang:
		}
	}
	return data
}

// stand notes that a caller has given up waiting.
func (k *fakeKubo) stand(since time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stood = max(k.stood, time.Since(since))
}

// gaveUpAfter returns how long a caller waited before it gave up. Call it in a bubble.
func (k *fakeKubo) gaveUpAfter(t *testing.T) time.Duration {
	t.Helper()
	synctest.Wait() // the node notices later than the caller
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stood == 0 {
		t.Fatal("nobody has given up")
	}
	return k.stood
}

// cat sends a file from an offset on, with the faults that the test has set.
func (k *fakeKubo) cat(w http.ResponseWriter, ctx context.Context, root cid.Cid, offset string) {
	skip, err := strconv.Atoi(offset)
	if err != nil || k.noCat {
		refuse(w, "no cat")
		return
	}
	k.mu.Lock()
	k.cats++
	k.mu.Unlock()
	for n, c := range k.leaves(root) {
		if k.cutCat > 0 && n >= k.cutCat {
			panic(http.ErrAbortHandler)
		}
		if k.stopCat > 0 && n == k.stopCat && k.cats == 1 {
			w.(http.Flusher).Flush()
			began := time.Now()
			<-ctx.Done()
			k.stand(began)
			return
		}
		data := k.block(ctx, c)
		data = data[min(skip, len(data)):]
		skip -= min(skip, len(k.block(ctx, c)))
		if k.lieCat > 0 && n == k.lieCat && len(data) > 0 {
			data = bytes.Clone(data)
			data[len(data)/2] ^= 1
		}
		w.Write(data)
	}
}

func (k *fakeKubo) stored(c cid.Cid) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.blocks[c]
}

// leaves lists the raw blocks of a file in order.
func (k *fakeKubo) leaves(root cid.Cid) []cid.Cid {
	if root.Type() == cid.Raw {
		return []cid.Cid{root}
	}
	k.mu.Lock()
	data := k.blocks[root]
	k.mu.Unlock()
	n, err := merkledag.DecodeProtobuf(data)
	if err != nil {
		return nil
	}
	var all []cid.Cid
	for _, l := range n.Links() {
		all = append(all, k.leaves(l.Cid)...)
	}
	return all
}

func (k *fakeKubo) add(w http.ResponseWriter, r *http.Request, name string) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		refuse(w, err.Error())
		return
	}
	part, err := multipart.NewReader(r.Body, params["boundary"]).NextPart()
	if err != nil {
		refuse(w, err.Error())
		return
	}
	p := helpers.DagBuilderParams{Dagserv: adder{k: k}, RawLeaves: true, Maxlinks: cmp.Or(k.maxLink, helpers.DefaultLinksPerBlock),
		CidBuilder: cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}}
	b, err := p.New(chunk.NewSizeSplitter(part, 1<<20))
	if err != nil {
		refuse(w, err.Error())
		return
	}
	root, err := balanced.Layout(b)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	if r.Context().Err() != nil { // as of an upload that was cut off
		refuse(w, "context canceled")
		return
	}
	if k.whilePut != nil {
		k.whilePut()
	}
	k.mu.Lock()
	k.pins[root.Cid()] = name
	lose := k.loseAdd
	k.mu.Unlock()
	if lose {
		panic(http.ErrAbortHandler)
	}
	json.NewEncoder(w).Encode(map[string]string{"Name": "payload", "Hash": root.Cid().String()})
}

// upload reads the only file of a request. It returns nil if the node is to hang or to
// refuse it.
func (k *fakeKubo) upload(w http.ResponseWriter, r *http.Request) []byte {
	k.mu.Lock()
	k.puts++
	hang := k.hang
	k.mu.Unlock()
	if hang != nil {
		io.Copy(io.Discard, r.Body) // only then does the server notice that the caller has gone
		<-r.Context().Done()
		return nil
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		refuse(w, err.Error())
		return nil
	}
	part, err := multipart.NewReader(r.Body, params["boundary"]).NextPart()
	var data []byte
	if err == nil {
		data, err = io.ReadAll(part)
	}
	if err == nil && k.refuseBlock != "" && bytes.Contains(data, []byte(k.refuseBlock)) {
		err = errors.New("no such block here")
	}
	if err != nil {
		refuse(w, err.Error())
		return nil
	}
	return bytes.Clone(data) // never nil
}

func (k *fakeKubo) putBlock(w http.ResponseWriter, r *http.Request, codec string, pin bool) {
	data := k.upload(w, r)
	if data == nil {
		return
	}
	codecs := map[string]uint64{"raw": cid.Raw, "dag-pb": cid.DagProtobuf}
	c, err := cid.V1Builder{Codec: codecs[codec], MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	if k.whilePut != nil {
		k.whilePut()
	}
	k.mu.Lock()
	k.blocks[c] = data
	if pin {
		k.pins[c] = ""
	}
	k.mu.Unlock()
	if k.loseAdd {
		panic(http.ErrAbortHandler)
	}
	json.NewEncoder(w).Encode(map[string]any{"Key": c.String(), "Size": len(data)})
}

// importCAR stores the blocks of a CAR file. It parses by the specification, not by what
// carReader writes.
func (k *fakeKubo) importCAR(w http.ResponseWriter, r *http.Request) {
	car := bytes.NewBuffer(k.upload(w, r))
	if car.Len() == 0 {
		return
	}
	header, err := binary.ReadUvarint(car)
	if err != nil || car.Len() < int(header) {
		refuse(w, "no header")
		return
	}
	car.Next(int(header))
	n := 0
	for ; car.Len() > 0; n++ {
		size, err := binary.ReadUvarint(car)
		if err != nil || car.Len() < int(size) {
			refuse(w, "cut off")
			return
		}
		section := car.Next(int(size))
		length, c, err := cid.CidFromBytes(section)
		if err != nil || !matches(c, section[length:]) {
			refuse(w, "import failed: mismatch")
			return
		}
		k.mu.Lock()
		k.blocks[c] = bytes.Clone(section[length:])
		k.mu.Unlock()
	}
	json.NewEncoder(w).Encode(map[string]any{"Stats": map[string]int{"BlockCount": n}})
}

// adder is the part of a DAG service that the importer needs.
type adder struct {
	format.DAGService
	k *fakeKubo
}

func (a adder) Add(_ context.Context, n format.Node) error {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	a.k.blocks[n.Cid()] = bytes.Clone(n.RawData())
	return nil
}

// corrupt flips a bit in the middle block of a payload.
func (k *fakeKubo) corrupt(t *testing.T, id string) {
	t.Helper()
	root, err := cid.Decode(id)
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	at := root
	if root.Type() == cid.DagProtobuf {
		n, err := merkledag.DecodeProtobuf(k.blocks[root])
		if err != nil {
			t.Fatal(err)
		}
		at = n.Links()[len(n.Links())/2].Cid
	}
	data := bytes.Clone(k.blocks[at])
	data[len(data)/2] ^= 1
	k.blocks[at] = data
}
