package emr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// A Document is what a record says about itself. Only what was found is set. Values are
// as the record writes them; package index normalises.
type Document struct {
	MediaType string // such as "application/fhir+json"; never empty
	Kind      string // see the package comment; never empty

	Patients        []index.Identifier
	Born            []index.Date // of the patients
	Codes           []index.Code
	Dates           []index.Date // of what happened; not dates of birth
	Authors         []string
	Organisations   []string
	Departments     []string // where it was made, as HL7 v2, DICOM and C-CDA name it; not indexed
	Titles          []string
	Modalities      []string
	Confidentiality []string // HL7 v3 Confidentiality codes: N, R, V, ...

	// Warnings say in words for people what could not be read. They name no patient and
	// quote no content.
	Warnings []string
}

// Facts gives the document to the index.
func (d Document) Facts() index.Facts {
	return index.Facts{
		Kind: d.Kind, Patients: d.Patients, Born: d.Born, Codes: d.Codes, Dates: d.Dates,
		Authors: d.Authors, Organisations: d.Organisations, Titles: d.Titles, Modalities: d.Modalities,
	}
}

// Bounds on what one document may yield. A record that says more of something gets a
// warning.
const (
	maxEach  = 8192 // of each list
	maxValue = 1024 // bytes of one value; longer ones are cut
)

// builder collects a Document, everything once.
type builder struct {
	doc  Document
	seen map[any]bool
	full map[string]bool
}

func newBuilder(mediaType, kind string) *builder {
	return &builder{doc: Document{MediaType: mediaType, Kind: kind}, seen: make(map[any]bool), full: make(map[string]bool)}
}

func (b *builder) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	if len(b.doc.Warnings) < 16 && !slices.Contains(b.doc.Warnings, w) {
		b.doc.Warnings = append(b.doc.Warnings, w)
	}
}

// fresh reports whether a value of a list is new and still fits.
func (b *builder) fresh(list string, value any, length int) bool {
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
	if id.Value != "" && b.fresh("patient identifiers", id, len(b.doc.Patients)) {
		b.doc.Patients = append(b.doc.Patients, id)
	}
}

func (b *builder) code(system, code string) {
	c := index.Code{System: clean(system), Code: clean(code)}
	if c.Code != "" && b.fresh("codes", c, len(b.doc.Codes)) {
		b.doc.Codes = append(b.doc.Codes, c)
	}
}

func (b *builder) date(s string) {
	if d, ok := index.ParseDate(s); ok && b.fresh("dates", d, len(b.doc.Dates)) {
		b.doc.Dates = append(b.doc.Dates, d)
	}
}

func (b *builder) born(s string) {
	if d, ok := index.ParseDate(s); ok && b.fresh("dates of birth", d, len(b.doc.Born)) {
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
	if s = clean(s); s != "" && b.fresh(list, s, len(*to)) {
		*to = append(*to, s)
	}
}

// clean cuts a value to the bound and drops white space around it and bytes that are not
// text.
func clean(s string) string {
	if len(s) > maxValue {
		s = s[:maxValue]
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", " "), "")), " ")
}

// kindPart makes a part of a kind out of foreign text: short, without spaces or the
// separators of kinds.
func kindPart(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == ':' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 48)]
}
