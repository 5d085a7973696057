// Package emr extracts the facts by which a medical record can be found: patient
// identifiers, codes, dates, authors, organisations, titles. It keeps nothing else and
// never changes the record.
//
// Call [Extract] on a reader. Use a [Sink] beside other code that reads the record.
//
// The content decides the format, never a file's name. These formats are known:
//
//	kind                 media type                format and facts
//	fhir:Patient, ...    application/fhir+json     FHIR in JSON; fhir:Bundle too
//	fhir:Patient, ...    application/fhir+xml      the same in XML
//	fhir:ndjson          application/fhir+ndjson   FHIR resources in a row (bulk export)
//	ccda                 text/xml                  HL7 CDA R2 and C-CDA
//	hl7v2:ORU^R01, ...   x-application/hl7-v2+er7  HL7 v2 messages and batches
//	hl7v2:ORU^R01, ...   text/xml                  the same in XML
//	dicom:CT, ...        application/dicom         DICOM; headers only
//	smart-health-card    ...                       the FHIR bundles of SMART health cards
//	openehr:COMPOSITION  application/json          openEHR in canonical JSON
//	x12:837, ...         application/edi-x12       health care transactions of X12
//	apple-health         text/xml                  measurements of Apple Health
//	xds-metadata         text/xml                  what IHE XDS and XDM say of documents
//	pdf                  application/pdf           title, author, dates of the file
//	rtf, html            application/rtf, ...      title, author, ISO dates
//	text                 text/plain                first line as title, ISO dates
//	json                 application/json          other JSON: no facts
//	xml                  text/xml                  other XML: no facts
//	binary               as detected               other bytes: no facts
//
// A record under gzip is read as what is in it, with the media type application/gzip.
// docs/extraction.md and docs/keywords.md list what is read from each.
//
// A record is never refused. A record that is malformed, cut off, too long or nested too
// deeply yields the facts before that point, and a warning. If the missing part may hold
// a code, a confidentiality, a department or an organisation, Document.Incomplete has the
// reason.
//
// Memory and work are bounded for every input, also for hostile ones: less than 150 MiB,
// and less than two seconds for records of up to 72 MiB on an ordinary machine. Values
// are cut to 1 KiB while they are read, nesting is limited to 256 levels and each list to
// 8192 values. Elements without facts are skipped as they stream by. Every reader counts
// its work against one budget, which is in proportion to the length of the record. So a
// record may have any length, and a record that takes more work than ordinary ones is
// read no further. Text is read up to 1 MiB. The same record always gives the same facts,
// however slow the machine is.
//
// To add a format, write a file with its recogniser and its reader, and add a line to the
// table in formats.go. A document type in XML is a line of the table in xml.go instead.
package emr

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"

	unicodetext "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Extract reads as much of a record as extraction needs and returns its facts. The
// Document is valid even when there is an error.
//
// Errors:
//   - the error of r, if r fails.
//   - the error of ctx, once it has ended.
func Extract(ctx context.Context, r io.Reader) (Document, error) {
	return extract(ctx, formats, baseWork, r)
}

// extract reads a record by the first of a table's candidates that does not decline it.
// Base is the work that it may cost beside that for its bytes.
func extract(ctx context.Context, table []format, base int, r io.Reader) (Document, error) {
	work := newBudget(ctx.Err, base)
	raw := newInput(r, work)
	defer raw.release()
	raw.source.gain = workPerByte
	record, packed := raw, isGzip(raw.head())
	for range maxPacked {
		if isGzip(raw.head()) {
			raw = unzipped(raw, work)
		}
	}
	text := raw
	// A byte order mark shows the encoding of a text format, or the bytes do.
	if head := raw.head(); !isSigned(table, head) {
		if hasBOM(head) {
			text = newInput(transform.NewReader(raw, unicodetext.BOMOverride(transform.Nop)), work)
		} else if utf16 := unmarkedUTF16(head); utf16 != nil {
			text = newInput(transform.NewReader(raw, utf16.NewDecoder()), work)
		}
	}
	for _, f := range candidates(table, raw.head(), text.head()) {
		in := text
		if f.raw {
			in = raw
		}
		in.limit(f.limit)
		b := newBuilder(f.mediaType, f.kind, work)
		err := f.read(in, b)
		if errors.Is(err, errDeclined) {
			continue
		}
		b.incomplete(f.name, in, err)
		if packed {
			b.doc.MediaType = "application/gzip"
			if raw.source.more || raw.err() != nil {
				b.partial("gzip: malformed, cut off or longer than %d MiB: the rest was not read", maxInflated>>20)
			}
		}
		if record.err() != nil {
			b.partial("the record could not be read to the end")
		}
		b.finish()
		if b.doc.Bare() && len(b.doc.Warnings) == 0 {
			b.warn("nothing was found in it but its kind: a search finds it by that only, and by keywords that are given")
		}
		return b.doc, record.err()
	}
	panic("emr: no format takes every record") // the last one of the table does
}

const maxPacked = 3 // times that a record is compressed

// isGzip looks for the signature of a compressed record, which is read as what is in it.
func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte("\x1f\x8b\x08")) }

// unzipped returns the content of a compressed record. Malformed ones end early.
func unzipped(in *input, work *budget) *input {
	z, err := gzip.NewReader(&deflated{in.Reader, work})
	if err != nil {
		return newInput(broken{err}, work)
	}
	return newInput(z, work).limit(maxInflated)
}

// broken is a reader that fails.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
