package importer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/index"
)

// A bundle is what a bundle or batch says of its entries.
type bundle struct {
	all       emr.Document // of all of them
	documents emr.Document // of those that are documents in a format of their own, besides
	key       string       // its own among the bundles of the source; empty for a batch of HL7 v2
}

// Resources that say something of the other entries of their bundle: of all, or of
// documents.
var (
	describeAll       = map[string]bool{"Composition": true, "MessageHeader": true}
	describeDocuments = map[string]bool{"DocumentReference": true, "DocumentManifest": true}
)

// isDocument reports whether an entry may be what a DocumentReference describes.
func (e *entry) isDocument() bool {
	return e.resource == "Binary" || e.resource == "Bundle" || !index.IsFHIRType(e.resource)
}

// bundleItself returns what a FHIR bundle in JSON says of its entries: outside its
// resources, and in those that describe others. A resource of an unknown type may be one.
// It returns nil for a text that [resources] cannot split. It reads all of the text.
func bundleItself(ctx context.Context, in io.ReaderAt, s section) (*bundle, error) {
	var b bundle
	sink := emr.NewSink(ctx)
	own := bufio.NewWriterSize(sink, 4<<10)
	_, err := scanBundle(io.NewSectionReader(in, s.offset, s.length), own, func(e entry) error {
		to := &b.all
		switch {
		case describeAll[e.resource] || !index.IsFHIRType(e.resource):
		case describeDocuments[e.resource]:
			to = &b.documents
		default:
			return nil
		}
		d, err := emr.Extract(ctx, io.NewSectionReader(in, s.offset+e.section.offset, e.section.length))
		inherit(to, &d, "an entry that describes others")
		return err
	})
	own.Flush()
	itself := sink.Close()
	if errors.Is(err, errNoBundle) || errors.Is(err, errMalformed) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	inherit(&b.all, &itself, "the bundle itself")
	return &b, nil
}

// keyed gives a bundle its key: it begins in a file at that offset.
func (b *bundle) keyed(f *file, at int64) *bundle {
	if b != nil {
		b.key = fmt.Sprintf("%s\x00%d", f.name, at)
	}
	return b
}

// inheritTo gives an entry the confidentiality of its bundle.
func (b *bundle) inheritTo(d *emr.Document, e *entry) {
	inherit(d, &b.all, "its bundle")
	if e.isDocument() {
		inherit(d, &b.documents, "its bundle")
	}
}
