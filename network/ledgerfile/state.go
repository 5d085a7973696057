package ledgerfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"
	"google.golang.org/protobuf/encoding/protowire"
)

// A StateCheck says which state to compare with which blocks.
type StateCheck struct {
	Channel  string
	Blocks   string // directory, see [BlockDirectory]
	Database string // directory of the state database, which may be in use
	Scratch  string // directory for a copy, on the same file system

	// Member tells whether the peer is to have the values of a collection.
	Member func(namespace, collection string) bool

	// Value gets every public value, in the order of namespaces and keys; may be nil.
	// What it gets is good until it returns.
	Value func(namespace, key string, value []byte)

	// Progress gets the number of each block that is played; may be nil.
	Progress func(block uint64)
}

// A StateReport says what [CheckState] has found.
type StateReport struct {
	Height uint64 // blocks in the state
	Keys   int    // public keys and hashes of private keys

	Wrong    []string // the first keys with another value than the last write
	WrongAll int      // all of them
	Lost     int      // keys that were written, not deleted, and are not there
	Foreign  int      // keys that no block wrote

	PrivateMissing int // private values of the peer's collections that are not there
	PrivateWrong   int // private values that do not match their hash in the block
}

// Sound tells whether the state is that of the blocks, private values aside that have not
// arrived yet.
func (r StateReport) Sound() bool { return r.WrongAll+r.Lost+r.Foreign+r.PrivateWrong == 0 }

// CheckState plays the valid transactions of the blocks, compares each value in the state
// with the transaction that wrote it last, and each private value with its hash. It reads
// the blocks and the state once each, and holds in memory a short digest of each key that
// was overwritten or deleted.
//
// Errors:
//   - Any error of LevelDB if the database is damaged.
//   - A *DamageError if the blocks cannot be read up to those in the state.
//   - Any error of ctx and of the file system.
func CheckState(ctx context.Context, c StateCheck) (report StateReport, err error) {
	err = withCopy(c.Database, c.Scratch, func(db *leveldb.DB) error {
		s := &state{StateCheck: c, db: db, gone: map[digest]bool{}, older: map[digest][2]digest{}}
		err := s.scan(ctx)
		if err == nil {
			err = s.play(ctx)
		}
		report = s.report
		return err
	})
	return report, err
}

// A state is a state database at work.
type state struct {
	StateCheck
	db     *leveldb.DB
	report StateReport

	matched int                  // keys whose last write was seen
	gone    map[digest]bool      // keys that were written and are not there, until their deletion is seen
	older   map[digest][2]digest // value and metadata of keys before their last write
}

// A digest is the beginning of a SHA-256.
type digest [16]byte

func digestOf(parts ...[]byte) (d digest) {
	sum := sha256.New()
	for _, p := range parts {
		sum.Write(binary.AppendUvarint(nil, uint64(len(p))))
		sum.Write(p)
	}
	copy(d[:], sum.Sum(nil))
	return d
}

// A version is the transaction that wrote a value.
type version struct{ block, transaction uint64 }

func (v version) before(w version) bool {
	return v.block < w.block || v.block == w.block && v.transaction < w.transaction
}

// A stored value is one in the state database.
type stored struct {
	version  version
	value    []byte
	metadata []byte
}

var errValue = errors.New("it is no value of a peer's state")

// parseStored reads a value of the database.
func parseStored(raw []byte) (s stored, err error) {
	for len(raw) > 0 {
		field, kind, width := protowire.ConsumeTag(raw)
		if width < 0 || kind != protowire.BytesType {
			return s, errValue
		}
		text, length := protowire.ConsumeBytes(raw[width:])
		if length < 0 {
			return s, errValue
		}
		raw = raw[width+length:]
		switch field {
		case 1:
			if s.version, err = parseVersion(text); err != nil {
				return s, err
			}
		case 2:
			s.value = text
		case 3:
			s.metadata = text
		}
	}
	return s, nil
}

// parseVersion reads two numbers, each in the form: the number of its bytes, then the
// bytes, big endian.
func parseVersion(raw []byte) (v version, err error) {
	for _, to := range []*uint64{&v.block, &v.transaction} {
		if len(raw) == 0 || raw[0] > 8 || len(raw) <= int(raw[0]) {
			return v, errValue
		}
		var padded [8]byte
		n := int(raw[0])
		copy(padded[8-n:], raw[1:])
		*to, raw = binary.BigEndian.Uint64(padded[:]), raw[1+n:]
	}
	return v, nil
}

// Keys of the database are CHANNEL 0 'd' NAMESPACE 0 KEY, and CHANNEL 0 's' for the last
// transaction in the state.
func (s *state) prefix(kind byte) []byte { return append([]byte(s.Channel), 0, kind) }

func (s *state) databaseKey(l location) []byte {
	return append(append(append(s.prefix('d'), l.namespace...), 0), l.key...)
}

// get reads a value, or returns nil.
func (s *state) get(l location) (*stored, error) {
	raw, err := s.db.Get(s.databaseKey(l), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := parseStored(raw)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", l, err)
	}
	return &v, nil
}

func (l location) String() string { return fmt.Sprintf("%q of %s", l.key, l.namespace) }

