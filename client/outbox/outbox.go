// Package outbox stores index entries on disk from the moment a record is sealed until
// they are written to the ledger. A crash at any moment loses no entry and writes none
// twice.
//
// Most callers [Open] a [Box] and call [Box.Prepare] with the entries of records that
// they are about to register. Once they know the outcome they call [Box.Registered] or
// [Box.Drop]. From time to time they call [Box.Flush].
//
// # The life of an entry
//
//	prepared      It is on disk. The record is about to be registered.
//	registered    The record is on the ledger. The entry waits for those of other records.
//	sent          It has a place in a transaction. The place is on disk before the
//	              transaction is submitted, and determines the bytes of the entry.
//	written       The transaction is committed. The entry is forgotten.
//
// After a crash or an unknown outcome, a flush asks the ledger. A record that is there
// was registered. A record whose version is there with another payload never will be.
// Neither will a record that is not there [Settle] after it was prepared: orderers drop
// requests long before that. Sent entries are read back; [index.Transaction] explains why
// none is written twice.
//
// # Files
//
// A directory with mode 0700 holds the file "log" with mode 0600: a header and frames.
// Each frame is synced before the next step is taken. A torn frame at the end was never
// acted on, and is cut off. The file "lock" is locked (flock) for each change, and
// "flushing" during a flush, so any number of processes may share a box. The file
// "waiting" is locked by the process that waits until entries are due, see [Wait]. The
// log is rewritten when most of it is history.
//
// A damaged log must not stop anybody from sealing. The first call that finds it renames
// it to "log.damaged-TIME", and goes on with an empty one; see [Box.Damaged]. The entries
// are not lost: the ledger has the records, and their envelopes say how to find them.
//
// # What a thief learns
//
// The log holds keys of terms, and postings in clear: the waiting records' ids, kinds and
// days. It holds no terms, but with a scope key, which the same wallet caches, they can
// be found by trying. The log covers hours, not years, as written entries leave it. Only
// the file system protects it, like the wallet.
package outbox

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// Settle is the age at which a prepared record that is not on the ledger counts as never
// registered. Orderers keep a request for minutes at most.
const Settle = time.Hour

// An ID names a job or a batch.
type ID [16]byte

// NewID returns a random ID.
func NewID() ID {
	var id ID
	rand.Read(id[:])
	return id
}

