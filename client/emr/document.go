package emr

import (
	"cmp"
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
	Periods         []index.Period
	Texts           []string          // of codes, or in place of them
	Statements      []index.Statement // none if all facts go together
	Confidentiality []string          // HL7 v3 Confidentiality codes: N, R, V, ...

	// Warnings tell people which part could not be read, and why. They name no patient
	// and quote no content.
	Warnings []string

	// Incomplete tells why codes, confidentiality, departments or organisations may be
	// missing, or the kind may be wrong. It is empty for a record that was read in full.
	// Like Warnings, it names no patient and quotes no content.
	Incomplete []string
}

// Bare reports whether nothing was found in the record but its kind. There is a warning
// then.
func (d *Document) Bare() bool {
	return len(d.Patients)+len(d.Born)+len(d.Codes)+len(d.Dates)+len(d.Authors)+len(d.Organisations)+len(d.Titles)+len(d.Modalities)+len(d.Texts) == 0
}

// Facts returns the facts that are indexed.
func (d Document) Facts() index.Facts {
	return index.Facts{
		Kind: d.Kind, Patients: d.Patients, Born: d.Born, Codes: d.Codes, Dates: d.Dates,
		Authors: d.Authors, Organisations: d.Organisations, Titles: d.Titles, Modalities: d.Modalities,
		Periods: d.Periods, Texts: d.Texts, Statements: d.Statements,
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
	doc   Document
	work  *budget
	seen  map[fact]int // positions in their lists
	days  map[dated]int
	codes map[[2]string]int
	texts map[string]int

	prefixes               map[string]string // of code systems
	lastSystem, lastPrefix string
	rawSystem, system      string // the last one that was cleaned
	full                   map[string]bool
	held                   int // bytes of all values

	people                   people
	statements               []statement // that are open, the innermost last
	spares                   []statement // that were filed, for their lists
	said                     []said
	saidBy                   map[string]int
	saidKey                  []byte
	stated                   int   // facts in said
	recordDates              []int // outside statements, and so are the others
	recordCodes, recordTexts []int
	aside                    index.Context // of what is read now
}

// A fact is a value of a list. Identifiers and codes also have a system.
type fact struct{ list, system, value string }

// A dated fact is a date of a list, or a period.
type dated struct {
	list       string
	date, last uint32
}

func pack(d index.Date) uint32 { return uint32(d.Year)<<16 | uint32(d.Month)<<8 | uint32(d.Day) }

func newBuilder(mediaType, kind string, work *budget) *builder {
	return &builder{doc: Document{MediaType: mediaType, Kind: kind}, work: work, full: make(map[string]bool), seen: make(map[fact]int)}
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

// place returns the position of a value in its list of a length. A new value that fits
// has the next one, and the caller appends it.
func (b *builder) place(f fact, length int) (at int, isNew, ok bool) {
	b.work.spend(priceFact)
	if at, ok := b.seen[f]; ok {
		return at, false, true
	}
	if !b.fits(f.list, len(f.system)+len(f.value), length) {
		return 0, false, false
	}
	b.seen[f] = length
	return length, true, true
}

// placeDay does the same for dates.
func (b *builder) placeDay(d dated, length int) (at int, isNew, ok bool) {
	b.work.spend(priceFact)
	if at, ok := b.days[d]; ok {
		return at, false, true
	}
	if !b.fits(d.list, 0, length) {
		return 0, false, false
	}
	if b.days == nil {
		b.days = make(map[dated]int)
	}
	b.days[d] = length
	return length, true, true
}

// fits reports whether a list takes one more value.
func (b *builder) fits(list string, size, length int) bool {
	if length < maxEach && b.held+size <= maxFacts {
		b.held += size
		return true
	}
	if !b.full[list] {
		b.full[list] = true
		switch {
		case length < maxEach:
			b.warn("more than %d MiB of facts: the rest is not indexed", maxFacts>>20)
		default:
			b.warn("more than %d %s: the rest is not indexed", maxEach, list)
		}
		if isLabel(list) {
			b.unread("more %s than are read", list)
		}
	}
	return false
}

func (b *builder) warnOnce(what, format string, args ...any) {
	if !b.full[what] {
		b.full[what] = true
		b.warn(format, args...)
	}
}

// code takes a code of the open statement. Units of measure are left out: each value has
// one.
//
// It returns the position of the code in the document, or -1.
func (b *builder) code(system, code string) int {
	at, ok := b.codes[[2]string{system, code}]
	if !ok {
		if at, ok = b.newCode(system, code); !ok {
			return -1
		}
	}
	b.work.spend(priceFact)
	b.stateCode(at)
	return at
}

// newCode places a code that is not among the clean ones.
func (b *builder) newCode(system, code string) (at int, ok bool) {
	if b.prefix(system) == index.UCUM {
		return 0, false
	}
	system = system[:min(len(system), maxValue)]
	if system != b.rawSystem { // mostly the same one again
		b.rawSystem, b.system = strings.Clone(system), b.clean(listCodes, system)
	}
	if b.full[listCodes] && system == b.system && len(code) < maxValue && isClean(code) {
		return 0, false // code has looked for it as it is
	}
	system, code = b.system, b.clean(listCodes, code)
	if code == "" {
		return 0, false
	}
	if at, ok := b.codes[[2]string{system, code}]; ok {
		return at, true
	}
	if !b.fits(listCodes, len(system)+len(code), len(b.doc.Codes)) {
		return 0, false
	}
	if b.codes == nil {
		b.codes = make(map[[2]string]int)
	}
	b.codes[[2]string{system, code}] = len(b.doc.Codes)
	b.doc.Codes = append(b.doc.Codes, index.Code{System: system, Code: code})
	return len(b.doc.Codes) - 1, true
}

// prefix returns the prefix of a code system, see [index.Prefix].
func (b *builder) prefix(system string) string {
	if system == b.lastSystem && system != "" { // mostly the same one again
		return b.lastPrefix
	}
	p, ok := b.prefixes[system]
	if !ok {
		b.work.spend(priceSystem)
		p = index.Prefix(system)
		if b.prefixes == nil {
			b.prefixes = make(map[string]string)
		}
		if len(b.prefixes) > 1000 {
			clear(b.prefixes)
		}
		if len(system) <= maxValue {
			b.prefixes[strings.Clone(system)] = p
		}
	}
	b.lastSystem, b.lastPrefix = system, p
	return p
}

// words takes a text of the open statement: of a code, or in place of one.
func (b *builder) words(text string) {
	if text == "" {
		return
	}
	b.work.spend(priceFact)
	at, ok := b.texts[text]
	if !ok {
		if text = clean(text); text == "" {
			return
		}
		if at, ok = b.texts[text]; !ok {
			if !b.fits("texts", len(text), len(b.doc.Texts)) {
				return
			}
			if b.texts == nil {
				b.texts = make(map[string]int)
			}
			at = len(b.doc.Texts)
			b.texts[text] = at
			b.doc.Texts = append(b.doc.Texts, text)
		}
	}
	b.stateText(at)
}

// date takes a clinical date of the open statement.
func (b *builder) date(s string) {
	if d, ok := index.ParseDate(s); ok {
		b.dateOf(d)
	}
}

func (b *builder) dateOf(d index.Date) {
	at, isNew, ok := b.placeDay(dated{list: "dates", date: pack(d)}, len(b.doc.Dates))
	if isNew {
		b.doc.Dates = append(b.doc.Dates, d)
	}
	if ok {
		b.stateDate(at)
	}
}

// period takes a clinical period of the open statement, and its ends as dates. One of
// them may be empty, or a placeholder for none.
func (b *builder) period(from, to string) {
	b.date(from)
	b.date(to)
	p, ok := index.ParsePeriod(from, to)
	if !ok {
		return
	}
	at, isNew, ok := b.placeDay(dated{"periods", pack(p.From), pack(p.To)}, len(b.doc.Periods))
	if isNew {
		b.doc.Periods = append(b.doc.Periods, p)
	}
	if s := b.now(); ok && s != nil {
		s.periods = appendOnce(s.periods, cmp.Compare, at)
	}
}

func (b *builder) born(s string) {
	if d, ok := index.ParseDate(s); ok {
		if _, isNew, _ := b.placeDay(dated{list: "dates of birth", date: pack(d)}, len(b.doc.Born)); isNew {
			b.doc.Born = append(b.doc.Born, d)
		}
	}
}

func (b *builder) author(s string)       { b.put("authors", &b.doc.Authors, s) }
func (b *builder) organisation(s string) { b.put(listOrganisations, &b.doc.Organisations, s) }
func (b *builder) department(s string)   { b.put(listDepartments, &b.doc.Departments, s) }
func (b *builder) title(s string)        { b.put("titles", &b.doc.Titles, s) }
func (b *builder) modality(s string)     { b.put("modalities", &b.doc.Modalities, s) }

func (b *builder) put(list string, to *[]string, s string) {
	if s = b.clean(list, s); s != "" {
		if _, isNew, _ := b.place(fact{list: list, value: s}, len(*to)); isNew {
			*to = append(*to, s)
		}
	}
}
