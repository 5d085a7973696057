package contract

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A world is one peer's state with the semantics that the contracts depend on. A
// transaction runs on a snapshot, does not see its own writes, and records the version of
// every key that it reads. It is committed only if those versions are still current. An
// empty value is a deletion. Private data may be missing although its hash is there. A
// range that a transaction read must be the same at commit. No range has more rows than
// totalQueryLimit: the rest is left out in silence.
type world struct {
	height  int
	state   map[string]cell
	private map[string]cell // by collection and key
	hashes  map[string]int  // version of each private key, known even where the value is missing

	keys   []string // of the state, in order, as ordered left them
	keysAt int      // height

	last *world // the last snapshot
}

// ordered gives the keys of the state in order. Tests that write the state directly add
// keys and remove none.
func (w *world) ordered() []string {
	if w.keysAt != w.height || len(w.keys) != len(w.state) {
		w.keys, w.keysAt = slices.Sorted(maps.Keys(w.state)), w.height
	}
	return w.keys
}

type cell struct {
	value   []byte
	version int
}

func newWorld() *world {
	return &world{state: map[string]cell{}, private: map[string]cell{}, hashes: map[string]int{}}
}

var errConflict = errors.New("MVCC_READ_CONFLICT")

// totalQueryLimit is Fabric's default.
const totalQueryLimit = 100000

// A rangeRead is a range as a transaction saw it, for the check of phantoms.
type rangeRead struct {
	start, end string
	rows       []string
}

// seen describes the rows of a range with their versions.
func (w *world) seen(start, end string) rangeRead {
	r := rangeRead{start: start, end: end}
	for _, key := range w.ordered() {
		if key >= start && key < end {
			r.rows = append(r.rows, fmt.Sprint(key, " ", w.state[key].version))
		}
	}
	return r
}

// begin simulates a proposal on the current state.
// snapshot is the world as a simulation sees it. Copies of a flooded world take long, so
// the simulations that follow each other without a commit share one.
func (w *world) snapshot() *world {
	const flooded = 50000
	if last := w.last; last == nil || len(w.state) < flooded || last.height != w.height || len(last.state) != len(w.state) {
		w.last = &world{height: w.height, state: maps.Clone(w.state), private: maps.Clone(w.private), hashes: maps.Clone(w.hashes), keysAt: -1}
	}
	return w.last
}

func (w *world) begin(creator []byte, tx string, at time.Time, transient map[string][]byte, args ...string) *stub {
	return &stub{
		world: w.snapshot(),
		reads: map[string]int{}, hashReads: map[string]int{}, writes: map[string][]byte{}, privateWrites: map[string][]byte{},
		creator: creator, tx: tx, at: timestamppb.New(at), transient: transient, args: args,
	}
}

// commit validates a simulated transaction and applies it as its own block.
func (w *world) commit(s *stub) error {
	for key, version := range s.reads {
		if w.state[key].version != version {
			return fmt.Errorf("%w on %q", errConflict, key)
		}
	}
	for key, version := range s.hashReads {
		if w.hashes[key] != version {
			return fmt.Errorf("%w on the hash of %q", errConflict, key)
		}
	}
	for _, r := range s.rangeReads {
		if !slices.Equal(w.seen(r.start, r.end).rows, r.rows) {
			return fmt.Errorf("%w: a phantom in the range of %q", errConflict, r.start)
		}
	}
	w.height++
	for key, value := range s.writes {
		if len(value) == 0 {
			delete(w.state, key)
			continue
		}
		w.state[key] = cell{value, w.height}
	}
	for key, value := range s.privateWrites {
		if value == nil { // purged
			delete(w.private, key)
			delete(w.hashes, key)
			continue
		}
		w.private[key] = cell{value, w.height}
		w.hashes[key] = w.height
	}
	return nil
}

// A stub is one simulation. Methods that it lacks panic when a contract begins to use
// them.
type stub struct {
	shim.ChaincodeStubInterface
	world *world

	creator   []byte
	tx        string
	at        *timestamppb.Timestamp
	transient map[string][]byte
	args      []string

	reads         map[string]int
	hashReads     map[string]int // of private data, of which a block has them
	writes        map[string][]byte
	privateWrites map[string][]byte
	policies      map[string][]byte // of single keys
	rangeReads    []rangeRead
	ranges        int
	paginated     bool
	event         string
	payload       []byte
	fail          error // of every read
}

func (s *stub) GetFunctionAndParameters() (string, []string) {
	if len(s.args) == 0 {
		return "", nil
	}
	return s.args[0], s.args[1:]
}

