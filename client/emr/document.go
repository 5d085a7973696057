package emr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// A Document holds the facts of a record. A fact that was not found is empty. Values are
// as the record writes them; package index normalises them.
type Document struct {
	MediaType string // such as "application/fhir+json"; never empty
	Kind      string // see the package comment; never empty

	Patients        []index.Identifier
	Born            []index.Date // of the patients
	Codes           []index.Code
	Dates           []index.Date // of events; not dates of birth
	Authors         []string
	Organisations   []string
	Departments     []string // in which the record was made; not indexed
	Titles          []string
	Modalities      []string
	Confidentiality []string // HL7 v3 Confidentiality codes: N, R, V, ...

	// Warnings tell people which part could not be read, and why. They name no patient
	// and quote no content.
	Warnings []string
}

// Facts returns the facts that are indexed.
func (d Document) Facts() index.Facts {
	return index.Facts{
		Kind: d.Kind, Patients: d.Patients, Born: d.Born, Codes: d.Codes, Dates: d.Dates,
		Authors: d.Authors, Organisations: d.Organisations, Titles: d.Titles, Modalities: d.Modalities,
	}
}

// Bounds on the facts of one document. A record with more gets a warning.
const (
	maxEach     = 8192 // values of each list
	maxValue    = 1024 // bytes of one value; longer ones are cut
	maxDepth    = 256  // levels of nesting
	maxWarnings = 16
)

// A builder collects the facts and warnings of a record, each value once. Values are
// cleaned on the way, and empty ones dropped.
type builder struct {
	doc  Document
	seen map[any]bool
	full map[string]bool
}

func newBuilder(mediaType, kind string) *builder {
	return &builder{doc: Document{MediaType: mediaType, Kind: kind}, seen: make(map[any]bool), full: make(map[string]bool)}
}

// discard drops all facts and warnings.
func (b *builder) discard() { *b = *newBuilder(b.doc.MediaType, b.doc.Kind) }

func (b *builder) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	if len(b.doc.Warnings) < maxWarnings && !slices.Contains(b.doc.Warnings, w) {
		b.doc.Warnings = append(b.doc.Warnings, w)
	}
}

var errDeep = errors.New("nested too deeply")

// incomplete warns if a reader ended early: because of its limit, or else because of err.
func (b *builder) incomplete(format string, in *input, err error) {
	switch {
	case in.source.more:
		b.warn("only the first %d MiB were read for the index", in.source.max>>20)
	case errors.Is(err, errDeep):
		b.warn("%s: nested more than %d deep: the rest was not read", format, maxDepth)
	case err != nil:
		b.warn("%s: malformed or cut off: the rest was not read", format)
	}
}

// isNew reports whether a value of a list is new and still fits.
func (b *builder) isNew(list string, value any, length int) bool {
	key := [2]any{list, value}
	if b.seen[key] {
		return false
	}
	if length >= maxEach {
		if !b.full[list] {
			b.full[list] = true
			b.warn("more than %d %s: the rest is not indexed", maxEach, list)
		}
		return false
	}
	b.seen[key] = true
	return true
}

func (b *builder) patient(system, value string) {
	id := index.Identifier{System: clean(system), Value: clean(value)}
	if id.Value != "" && b.isNew("patient identifiers", id, len(b.doc.Patients)) {
		b.doc.Patients = append(b.doc.Patients, id)
	}
}

func (b *builder) code(system, code string) {
	c := index.Code{System: clean(system), Code: clean(code)}
	if c.Code != "" && b.isNew("codes", c, len(b.doc.Codes)) {
		b.doc.Codes = append(b.doc.Codes, c)
	}
}

func (b *builder) date(s string) {
	if d, ok := index.ParseDate(s); ok && b.isNew("dates", d, len(b.doc.Dates)) {
		b.doc.Dates = append(b.doc.Dates, d)
	}
}

func (b *builder) born(s string) {
	if d, ok := index.ParseDate(s); ok && b.isNew("dates of birth", d, len(b.doc.Born)) {
		b.doc.Born = append(b.doc.Born, d)
	}
}

func (b *builder) author(s string)       { b.text("authors", &b.doc.Authors, s) }
func (b *builder) organisation(s string) { b.text("organisations", &b.doc.Organisations, s) }
func (b *builder) department(s string)   { b.text("departments", &b.doc.Departments, s) }
func (b *builder) title(s string)        { b.text("titles", &b.doc.Titles, s) }
func (b *builder) modality(s string)     { b.text("modalities", &b.doc.Modalities, s) }

func (b *builder) confidentiality(s string) {
	b.text("confidentiality codes", &b.doc.Confidentiality, strings.ToUpper(s))
}

func (b *builder) text(list string, to *[]string, s string) {
	if s = clean(s); s != "" && b.isNew(list, s, len(*to)) {
		*to = append(*to, s)
	}
}

// clean cuts a value to the bound, folds white space, and drops bytes that are not text.
func clean(s string) string {
	if len(s) > maxValue {
		s = s[:maxValue]
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", " "), "")), " ")
}

// kindPart makes foreign text fit as a part of a kind: short, without spaces or colons.
func kindPart(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == ':' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 48)]
}
