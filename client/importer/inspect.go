package importer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"os"
	"path"
	"strconv"
	"sync/atomic"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/index"
)

var errNoRule = errors.New("no rule matches it")

// inspect reads an item once. Its digest determines the record id, its content the rule.
func (i *item) inspect(ctx context.Context, rules *Rules, secret []byte) error {
	in, err := i.open()
	if err != nil {
		return err
	}
	defer in.Close()
	if i.part > 0 && i.bundle == nil { // a line of a bulk export
		var first [1]byte
		if _, err := in.ReadAt(first[:], i.section.offset); err == nil && first[0] != '{' {
			i.warning = "the line is no FHIR resource in JSON: it is sealed as what it is"
		}
	}
	h := sha256.New()
	content := &contextReader{ctx, io.TeeReader(io.NewSectionReader(in, i.section.offset, i.section.length), h)}
	var d emr.Document
	if rules.reads() {
		if d, err = emr.Extract(ctx, content); err != nil {
			return err
		}
		for _, container := range i.within {
			inherit(&d, container, "what holds it")
		}
		if i.bundle != nil {
			i.bundle.inheritTo(&d, &i.entry)
		}
	}
	if _, err = io.Copy(io.Discard, content); err != nil { // the rest, for the digest
		return err
	}
	if err := in.unchanged(&i.file); err != nil {
		return err
	}
	h.Sum(i.sum[:0])
	i.id = recordID(secret, i.key(), i.sum)
	i.kind = d.Kind
	if i.warning == "" && holdsSeveral(d.Kind) {
		i.warning = i.several
	}
	i.rule, err = rules.find(i.paths(), d)
	return err
}

// holdsSeveral reports whether a record of a kind has several resources.
func holdsSeveral(kind string) bool { return kind == "fhir:Bundle" || kind == "fhir:ndjson" }

// key identifies the item within the job.
func (i *item) key() string {
	if i.part == 0 {
		return i.name
	}
	return i.name + "\x00" + strconv.Itoa(i.part) // no name contains this byte
}

// recordID is a PRF of secret, key and content; see the package comment.
func recordID(secret []byte, key string, sum [32]byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("chartseal/import/v1\x00"))
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(key))))
	mac.Write([]byte(key))
	mac.Write(sum[:])
	return ledger.FormatRecordID([ledger.RecordIDSize]byte(mac.Sum(nil)))
}

// An attempt is one reading of an item by Seal. The content must be that which was
// inspected.
type attempt struct {
	*item
	failure atomic.Pointer[error] // why it could not be read to its end
}

func (a *attempt) failed() error {
	if err := a.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// source returns the item as a source for Seal.
func (a *attempt) source(further func(index.Identifier) []index.Identifier) client.Source {
	name := path.Base(a.unpackedName())
	if a.part > 0 {
		name += "#" + strconv.Itoa(a.part)
	}
	return client.Source{
		Name: name, Size: a.section.length, ID: a.id, Further: further,
		Open: func() (io.ReadCloser, error) {
			in, err := a.open()
			if err != nil {
				a.failure.Store(&err)
				return nil, err
			}
			return &verifiedReader{a: a, in: in, r: io.NewSectionReader(in, a.section.offset, a.section.length), h: sha256.New()}, nil
		},
	}
}

// A verifiedReader reads an item and compares its digest with that of the inspection.
type verifiedReader struct {
	a  *attempt
	in *content
	r  io.Reader
	h  hash.Hash
}

func (v *verifiedReader) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.h.Write(p[:n])
	if err == io.EOF && [32]byte(v.h.Sum(nil)) != v.a.sum {
		err = errChanged
	}
	// A Seal that fails for another reason closes the file, perhaps during a read.
	if err != nil && err != io.EOF && !errors.Is(err, os.ErrClosed) {
		v.a.failure.Store(&err)
	}
	return n, err
}

func (v *verifiedReader) Close() error { return v.in.Close() }

// A contextReader fails once its context has ended.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// A contextReaderAt fails once its context has ended.
type contextReaderAt struct {
	ctx context.Context
	r   io.ReaderAt
}

func (c *contextReaderAt) ReadAt(p []byte, at int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.ReadAt(p, at)
}
