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

	// Incomplete tells why codes, confidentiality, departments or organisations may be
	// missing, or the kind may be wrong. It is empty for a record that was read in full.
	// Like Warnings, it names no patient and quotes no content.
	Incomplete []string
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
	maxEach     = 8192    // values of each list
	maxValue    = 1024    // bytes of one value; longer ones are cut
	maxFacts    = 8 << 20 // bytes of all values
	maxDepth    = 256     // levels of nesting
	maxWarnings = 16
)

// A builder collects the facts and warnings of a record, each value once. Values are
// cleaned on the way, and empty ones dropped.
type builder struct {
	doc  Document
	work *budget
	seen map[fact]bool
	full map[string]bool
	held int // bytes of all values
}

// A fact is a value, or a date, of a list. Identifiers and codes also have a system.
type fact struct {
	list, system, value string
	date                index.Date
}

func newBuilder(mediaType, kind string, work *budget) *builder {
	return &builder{doc: Document{MediaType: mediaType, Kind: kind}, work: work, seen: make(map[fact]bool), full: make(map[string]bool)}
}

// discard drops all facts and warnings. What was incomplete stays so.
func (b *builder) discard() {
	incomplete := b.doc.Incomplete
	*b = *newBuilder(b.doc.MediaType, b.doc.Kind, b.work)
	b.doc.Incomplete = incomplete
}

func (b *builder) warn(format string, args ...any) {
	b.work.spend(2 * priceFact)
	b.doc.Warnings = addReason(b.doc.Warnings, fmt.Sprintf(format, args...))
}

// unread notes why the extraction is incomplete, without a warning.
func (b *builder) unread(format string, args ...any) {
	b.work.spend(2 * priceFact)
	b.doc.Incomplete = addReason(b.doc.Incomplete, fmt.Sprintf(format, args...))
}

// partial warns that the extraction is incomplete.
func (b *builder) partial(format string, args ...any) {
	b.warn(format, args...)
	b.unread(format, args...)
}

func addReason(to []string, text string) []string {
	if len(to) < maxWarnings && !slices.Contains(to, text) {
		to = append(to, text)
	}
	return to
}

var errDeep = errors.New("nested too deeply")

// incomplete warns if a reader ended early: because of its work, of its limit, or else
// because of err.
func (b *builder) incomplete(format string, in *input, err error) {
	switch {
	case b.work.spent() || errors.Is(err, errBudget):
		b.partial("%s: it would take too much work or memory: the rest was not read", format)
	case in.source.more:
		b.partial("only the first %d MiB were read for the index", in.source.max>>20)
	case errors.Is(err, errDeep):
		b.partial("%s: nested more than %d deep: the rest was not read", format, maxDepth)
	case err != nil:
		b.partial("%s: malformed or cut off: the rest was not read", format)
	}
}

// Lists by whose values import rules choose a policy. A value that is missing there makes
// the extraction incomplete.
const (
	listCodes           = "codes"
	listOrganisations   = "organisations"
	listDepartments     = "departments"
	listConfidentiality = "confidentiality codes"
)

func isLabel(list string) bool {
	return list == listCodes || list == listOrganisations || list == listDepartments || list == listConfidentiality
}

// isNew reports whether a value of a list is new and still fits.
func (b *builder) isNew(f fact, length int) bool {
	b.work.spend(priceFact)
	if length >= maxEach && b.full[f.list] || b.seen[f] {
		return false
	}
	size := len(f.system) + len(f.value)
	if length >= maxEach || b.held+size > maxFacts {
		if !b.full[f.list] {
			b.full[f.list] = true
			switch {
			case length < maxEach:
				b.warn("more than %d MiB of facts: the rest is not indexed", maxFacts>>20)
			default:
				b.warn("more than %d %s: the rest is not indexed", maxEach, f.list)
			}
			if isLabel(f.list) {
				b.unread("more %s than are read", f.list)
			}
		}
		return false
	}
	b.held += size
	b.seen[f] = true
	return true
}

// clean cleans a value of a list and copies it: it may be a part of a long text.
func (b *builder) clean(list, s string) string {
	if len(s) >= maxValue && isLabel(list) {
		b.unread("a value of the %s is longer than %d bytes", list, maxValue)
	}
	return clean(s)
}

func (b *builder) patient(system, value string) {
	f := fact{list: "patient identifiers", system: clean(system), value: clean(value)}
	if f.value != "" && b.isNew(f, len(b.doc.Patients)) {
		b.doc.Patients = append(b.doc.Patients, index.Identifier{System: f.system, Value: f.value})
	}
}

func (b *builder) code(system, code string) {
	f := fact{list: listCodes, system: b.clean(listCodes, system), value: b.clean(listCodes, code)}
	if f.value == "" {
		return
	}
	if b.isNew(f, len(b.doc.Codes)) {
		b.doc.Codes = append(b.doc.Codes, index.Code{System: f.system, Code: f.value})
	}
}

func (b *builder) date(s string) {
	if d, ok := index.ParseDate(s); ok && b.isNew(fact{list: "dates", date: d}, len(b.doc.Dates)) {
		b.doc.Dates = append(b.doc.Dates, d)
	}
}

func (b *builder) born(s string) {
	if d, ok := index.ParseDate(s); ok && b.isNew(fact{list: "dates of birth", date: d}, len(b.doc.Born)) {
		b.doc.Born = append(b.doc.Born, d)
	}
}

func (b *builder) author(s string)       { b.text("authors", &b.doc.Authors, s) }
func (b *builder) organisation(s string) { b.text(listOrganisations, &b.doc.Organisations, s) }
func (b *builder) department(s string)   { b.text(listDepartments, &b.doc.Departments, s) }
func (b *builder) title(s string)        { b.text("titles", &b.doc.Titles, s) }
func (b *builder) modality(s string)     { b.text("modalities", &b.doc.Modalities, s) }

func (b *builder) text(list string, to *[]string, s string) {
	if s = b.clean(list, s); s != "" && b.isNew(fact{list: list, value: s}, len(*to)) {
		*to = append(*to, s)
	}
}

// clean cuts a value to the bound, folds white space, and drops bytes that are not text.
// The result shares no memory with a longer text.
func clean(s string) string {
	if len(s) > maxValue {
		s = s[:maxValue]
	}
	if isClean(s) {
		return strings.Clone(s)
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", " "), "")), " ")
}

// isClean reports whether a value is ASCII text with single spaces inside only.
func isClean(s string) bool {
	space := true
	for i := range len(s) {
		switch c := s[i]; {
		case c > ' ' && c < 0x80:
			space = false
		case c == ' ' && !space:
			space = true
		default:
			return false
		}
	}
	return s == "" || !space
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
