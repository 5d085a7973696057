package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// An item is one version of a record on its way to the ledger: its payload is stored, its
// envelope is drafted, and its index entries are ready.
type item struct {
	id      string
	version int

	cid        string // empty until the payload is stored
	commitment string
	size       int64 // of the record
	stored     int64 // of the payload
	kind       string
	draft      envelope.Draft
	facts      index.Facts
	entries    []index.Pending // nil when nothing is to be indexed
	terms      int
	warnings   []string

	envelope   []byte                // the draft sealed, once the items of its transaction are known
	registered *ledger.RecordVersion // nil until it is on the ledger
}

func (i *item) warn(format string, args ...any) {
	i.warnings = append(i.warnings, fmt.Sprintf(format, args...))
}

func newRecordID() string {
	var id [ledger.RecordIDSize]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// index makes the item's entries from its facts.
func (i *item) index(key index.ScopeKey) error {
	record, err := ledger.ParseRecordID(i.id)
	if err != nil {
		return err
	}
	if i.entries, err = key.Pend(i.facts.Items(record, uint32(i.version), index.Add)); err != nil {
		return err
	}
	i.terms = len(i.entries)
	if dropped := i.facts.Expand().Dropped; dropped > 0 {
		i.warn("it has too many terms: %d were not indexed", dropped)
	}
	return nil
}

// progressReader reports how far a source is read, and ends with the context: the store may be
// waiting for a source that does not notice its end.
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

// progressWriter reports how much of a record is written.
type progressWriter struct {
	w           io.Writer
	name        string
	done, total int64
	progress    Progress
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.done += int64(n)
	if p.progress != nil {
		p.progress(p.name, p.done, p.total)
	}
	return n, err
}
