package emr

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// # Statements
//
// A reader opens a statement where the record begins to say something about one patient
// at one time (a FHIR resource, a CDA entry, an HL7 v2 order with its results), and
// closes it where that ends:
//
//	b.open()
//	b.inContext(index.Refuted)       // at any time before close; else it is plain
//	b.subject("Patient/1")           // at any time; else it is the patient around it
//	b.code(system, code)             // these are the statement's
//	b.words("as a person wrote it")
//	b.date("20250301")
//	b.period("20250110", "20250620")
//	b.close()
//
// Statements nest. One without a patient and a date of its own is part of the one around
// it, in its own context. Facts outside all statements belong to the record: they go with
// all others.
//
// A person is named by a key that the reader chooses, such as a reference, the number of
// a message, or the local id of an element. [builder.identify] gives a person an
// identifier, and [builder.samePerson] joins two keys. Persons with a common identifier
// of one system are one. A format with one patient for each record calls
// [builder.patient] only.
//
// [builder.finish] makes the document's statements of all this. A record of one patient
// at one time needs none.

// Bounds on what is kept of statements.
const (
	maxStatements = 1 << 14 // different groups of a patient, dates and a context
	maxStated     = 1 << 18 // facts in them
	maxPersons    = 1 << 14
	maxOwned      = 1 << 16 // identifiers that several persons have
	maxUses       = 64      // of a thing, by different persons or in different contexts
)

// nobody is the person of a statement that names none.
const nobody = -1

// A statement is one that is open, or waits for its patient.
type statement struct {
	context        index.Context
	person         int
	codes, texts   []stated // by their own context, if they are of statements within
	dates, periods []int    // positions in the document
	within         []statement
	holds          bool // its context is that of all within it
}

// stated is a code or a text by its position in the document.
type stated struct {
	at      int
	context index.Context
}

// Contexts of codes and texts within a statement. They are plain in the end.
const (
	asItIs   index.Context = "=" // tells about its statement: plain, whatever that says
	asReason index.Context = "~" // the reason for what was not done or is planned: that exists
)

// contextWithin returns the context of a code or text in a statement.
func contextWithin(statement, own index.Context) index.Context {
	switch {
	case own == asItIs:
		return own
	case own == asReason && statement != index.Error && statement != index.Refuted && statement != index.Family:
		return own
	case own == asReason:
		return statement
	}
	return statement.Over(own)
}

func compareStated(a, b stated) int {
	return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(string(a.context), string(b.context)))
}

// appendOnce appends to a list whose order does not matter, and drops what is there twice
// before the list grows.
func appendOnce[T comparable](list []T, compare func(a, b T) int, values ...T) []T {
	for _, v := range values {
		if n := len(list); n > 0 && list[n-1] == v {
			continue
		}
		if len(list) == cap(list) && len(list) >= 64 {
			slices.SortFunc(list, compare)
			list = slices.Compact(list)
			list = slices.Grow(list, len(list))
		}
		list = append(list, v)
	}
	return list
}

// open begins a statement within the present one.
func (b *builder) open() {
	b.work.spend(priceNesting)
	n := len(b.statements)
	if n < cap(b.statements) { // with the lists of an earlier one
		b.statements = b.statements[:n+1]
		s := &b.statements[n]
		*s = statement{person: nobody, codes: s.codes[:0], texts: s.texts[:0], dates: s.dates[:0], periods: s.periods[:0], within: s.within[:0]}
		return
	}
	b.statements = append(b.statements, statement{person: nobody})
}

// hold begins a statement whose context is that of all statements within it, also of
// those that have a patient.
func (b *builder) hold() {
	b.open()
	b.now().holds = true
}

// now returns the open statement, nil outside all.
func (b *builder) now() *statement {
	if len(b.statements) == 0 {
		return nil
	}
	return &b.statements[len(b.statements)-1]
}

// inContext tells how the open statement is meant. Of several contexts the strongest
// counts.
func (b *builder) inContext(c index.Context) {
	if s := b.now(); s != nil {
		s.context = c.Over(s.context)
	}
}

// errorAround tells that the statement around the open one is an error, with all that is
// still to come in it.
func (b *builder) errorAround() {
	if n := len(b.statements); n > 1 {
		outer := &b.statements[n-2]
		outer.context, outer.holds = index.Error.Over(outer.context), true
	}
}

// subject names the patient of the open statement by a key.
func (b *builder) subject(key string) {
	if s := b.now(); s != nil {
		s.person = b.person(key)
	}
}

// stateCode notes that the open statement has a code of the document.
func (b *builder) stateCode(at int) {
	if s := b.now(); s != nil {
		s.codes = appendOnce(s.codes, compareStated, stated{at, b.aside})
		return
	}
	b.recordCodes = appendOnce(b.recordCodes, cmp.Compare, at)
}

// stateText notes that the open statement has a text of the document.
func (b *builder) stateText(at int) {
	if s := b.now(); s != nil {
		s.texts = appendOnce(s.texts, compareStated, stated{at, b.aside})
		return
	}
	b.recordTexts = appendOnce(b.recordTexts, cmp.Compare, at)
}