// scan reads all of the state, counts its keys and compares private values with their
// hashes.
func (s *state) scan(ctx context.Context) error {
	last, err := s.db.Get(s.prefix('s'), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil // nothing was committed yet
	}
	if err != nil {
		return err
	}
	height, err := parseVersion(last)
	if err != nil {
		return fmt.Errorf("the number of the last block in the state: %w", err)
	}
	s.report.Height = height.block + 1
	it := s.db.NewIterator(util.BytesPrefix(s.prefix('d')), nil)
	defer it.Release()
	for n := 0; it.Next(); n++ {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		namespace, key, _ := bytes.Cut(it.Key()[len(s.prefix('d')):], []byte{0})
		l := location{string(namespace), string(key)}
		v, err := parseStored(it.Value())
		if err != nil {
			return fmt.Errorf("key %s: %w", l, err)
		}
		name, collection, private := strings.Cut(l.namespace, "$$")
		switch {
		case private && strings.HasPrefix(collection, "p"):
			err = s.comparePrivate(name, collection[1:], l.key, v)
		case private:
			s.report.Keys++
			if s.Member(name, collection[1:]) {
				s.report.PrivateMissing++ // comparePrivate takes it back
			}
		default:
			s.report.Keys++
			if s.Value != nil {
				s.Value(l.namespace, l.key, v.value)
			}
		}
		if err != nil {
			return err
		}
	}
	return it.Error()
}

// comparePrivate compares a private value with the hash that the blocks have.
func (s *state) comparePrivate(namespace, collection, key string, v stored) error {
	keyHash, valueHash := sha256.Sum256([]byte(key)), sha256.Sum256(v.value)
	hash, err := s.get(location{hashesOf(namespace, collection), string(keyHash[:])})
	if err != nil {
		return err
	}
	if hash != nil && s.Member(namespace, collection) {
		s.report.PrivateMissing--
	}
	if hash == nil || !bytes.Equal(hash.value, valueHash[:]) || hash.version != v.version {
		s.report.PrivateWrong++
	}
	return nil
}

// play plays the blocks that are in the state.
func (s *state) play(ctx context.Context) error {
	next := uint64(0)
	for b, err := range blocks(s.Blocks) {
		if next == s.report.Height {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if s.Progress != nil {
			s.Progress(next)
		}
		codes := metadata(b, common.BlockMetadataIndex_TRANSACTIONS_FILTER)
		for i, envelope := range b.Data.Data {
			if i >= len(codes) || peer.TxValidationCode(codes[i]) != peer.TxValidationCode_VALID {
				continue
			}
			all, err := changesOf(envelope)
			if err != nil {
				return fmt.Errorf("block %d: transaction %d is marked valid and cannot be read: %w", next, i, err)
			}
			for l, c := range all {
				if err := s.compare(l, c, version{next, uint64(i)}); err != nil {
					return err
				}
			}
		}
		next++
	}
	if next < s.report.Height {
		return fmt.Errorf("the state has %d blocks, and the block files %d", s.report.Height, next)
	}
	s.report.Lost = len(s.gone)
	s.report.Foreign = max(0, s.report.Keys-s.matched)
	return nil
}

// compare compares one change with the state.
func (s *state) compare(l location, c *change, at version) error {
	now, err := s.get(l)
	if err != nil {
		return err
	}
	id := digestOf([]byte(l.namespace), []byte(l.key))
	earlier, known := s.older[id] // the zero digests stand for nothing
	value, metadata := earlier[0], earlier[1]
	switch {
	case c.deletes:
		delete(s.older, id)
		delete(s.gone, id)
		if now != nil && !at.before(now.version) {
			s.wrong(l, "it was deleted in block %d", at.block)
		}
		return nil
	case !c.setValue && !known: // a policy for a key that did not exist, or that has its last value
		if now != nil && now.version.before(at) {
			s.wrong(l, "block %d changed its policy", at.block)
		}
		return nil
	}
	if c.setValue {
		value = digestOf(c.value)
	}
	if c.setMetadata {
		metadata = digest{}
		if len(c.metadata) > 0 {
			metadata = digestOf(c.metadata)
		}
	}
	switch {
	case now == nil:
		s.gone[id] = true
		s.older[id] = [2]digest{value, metadata}
	case at.before(now.version):
		s.older[id] = [2]digest{value, metadata}
	case now.version != at:
		s.wrong(l, "block %d wrote it last, and the state has that of block %d", at.block, now.version.block)
		s.older[id] = [2]digest{value, metadata}
	default:
		delete(s.older, id)
		s.matched++
		is := digest{}
		if len(now.metadata) > 0 {
			is = digestOf(now.metadata)
		}
		if digestOf(now.value) != value || is != metadata {
			s.wrong(l, "block %d wrote another value", at.block)
		}
	}
	return nil
}

func (s *state) wrong(l location, format string, args ...any) {
	if s.report.WrongAll++; s.report.WrongAll <= maxFaults {
		s.report.Wrong = append(s.report.Wrong, fmt.Sprintf("%s: "+format, append([]any{l}, args...)...))
	}
}
