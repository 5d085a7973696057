// Package outbox keeps index entries between the seal of a record and their writing to
// the ledger, on disk, so that a crash at any moment loses none of them and writes none
// twice.
//
// Most callers [Open] a [Box], [Box.Prepare] the entries of records that they are about
// to register, say [Box.Registered] or [Box.Drop] when they know the outcome, and call
// [Box.Flush] at times.
//
// # What happens to an entry
//
//	prepared      it is on disk; the record is about to be registered
//	registered    the record is on the ledger; the entry waits for company
//	sent          it has its place in a transaction, and that, from which its bytes follow, is on disk, before the transaction is submitted
//	written       the transaction is committed; the entry is forgotten
//
// After a crash, or an outcome that nobody could tell, a flush asks the ledger. Records
// that are there were registered; those whose version is there with another payload never
// will be; and those that are not there [Settle] after they were prepared never will be
// either, since orderers forget requests long before. Sent entries are read back: see
// [index.Transaction] for why none is written twice.
//
// # The file
//
// A directory, mode 0700, holds "log", mode 0600: a header and frames, each synced before
// the next step is taken. A torn frame at the end was never acted on, and is cut off.
// "lock" is held for each change and "flushing" for the time of a flush (flock), so any
// number of processes may share a box. The log is made anew when most of it is history.
//
// # What a thief of it learns
//
// Keys of terms, not terms, but also postings: which record ids wait, their kind and
// days. With a scope key, which is cached in the same wallet, the terms can be found by
// trying. A box holds what is not written yet: hours, not years. It is protected as the
// wallet is, by the file system.
package outbox

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// Settle is how long after it was prepared a record that is not on the ledger counts as
// never registered. Orderers keep a request for minutes at most.
const Settle = time.Hour

// An ID names a job or a batch.
type ID [16]byte

// NewID makes a random one.
func NewID() ID {
	var id ID
	rand.Read(id[:])
	return id
}

// String is in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// A Record says what its registration would look like on the ledger.
type Record struct {
	ID         string `json:"id"`
	Version    int    `json:"version"`
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
}

// A Job is the entries of records that one transaction registers.
type Job struct {
	ID      ID              `json:"-"`
	Records []Record        `json:"records"`
	Now     bool            `json:"now"` // to be written as soon as possible, not to wait for company
	Created time.Time       `json:"created"`
	Entries []index.Pending `json:"-"`
}

// A Box is an outbox. It is safe for concurrent use, also by several processes with one
// directory each their own Box.
type Box struct {
	medium medium

	mu    sync.Mutex
	state *state

	// registering are the jobs that this process prepared and will say more of. A flush
	// need not ask the ledger about them.
	registering map[ID]bool
}

// Open opens the box in a directory, which is made if it is not there.
func Open(dir string) (*Box, error) {
	m, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	return &Box{medium: m}, nil
}

// Memory is a box that ends with the process.
func Memory() *Box { return &Box{medium: &memory{}} }

// Prepare keeps a job. Its ID is made if it is zero. The caller has to say what became of
// it: Registered, Drop or Unknown.
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

// Registered notes that the records of jobs are on the ledger.
func (b *Box) Registered(jobs ...ID) error {
	b.Unknown(jobs...)
	return b.append(idFrames(frameRegistered, jobs))
}

// Drop forgets jobs whose records never come on the ledger.
func (b *Box) Drop(jobs ...ID) error {
	b.Unknown(jobs...)
	return b.append(idFrames(frameDropped, jobs))
}

// Unknown says that nobody could tell whether the records of jobs are on the ledger: a
// flush will ask.
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
	if err := b.medium.append(frames); err != nil {
		b.state = nil // what is on disk is not known
		return err
	}
	_, err := s.read(frames)
	return err
}

// refresh reads what other processes have added.
func (b *Box) refresh() error {
	head, err := b.medium.read(0, headerSize)
	if err != nil {
		return err
	}
	if len(head) < headerSize { // new, or its making was interrupted
		b.state = newState()
		return b.medium.replace(b.state.header())
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

// compact makes the log anew when most of it is history. Only the holder of the flushing
// lock may: it numbers entries anew.
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
		fresh := newState()
		if _, err := fresh.read(live); err != nil {
			return err
		}
		if err := b.medium.replace(append(fresh.header(), live...)); err != nil {
			b.state = nil
			return err
		}
		b.state = fresh
		return nil
	})
}

// A Status says what waits in a box.
type Status struct {
	Records int       `json:"records"` // registered, with entries that are not written
	Entries int       `json:"entries"` // of these
	Now     int       `json:"now"`     // records that were to be found at once
	Pending int       `json:"pending"` // records whose registration is not known yet
	Sent    int       `json:"sent"`    // entries in transactions whose outcome is not known yet
	Oldest  time.Time `json:"oldest"`  // when the oldest of the records was prepared; zero when there is none
}

// Status counts what waits.
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
			n := j.waiting()
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

// unregistered are the jobs whose outcome is not known, and of which nobody in this
// process will say more.
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

func damaged(format string, args ...any) error {
	return ledger.Errorf(ledger.ErrInvalid, "the outbox is damaged: "+format, args...)
}