// mention takes a text in prose, which may deny what it says. Its beginning is kept.
func (b *builder) mention(text string) {
	before := b.aside
	b.aside = index.Mentioned
	b.words(text)
	b.aside = before
}

// stateDate notes that the open statement has a date of the document.
func (b *builder) stateDate(at int) {
	if s := b.now(); s != nil {
		s.dates = appendOnce(s.dates, cmp.Compare, at)
		return
	}
	b.recordDates = appendOnce(b.recordDates, cmp.Compare, at)
}

// restate gives a code of the open statement a context of its own.
func (b *builder) restate(code int, c index.Context) {
	if s := b.now(); s != nil {
		b.work.spend(len(s.codes) / 8)
		for i := range s.codes {
			if s.codes[i].at == code {
				s.codes[i].context = c
			}
		}
	}
}

// close ends the open statement.
func (b *builder) close() {
	s := b.now()
	if s == nil {
		return
	}
	b.statements = b.statements[:len(b.statements)-1]
	outer := b.now()
	s.judge(s.context)
	for _, w := range s.within {
		if s.holds {
			w.judge(s.context)
		}
		if w.person == nobody {
			w.person = s.person
		}
		if !b.leave(outer, &w) && len(b.spares) < 16 {
			b.spares = append(b.spares, w)
		}
	}
	s.within = s.within[:0]
	switch {
	case outer == nil || s.person != nobody || len(s.dates)+len(s.periods) > 0:
		part := statement{person: s.person, codes: s.codes, texts: s.texts, dates: s.dates, periods: s.periods}
		if waits(outer, &part) { // with the lists, which the next one would use again
			within := s.within
			*s = b.spare()
			s.within = within
		}
		b.leave(outer, &part)
	default:
		outer.codes = appendOnce(outer.codes, compareStated, s.codes...)
		outer.texts = appendOnce(outer.texts, compareStated, s.texts...)
	}
}

// judge gives a statement's codes and texts its context.
func (s *statement) judge(c index.Context) {
	for _, list := range [][]stated{s.codes, s.texts} {
		for i := range list {
			list[i].context = contextWithin(c, list[i].context)
		}
	}
}

// waits reports whether a statement has to wait for the end of the one around it: for its
// patient, who may come later, or for its context.
func waits(outer, s *statement) bool {
	return outer != nil && (outer.holds || s.person == nobody) && len(outer.within) < maxDepth
}

// leave files a statement, unless it waits.
func (b *builder) leave(outer, s *statement) (waiting bool) {
	if waits(outer, s) {
		outer.within = append(outer.within, *s)
		return true
	}
	b.keep(s)
	return false
}

// spare returns the lists of a statement that was filed.
func (b *builder) spare() statement {
	n := len(b.spares)
	if n == 0 {
		return statement{}
	}
	s := b.spares[n-1]
	b.spares = b.spares[:n-1]
	return s
}

// A said is a closed statement, or several of the same patient, dates and context.
type said struct {
	context        index.Context
	person         int
	codes, texts   []int
	dates, periods []int
}

// keep files a closed statement under its patient, dates and contexts.
func (b *builder) keep(s *statement) {
	slices.Sort(s.dates)
	s.dates = slices.Compact(s.dates)
	if len(s.codes)+len(s.texts) == 0 {
		b.saidOf(s, "")
	}
	last, part := index.Context(""), (*said)(nil)
	in := func(c index.Context) *said {
		if c == asItIs || c == asReason {
			c = ""
		}
		if part == nil || c != last {
			last, part = c, b.saidOf(s, c)
		}
		return part
	}
	for _, c := range s.codes {
		p := in(c.context)
		b.stated -= len(p.codes)
		p.codes = appendOnce(p.codes, cmp.Compare, c.at)
		b.stated += len(p.codes)
	}
	for _, t := range s.texts {
		p := in(t.context)
		b.stated -= len(p.texts)
		p.texts = appendOnce(p.texts, cmp.Compare, t.at)
		b.stated += len(p.texts)
	}
}

// saidOf returns what was said of the same patient, at the same dates, in a context.
// Beyond the bounds, that is what was said of nobody at no time.
func (b *builder) saidOf(s *statement, c index.Context) *said {
	b.work.spend(priceFact)
	of := *s
	if b.stated > maxStated || len(b.said) > maxStatements {
		b.warnOnce("statements", "more statements than are told apart: the codes of the rest go with no patient and no date")
		of = statement{person: nobody}
	}
	key := append(b.saidKey[:0], c...)
	key = binary.AppendVarint(key, int64(of.person))
	for _, d := range of.dates {
		key = binary.AppendUvarint(key, uint64(d)+1)
	}
	key = append(key, 0)
	for _, p := range of.periods {
		key = binary.AppendUvarint(key, uint64(p)+1)
	}
	b.saidKey = key
	if i, ok := b.saidBy[string(key)]; ok {
		return &b.said[i]
	}
	if b.saidBy == nil {
		b.saidBy = make(map[string]int)
	}
	b.saidBy[string(key)] = len(b.said)
	b.stated += len(of.dates) + len(of.periods) + 8
	b.said = append(b.said, said{context: c, person: of.person, dates: slices.Clone(of.dates), periods: slices.Clone(of.periods)})
	return &b.said[len(b.said)-1]
}
