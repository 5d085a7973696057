// Package emr reads out of a medical record what it can be found by: patient identifiers,
// codes, dates, authors, organisations, titles. It keeps nothing else and never changes
// the record.
//
// The format is told from the content, never from a file's name:
//
//	kind                     media type                 what
//	fhir:Patient, ...        application/fhir+json      FHIR R4 resource or Bundle (fhir:Bundle) in JSON
//	fhir:Patient, ...        application/fhir+xml       the same in XML
//	fhir:ndjson              application/fhir+ndjson    FHIR resources one after the other (bulk export)
//	ccda                     text/xml                   HL7 CDA R2 and C-CDA
//	hl7v2:ORU^R01, ...       x-application/hl7-v2+er7   HL7 v2 messages and batches
//	dicom:CT, ...            application/dicom          DICOM part 10 files; headers only
//	pdf                      application/pdf            title, author and dates of the information dictionary
//	text                     text/plain                 first line as title, dates such as 2019-03-14
//	json, xml                application/json, text/xml without extraction
//	binary                   as detected                anything else
//
// A record is never refused. What is malformed, too deep, too long or cut off yields what
// could be read before that, and a warning. Memory is bounded whatever the input: values
// are cut to 1 KiB while they are read, nesting is limited to 256, lists to 8192 values,
// and all but the needed elements are skipped as they stream by. XML is read up to
// [MaxXML] bytes, for its decoder holds one run of text at a time; other structured
// formats up to [MaxParsed].
//
// Use [Extract] on a reader, or a [Sink] beside something else that reads the record.
package emr

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	unicodetext "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// How much of a record is parsed at most, in bytes. What comes after is not looked at.
const (
	MaxParsed = 64 << 20
	MaxXML    = 16 << 20
	maxText   = 1 << 20
	maxDepth  = 256
	sniffed   = 4096
)

// Extract reads a record from r, as much of it as extraction needs, and returns what it
// says. The Document is valid even when there is an error, which is only ever an error of
// r.
func Extract(r io.Reader) (Document, error) {
	in := &tracked{r: r}
	b := extract(in)
	if in.err != nil {
		b.warn("the record could not be read to the end")
	}
	return b.doc, in.err
}

// tracked remembers a failure of the reader, which parsers report in words of their own.
type tracked struct {
	r   io.Reader
	err error
}

func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

func extract(r io.Reader) *builder {
	in := bufio.NewReaderSize(r, 64<<10)
	head, _ := in.Peek(sniffed)
	switch {
	case len(head) == 0:
		return newBuilder("application/octet-stream", "binary")
	case len(head) >= 132 && string(head[128:132]) == "DICM":
		return readDICOM(in)
	case bytes.Contains(head[:min(1024, len(head))], []byte("%PDF-")):
		return readPDF(in)
	}
	// Text formats may start with a byte order mark, which also tells UTF-16.
	text := in
	if hasBOM(head) {
		text = bufio.NewReaderSize(transform.NewReader(in, unicodetext.BOMOverride(transform.Nop)), 64<<10)
	}
	head, _ = text.Peek(sniffed)
	start := bytes.TrimLeft(head, " \t\r\n\v\f\x1c")
	switch {
	case len(start) > 0 && (start[0] == '{' || start[0] == '['):
		return readJSON(text)
	case len(start) > 0 && start[0] == '<':
		return readXML(text)
	case isHL7(start):
		return readHL7(text)
	case isText(head):
		return readText(text)
	}
	b := newBuilder("application/octet-stream", "binary")
	if m := mimetype.Detect(head); m != nil {
		b.doc.MediaType, _, _ = strings.Cut(m.String(), ";")
	}
	return b
}

func hasBOM(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff"))
}

// isText accepts UTF-8 and what looks like a single-byte encoding, without control
// characters but white space.
func isText(b []byte) bool {
	odd := 0
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			if i > len(b)-utf8.UTFMax && len(b) == sniffed { // a character cut by the window
				return odd == 0 || odd*10 < len(b)
			}
			odd++
		case unicode.IsControl(r) && !unicode.IsSpace(r) && r != 0x1b:
			return false
		}
		i += size
	}
	return odd*10 < len(b)
}

// limited reads up to max bytes, and remembers whether there was more.
type limited struct {
	r    io.Reader
	max  int64
	read int64
	over bool
}

func (l *limited) Read(p []byte) (int, error) {
	if l.read >= l.max {
		var one [1]byte
		n, _ := l.r.Read(one[:])
		l.over = l.over || n > 0
		return 0, io.EOF
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.max-l.read)])
	l.read += int64(n)
	return n, err
}

// warn says why parsing ended early, if it did: because of the limit, or else because of
// err.
func (l *limited) warn(b *builder, format string, err error) {
	switch {
	case l.over:
		b.warn("only the first %d MiB were read for the index", l.max>>20)
	case errors.Is(err, errDeep):
		b.warn("%s: nested more than %d deep: the rest was not read", format, maxDepth)
	case err != nil:
		b.warn("%s: malformed or cut off: the rest was not read", format)
	}
}

var errDeep = errors.New("nested too deeply")
