package outbox

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// The log is a header and frames. The header is the magic and 16 random bytes, which
// change whenever the log is rewritten. A frame is a u32 length of the payload, a u8
// type, the payload, and a u32 CRC-32C of all that. Integers are big endian.
//
//	1 prepared     id[16]  u32 length  JSON of the job  entries, each index.PendingSize
//	2 registered   id[16]
//	3 dropped      id[16]
//	4 sent         batch id[16]  entries, each job id[16]  u32 number of the entry in its job  index.PlaceSize
//	5 written      batch id[16]
const (
	framePrepared   = 1
	frameRegistered = 2
	frameDropped    = 3
	frameSent       = 4
	frameWritten    = 5

	magicKind  = "chartseal/outbox/"
	magic      = magicKind + "2"
	headerSize = len(magic) + 16
	frameExtra = 4 + 1 + 4
	maxFrame   = 256 << 20
	refSize    = 16 + 4 + index.PlaceSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendFrame(b []byte, kind byte, payload []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(append(b, kind), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func prepareFrame(j *Job) ([]byte, error) {
	head, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	b := binary.BigEndian.AppendUint32(bytes.Clone(j.ID[:]), uint32(len(head)))
	b = append(b, head...)
	for _, e := range j.Entries {
		if b, err = e.AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return appendFrame(nil, framePrepared, b), nil
}

func idFrames(kind byte, ids []ID) []byte {
	var out []byte
	for _, id := range ids {
		out = appendFrame(out, kind, id[:])
	}
	return out
}

// A ref names an entry of a job.
type ref struct {
	job ID
	n   int
}

// A batch is a transaction that was sent, or is about to be.
type batch struct {
	id     ID
	refs   []ref
	places []index.Place // nil until the entries have places
	size   int           // to pad to; zero if it was sent before
}

func (t *batch) frame() ([]byte, error) {
	b := bytes.Clone(t.id[:])
	for i, r := range t.refs {
		b = binary.BigEndian.AppendUint32(append(b, r.job[:]...), uint32(r.n))
		var err error
		if b, err = t.places[i].AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return appendFrame(nil, frameSent, b), nil
}

// jobState is a job with the progress of its entries.
type jobState struct {
	Job
	serial     int // order of arrival
	registered bool
	dropped    bool       // not to be written; entries that were sent stay, as later ones of their chains depend on them
	sent       map[int]ID // batch by entry
	written    map[int]bool
	left       int // unwritten entries
}

// waits reports whether an entry is in no transaction yet.
func (j *jobState) waits(n int) bool {
	_, sent := j.sent[n]
	return !sent && !j.written[n]
}

// A waitingRecord is a record with entries in no transaction yet.
type waitingRecord struct {
	job     ID
	end     int // of its entries among those of the job
	entries int // that wait
}

// waitingRecords returns the waiting records of a job. The entries of a record follow
// each other.
func (j *jobState) waitingRecords() []waitingRecord {
	var out []waitingRecord
	for n := range j.Entries {
		switch {
		case !j.waits(n):
		case n > 0 && len(out) > 0 && j.Entries[n].Posting.Record == j.Entries[out[len(out)-1].end-1].Posting.Record:
			out[len(out)-1].end = n + 1
			out[len(out)-1].entries++
		default:
			out = append(out, waitingRecord{job: j.ID, end: n + 1, entries: 1})
		}
	}
	return out
}

// unwritten counts the records of the job with unwritten entries.
func (j *jobState) unwritten() int {
	records := make(map[[16]byte]bool)
	for i, e := range j.Entries {
		if !j.written[i] {
			records[e.Posting.Record] = true
		}
	}
	return len(records)
}

// state is the content of the log.
type state struct {
	generation [16]byte
	end        int64 // of the frames that were read
	serial     int
	jobs       map[ID]*jobState
	batches    map[ID]*batch
}

func newState() *state {
	return &state{generation: NewID(), end: int64(headerSize), jobs: make(map[ID]*jobState), batches: make(map[ID]*batch)}
}

func (s *state) header() []byte { return append([]byte(magic), s.generation[:]...) }

func parseHeader(head []byte) (*state, error) {
	switch {
	case string(head[:len(magic)]) == magic:
	case bytes.HasPrefix(head, []byte(magicKind)):
		return nil, ledger.Errorf(ledger.ErrInvalid, "the outbox has the format %.1q, which this version of Chartseal cannot read: flush it with the one that wrote it",
			head[len(magicKind):])
	default:
		return nil, damaged("its header is not that of an outbox")
	}
	s := newState()
	s.generation = [16]byte(head[len(magic):])
	return s, nil
}

func (s *state) continues(head []byte) bool { return bytes.Equal(head, s.header()) }

// read applies the next frames. It reports whether the last one is torn.
func (s *state) read(b []byte) (torn bool, err error) {
	for len(b) > 0 {
		if len(b) < frameExtra {
			return true, nil
		}
		n := int(binary.BigEndian.Uint32(b))
		whole := n + frameExtra
		if whole > len(b) || crc32.Checksum(b[:whole-4], castagnoli) != binary.BigEndian.Uint32(b[whole-4:]) {
			// Every frame is synced before the next is written, so only the last one can
			// be torn, its length included. No frame follows it.
			if (n > maxFrame || whole >= len(b) || len(bytes.Trim(b, "\x00")) == 0) && !hasFrame(b[1:]) {
				return true, nil
			}
			return false, damaged("a frame at %d does not match its checksum", s.end)
		}
		if err := s.apply(b[4], b[5:whole-4]); err != nil {
			return false, err
		}
		s.end += int64(whole)
		b = b[whole:]
	}
	return false, nil
}

// hasFrame reports whether a whole frame stands anywhere in b.
func hasFrame(b []byte) bool {
	for ; len(b) >= frameExtra+16; b = b[1:] {
		whole := int(binary.BigEndian.Uint32(b)) + frameExtra
		if whole >= frameExtra+16 && whole <= len(b) && crc32.Checksum(b[:whole-4], castagnoli) == binary.BigEndian.Uint32(b[whole-4:]) {
			return true
		}
	}
	return false
}

func (s *state) apply(kind byte, payload []byte) error {
	if len(payload) < 16 {
		return damaged("a short frame at %d", s.end)
	}
	id, rest := ID(payload[:16]), payload[16:]
	switch kind {
	case framePrepared:
		return s.prepared(id, rest)
	case frameRegistered:
		if j, ok := s.jobs[id]; ok {
			j.registered = true
		}
	case frameDropped:
		if j, ok := s.jobs[id]; ok {
			j.dropped = true
		}
	case frameSent:
		return s.sent(id, rest)
	case frameWritten:
		s.wrote(id)
	default:
		return damaged("a frame of unknown type %d", kind)
	}
	return nil
}

func (s *state) prepared(id ID, b []byte) error {
	if len(b) < 4 || int(binary.BigEndian.Uint32(b)) > len(b)-4 {
		return damaged("job %s", id)
	}
	n := int(binary.BigEndian.Uint32(b))
	head, b := b[4:4+n], b[4+n:]
	if _, again := s.jobs[id]; again { // preparing a job twice changes nothing
		return nil
	}
	s.serial++
	j := &jobState{serial: s.serial, sent: make(map[int]ID), written: make(map[int]bool)}
	if err := json.Unmarshal(head, &j.Job); err != nil || len(b)%index.PendingSize != 0 {
		return damaged("job %s", id)
	}
	j.ID = id
	for ; len(b) > 0; b = b[index.PendingSize:] {
		e, err := index.ParsePending(b[:index.PendingSize])
		if err != nil {
			return damaged("job %s: %v", id, err)
		}
		j.Entries = append(j.Entries, e)
	}
	if j.left = len(j.Entries); j.left > 0 {
		s.jobs[id] = j
	}
	return nil
}

func (s *state) sent(id ID, b []byte) error {
	if len(b)%refSize != 0 {
		return damaged("transaction %s", id)
	}
	s.unsend(id)
	t := &batch{id: id}
	for ; len(b) > 0; b = b[refSize:] {
		r := ref{job: ID(b[:16]), n: int(binary.BigEndian.Uint32(b[16:]))}
		place, err := index.ParsePlace(b[20:refSize])
		if err != nil {
			return damaged("transaction %s: %v", id, err)
		}
		j, ok := s.jobs[r.job]
		if !ok || r.n >= len(j.Entries) {
			return damaged("transaction %s names entry %d of job %s", id, r.n, r.job)
		}
		j.sent[r.n] = id
		t.refs, t.places = append(t.refs, r), append(t.places, place)
	}
	s.batches[id] = t
	return nil
}

// unsend removes a batch: its entries wait again.
func (s *state) unsend(id ID) {
	t, ok := s.batches[id]
	if !ok {
		return
	}
	for _, r := range t.refs {
		if j, ok := s.jobs[r.job]; ok {
			delete(j.sent, r.n)
		}
	}
	delete(s.batches, id)
}

func (s *state) wrote(id ID) {
	t, ok := s.batches[id]
	if !ok {
		return
	}
	s.unsend(id)
	for _, r := range t.refs {
		j, ok := s.jobs[r.job]
		if !ok || j.written[r.n] {
			continue
		}
		j.written[r.n] = true
		if j.left--; j.left == 0 {
			delete(s.jobs, r.job)
		}
	}
}

// ordered returns the jobs in order of arrival.
func (s *state) ordered() []*jobState {
	jobs := make([]*jobState, 0, len(s.jobs))
	for _, j := range s.jobs {
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, func(a, b *jobState) int { return cmp.Compare(a.serial, b.serial) })
	return jobs
}

// frames encodes the state without its history.
func (s *state) frames() ([]byte, error) {
	var out []byte
	renamed := make(map[ref]int)
	for _, j := range s.ordered() {
		if j.dropped && len(j.sent) == 0 {
			continue
		}
		job := j.Job
		job.Entries = nil
		for i, e := range j.Entries {
			if !j.written[i] {
				renamed[ref{j.ID, i}] = len(job.Entries)
				job.Entries = append(job.Entries, e)
			}
		}
		frame, err := prepareFrame(&job)
		if err != nil {
			return nil, err
		}
		out = append(out, frame...)
		if j.registered {
			out = appendFrame(out, frameRegistered, j.ID[:])
		}
		if j.dropped {
			out = appendFrame(out, frameDropped, j.ID[:])
		}
	}
	for _, t := range s.batches {
		again := batch{id: t.id, places: t.places}
		for _, r := range t.refs {
			again.refs = append(again.refs, ref{r.job, renamed[r]})
		}
		frame, err := again.frame()
		if err != nil {
			return nil, err
		}
		out = append(out, frame...)
	}
	return out, nil
}