// String returns hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// A Record is a record as its registration shows it on the ledger.
type Record struct {
	ID         string `json:"id"`
	Version    int    `json:"version"`
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`

	// Erased says that the job's transaction erases the record, and does not register it.
	Erased bool `json:"erased,omitempty"`
}

// stands reports whether the ledger has what the job's transaction does. over reports
// that it never will.
func (r Record) stands(on ledger.Record) (stands, over bool) {
	if r.Erased {
		return on.Erasure != nil, false
	}
	i := slices.IndexFunc(on.Versions, func(v ledger.RecordVersion) bool { return v.Version == r.Version })
	if i < 0 {
		return false, false
	}
	v := on.Versions[i]
	// A version that was sealed again has another payload, and is the same version.
	stands = v.Resealed() || v.CID == r.CID && v.Commitment == r.Commitment
	return stands, !stands
}

// A Job is the entries of records that one transaction registers.
type Job struct {
	ID      ID              `json:"-"`
	Records []Record        `json:"records"`
	Now     bool            `json:"now"` // write as soon as possible, without waiting for other records
	Created time.Time       `json:"created"`
	Entries []index.Pending `json:"-"`
}

// A Box is an outbox. It is safe for concurrent use. Several processes may open the same
// directory.
type Box struct {
	medium medium

	mu    sync.Mutex
	state *state

	// registering are the jobs that this process is registering. A flush does not ask the
	// ledger about them.
	registering map[ID]bool
}

// Open opens the box in a directory, and makes the directory if there is none.
//
// Errors: those of the file system.
func Open(dir string) (*Box, error) {
	m, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	return &Box{medium: m}, nil
}

// Memory returns a box that ends with the process.
func Memory() *Box { return &Box{medium: &memory{}} }

// Prepare stores a job. A zero ID is replaced by a new one, a zero Created by the
// present. Once the outcome is known, the caller calls Registered, Drop or Unknown.
//
// Errors:
//   - ledger.ErrInvalid if the log is of another version.
//   - errors of the file system. The job may then be stored or not.
func (b *Box) Prepare(j *Job) error {
	if j.ID == (ID{}) {
		j.ID = NewID()
	}
	if j.Created.IsZero() {
		j.Created = time.Now()
	}
	j.Created = j.Created.UTC().Truncate(time.Millisecond)
	frame, err := prepareFrame(j)
	if err != nil {
		return err
	}
	return b.locked(func(s *state) error {
		err := b.write(s, frame)
		if err == nil {
			if b.registering == nil {
				b.registering = make(map[ID]bool)
			}
			b.registering[j.ID] = true
		}
		return err
	})
}

// Registered notes that the records of jobs are on the ledger. Its errors are those of
// [Box.Prepare].
func (b *Box) Registered(jobs ...ID) error {
	b.Unknown(jobs...)
	return b.append(idFrames(frameRegistered, jobs))
}

// Drop forgets jobs whose records will never be on the ledger. Its errors are those of
// [Box.Prepare].
func (b *Box) Drop(jobs ...ID) error {
	b.Unknown(jobs...)
	return b.append(idFrames(frameDropped, jobs))
}

// Unknown notes that the caller cannot tell whether the records of jobs are on the
// ledger. A flush will ask.
func (b *Box) Unknown(jobs ...ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range jobs {
		delete(b.registering, id)
	}
}

// append adds frames to the log.
func (b *Box) append(frames []byte) error {
	return b.locked(func(s *state) error { return b.write(s, frames) })
}

// locked runs do with the log's lock held and its state up to date.
func (b *Box) locked(do func(*state) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	unlock, err := b.medium.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := b.refresh(); err != nil {
		return err
	}
	return do(b.state)
}

func (b *Box) write(s *state, frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	if _, err := s.read(frames); err != nil {
		b.state = nil // the log was set aside during the call
		return err
	}
	if err := b.medium.append(frames); err != nil {
		b.state = nil // the disk may hold a part of the frames
		return err
	}
	return nil
}

// refresh reads the frames that other processes have added. It sets a damaged log aside.
func (b *Box) refresh() error {
	err := b.reread()
	if !errors.Is(err, errDamaged) {
		return err
	}
	b.state = nil
	if err := b.medium.setAside(time.Now()); err != nil {
		return err
	}
	return b.reread()
}

func (b *Box) reread() error {
	head, err := b.medium.read(0, headerSize)
	if err != nil {
		return err
	}
	if head == nil {
		b.state = newState()
		return b.medium.replace(b.state.header())
	}
	if len(head) < headerSize {
		return damaged("its header is cut off")
	}
	if b.state == nil || !b.state.continues(head) {
		if b.state, err = parseHeader(head); err != nil {
			return err
		}
	}
	rest, err := b.medium.read(b.state.end, -1)
	if err != nil {
		return err
	}
	torn, err := b.state.read(rest)
	if err != nil {
		b.state = nil
		return err
	}
	if torn {
		return b.medium.truncate(b.state.end)
	}
	return nil
}

// compact rewrites the log when most of it is history. The caller holds the flushing
// lock, because entries get new numbers.
func (b *Box) compact() error {
	return b.locked(func(s *state) error {
		const small = 64 << 10
		live, err := s.frames()
		if err != nil {
			return err
		}
		if len(live) > 0 && (s.end < small || int64(len(live)) > s.end/2) || s.end == int64(headerSize) {
			return nil
		}
		compacted := newState()
		if _, err := compacted.read(live); err != nil {
			return err
		}
		if err := b.medium.replace(append(compacted.header(), live...)); err != nil {
			b.state = nil
			return err
		}
		b.state = compacted
		return nil
	})
}

// A Status counts the entries that wait in a box.
type Status struct {
	Records int       `json:"records"` // registered records with unwritten entries
	Entries int       `json:"entries"` // unwritten entries of those records
	Now     int       `json:"now"`     // those of the records that do not wait for others
	Pending int       `json:"pending"` // records whose registration is unknown
	Sent    int       `json:"sent"`    // entries in transactions whose outcome is unknown
	Oldest  time.Time `json:"oldest"`  // when the oldest of the records was prepared; zero if there is none
}

// Status counts the entries that wait. Its errors are those of [Box.Prepare].
func (b *Box) Status() (Status, error) {
	var out Status
	err := b.locked(func(s *state) error {
		for _, j := range s.jobs {
			if j.dropped {
				continue
			}
			if !j.registered {
				out.Pending += len(j.Records)
				continue
			}
			out.Entries += j.left
			n := j.unwritten()
			out.Records += n
			if j.Now {
				out.Now += n
			}
			if out.Oldest.IsZero() || j.Created.Before(out.Oldest) {
				out.Oldest = j.Created
			}
		}
		for _, batch := range s.batches {
			out.Sent += len(batch.refs)
		}
		return nil
	})
	return out, err
}

// unregistered returns the jobs whose registration is unknown and that this process is
// not registering.
func (b *Box) unregistered() ([]Job, error) {
	var out []Job
	err := b.locked(func(s *state) error {
		for _, j := range s.jobs {
			if !j.registered && !j.dropped && !b.registering[j.ID] {
				out = append(out, j.Job)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, z Job) int { return a.Created.Compare(z.Created) })
	return out, err
}

// Damaged returns the logs that were set aside because they were damaged, as paths. Their
// entries may be missing in the index until [Box.Rebuilt] is called.
func (b *Box) Damaged() ([]string, error) {
	var all []string
	err := b.locked(func(*state) (err error) {
		all, err = b.medium.aside()
		return err
	})
	return all, err
}

// Rebuilt notes that the entries of logs that were set aside are in the index or in this
// box. The logs keep another name.
func (b *Box) Rebuilt(logs []string) error {
	return b.locked(func(*state) error { return b.medium.rebuilt(logs) })
}

// Waiting returns the records with entries that wait in the box.
func (b *Box) Waiting() (map[[16]byte]bool, error) {
	all := make(map[[16]byte]bool)
	return all, b.locked(func(s *state) error {
		for _, j := range s.jobs {
			for n, e := range j.Entries {
				if !j.dropped && !j.written[n] {
					all[e.Posting.Record] = true
				}
			}
		}
		return nil
	})
}

// errDamaged marks errors of a log that cannot be read.
var errDamaged = errors.New("damaged")

func damaged(format string, args ...any) error {
	return ledger.WithKind(ledger.Errorf(ledger.ErrInvalid, "the outbox is damaged: "+format, args...), errDamaged)
}