func (s *stub) GetTxID() string                                 { return s.tx }
func (s *stub) GetTxTimestamp() (*timestamppb.Timestamp, error) { return s.at, nil }
func (s *stub) GetCreator() ([]byte, error)                     { return s.creator, nil }
func (s *stub) GetTransient() (map[string][]byte, error)        { return s.transient, nil }
func (s *stub) StartWriteBatch()                                {}
func (s *stub) FinishWriteBatch() error                         { return nil }
func (s *stub) CreateCompositeKey(o string, a []string) (string, error) {
	return shim.CreateCompositeKey(o, a)
}

func (s *stub) SetStateValidationParameter(key string, policy []byte) error {
	if s.policies == nil {
		s.policies = make(map[string][]byte)
	}
	s.policies[key] = policy
	return nil
}

func (s *stub) SetEvent(name string, payload []byte) error {
	s.event, s.payload = name, payload
	return nil
}

func (s *stub) GetState(key string) ([]byte, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	c := s.world.state[key]
	s.reads[key] = c.version
	return bytes.Clone(c.value), nil
}

func (s *stub) GetMultipleStates(keys ...string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, k := range keys {
		v, err := s.GetState(k)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

func (s *stub) PutState(key string, value []byte) error {
	if key == "" || s.paginated {
		return errors.New("writes are not allowed here")
	}
	s.writes[key] = bytes.Clone(value)
	return nil
}

func (s *stub) PutPrivateData(collection, key string, value []byte) error {
	if collection == "" || key == "" || s.paginated {
		return errors.New("writes are not allowed here")
	}
	at := collection + "\x00" + key
	if _, purged := s.privateWrites[at]; purged {
		return errors.New("it is written twice")
	}
	s.privateWrites[at] = bytes.Clone(value)
	return nil
}

func (s *stub) DelState(key string) error {
	if key == "" || s.paginated {
		return errors.New("writes are not allowed here")
	}
	s.writes[key] = nil
	return nil
}

// PurgePrivateData fails for a key that the transaction writes, of which Fabric would
// keep one or the other.
func (s *stub) PurgePrivateData(collection, key string) error {
	at := collection + "\x00" + key
	if _, written := s.privateWrites[at]; written || collection == "" || key == "" || s.paginated {
		return errors.New("writes are not allowed here")
	}
	s.privateWrites[at] = nil
	return nil
}

func (s *stub) GetPrivateData(collection, key string) ([]byte, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	at := collection + "\x00" + key
	c := s.world.private[at]
	if c.version != s.world.hashes[at] {
		return nil, errors.New("private data matching public hash version is not available")
	}
	return bytes.Clone(c.value), nil
}

func (s *stub) GetPrivateDataHash(collection, key string) ([]byte, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	at := collection + "\x00" + key
	s.hashReads[at] = s.world.hashes[at]
	if s.world.hashes[at] == 0 {
		return nil, nil
	}
	return []byte("hash"), nil
}

func (s *stub) GetStateByRange(start, end string) (shim.StateQueryIteratorInterface, error) {
	it, _, err := s.scan(start, end, totalQueryLimit)
	s.rangeReads = append(s.rangeReads, s.world.seen(start, end))
	return it, err
}

func (s *stub) GetStateByRangeWithPagination(start, end string, size int32, bookmark string) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
	if len(s.writes)+len(s.privateWrites) > 0 {
		return nil, nil, errors.New("paginated queries are for read-only transactions")
	}
	s.paginated = true
	if bookmark != "" {
		start = bookmark
	}
	return s.scan(start, end, min(int(size), totalQueryLimit))
}

func (s *stub) scan(start, end string, limit int) (*iterator, *peer.QueryResponseMetadata, error) {
	s.ranges++
	it, meta := &iterator{}, &peer.QueryResponseMetadata{}
	keys := s.world.ordered()
	from, _ := slices.BinarySearch(keys, start)
	for _, key := range keys[from:] {
		if key >= end {
			break
		}
		if limit > 0 && len(it.rows) == limit {
			meta.Bookmark = key
			break
		}
		it.rows = append(it.rows, &queryresult.KV{Key: key, Value: s.world.state[key].value})
	}
	return it, meta, nil
}

type iterator struct{ rows []*queryresult.KV }

func (it *iterator) HasNext() bool { return len(it.rows) > 0 }
func (it *iterator) Close() error  { return nil }
func (it *iterator) Next() (*queryresult.KV, error) {
	row := it.rows[0]
	it.rows = it.rows[1:]
	return row, nil
}
