package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// A parcel is one record of a job: its payload is stored, its envelope is written, and
// its index entries are ready.
type parcel struct {
	id      string
	version int

	cid        string // empty until the payload is stored
	commitment string
	size       int64
	stored     int64
	kind       string
	draft      envelope.Draft
	envelope   []byte // the draft sealed, when it is known which parcels it travels with
	facts      index.Facts
	entries    []index.Pending // nil when nothing is to be indexed
	terms      int
	warnings   []string

	registered *ledger.RecordVersion // nil until it is on the ledger
}

func newRecordID() string {
	var id [ledger.RecordIDSize]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// pack reads a source once: to the keyword extraction, the digests, the encryption and
// the store at the same time.
func (j *job) pack(ctx context.Context, p *parcel, s Source) error {
	key, salt := make([]byte, envelope.KeySize), make([]byte, envelope.SaltSize)
	rand.Read(key)
	rand.Read(salt)
	src, err := s.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	sink := emr.NewSink()
	plain := &progressReader{r: src, name: s.Name, total: s.Size, progress: j.request.Progress, ctx: ctx}
	sealer, err := envelope.NewSealer(io.TeeReader(plain, sink), key, salt)
	if err != nil {
		sink.Close()
		return err
	}
	ahead := newReadAhead(sealer, s.Size)
	defer ahead.stop()
	p.cid, err = j.c.blobs.Put(ctx, ahead)
	document := sink.Close() // a source that still hangs in a read finds its pipe closed
	if err != nil {
		return err
	}
	digest, err := sealer.Digest()
	if err != nil {
		return fmt.Errorf("the store did not take the whole payload: %w", err)
	}
	p.commitment = hex.EncodeToString(digest.Commitment[:])
	p.size, p.stored = digest.Size, ahead.total
	facts := mergeFacts(j.given, document.Facts())
	p.facts, p.kind = facts, facts.Kind
	p.warnings = document.Warnings
	if err := j.makeEntries(p, facts); err != nil {
		return err
	}
	m, err := metadata(facts)
	if err != nil {
		return err
	}
	m.Scope, m.Epoch = j.request.Scope, j.epoch
	m.Record, m.Version, m.CID = p.id, p.version, p.cid
	m.Key, m.Salt, m.Size, m.SHA256 = key, salt, digest.Size, digest.SHA256[:]
	m.Name, m.MediaType = s.Name, document.MediaType
	m.Author, m.Sealed = j.c.ledger.Actor(), time.Now().UTC().Truncate(time.Second)
	if j.request.Patient != "" {
		m.Patient = j.request.Patient
	}
	p.draft, err = m.Draft()
	return err
}

// makeEntries makes the index entries of a parcel.
func (j *job) makeEntries(p *parcel, facts index.Facts) error {
	if j.scope == nil {
		return nil
	}
	record, err := recordBytes(p.id)
	if err != nil {
		return err
	}
	items := facts.Items(record, uint32(p.version), index.Add)
	if p.entries, err = j.scope.Pend(items); err != nil {
		return err
	}
	p.terms = len(p.entries)
	if dropped := facts.Expand().Dropped; dropped > 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("it has too many terms: %d were not indexed", dropped))
	}
	return nil
}

func recordBytes(id string) ([ledger.RecordIDSize]byte, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != ledger.RecordIDSize {
		return [ledger.RecordIDSize]byte{}, ledger.Errorf(ErrInvalid, "%q is not a record id", id)
	}
	return [ledger.RecordIDSize]byte(raw), nil
}

// progressReader tells how far a source is read, and ends with the context: the store may
// be waiting for a source that does not notice.
type progressReader struct {
	r           io.Reader
	ctx         context.Context
	name        string
	done, total int64
	progress    Progress
}

func (p *progressReader) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	p.done += int64(n)
	if p.progress != nil && n > 0 {
		p.progress(p.name, p.done, p.total)
	}
	return n, err
}
