package index

import (
	"slices"
	"strings"
)

// A Context tells how a statement of a record is meant. The zero value is a plain
// statement: the patient has it, or it was done.
//
// A term of a plain statement is "icd10:I21.4". In another context it is
// "refuted:icd10:I21.4", and the plain term is there only if the context is plain too,
// see [Context.Plain].
type Context string

// The contexts, by the words of FHIR's fields. They are fields of queries.
const (
	Refuted   Context = "refuted"   // negated, ruled out, absent
	Error     Context = "error"     // entered in error, deleted
	Mentioned Context = "mentioned" // said in a note or a finding in prose, which may deny it
	NotDone   Context = "not-done"  // not given, cancelled, or not to be done
	Family    Context = "family"    // of relatives
	Risk      Context = "risk"      // that may come, or is to be prevented
	Planned   Context = "planned"   // proposed or planned, and not yet done
	Suspected Context = "suspected" // unconfirmed, provisional, differential; plain as well
	Historic  Context = "historic"  // resolved, inactive, in the patient's history; plain as well
)

// Contexts lists all but the zero value. Where several hold for one statement, the first
// one counts.
var Contexts = []Context{Error, Mentioned, Refuted, NotDone, Family, Risk, Planned, Suspected, Historic}

// Plain reports whether the plain term finds the statement too.
func (c Context) Plain() bool { return c == "" || c == Suspected || c == Historic }

// Over returns the context that counts where both hold.
func (c Context) Over(other Context) Context {
	if c == "" || other != "" && slices.Index(Contexts, other) < slices.Index(Contexts, c) {
		return other
	}
	return c
}

// terms returns the terms by which a term of a statement in this context is found.
func (c Context) terms(of []Term) []Term {
	if c == "" {
		return of
	}
	var out []Term
	if c.Plain() {
		out = append(out, of...)
	}
	for _, t := range of {
		out = append(out, Term(c)+":"+t)
	}
	return out
}

// A Statement is a part of a record that says something about one patient at one time: a
// resource, an entry, an order with its results. Its lists are positions in those of
// [Facts]. Terms of two facts, such as a patient and a code, are made within it.
//
// A fact that is in no statement is the whole record's: it goes with all others.
type Statement struct {
	Context  Context `json:",omitempty"`
	Codes    []int   `json:",omitempty"`
	Texts    []int   `json:",omitempty"`
	Patients []int   // nil: all of the record; empty: nobody
	Dates    []int   // nil: all of the record; empty: none
	Periods  []int   `json:",omitempty"`
}

// shift returns the statement for facts that got others before them.
func (s Statement) shift(before Facts) Statement {
	by := func(list []int, n int) []int {
		out := slices.Clone(list)
		for i := range out {
			out[i] += n
		}
		return out
	}
	s.Codes, s.Texts, s.Periods = by(s.Codes, len(before.Codes)), by(s.Texts, len(before.Texts)), by(s.Periods, len(before.Periods))
	s.Patients, s.Dates = by(s.Patients, len(before.Patients)), by(s.Dates, len(before.Dates))
	return s
}

// Join returns the facts of f and after them those of g. The kind is that of f, if it has
// one.
func (f Facts) Join(g Facts) Facts {
	out := Facts{
		Kind:          f.Kind,
		Patients:      slices.Concat(f.Patients, g.Patients),
		Codes:         slices.Concat(f.Codes, g.Codes),
		Dates:         slices.Concat(f.Dates, g.Dates),
		Periods:       slices.Concat(f.Periods, g.Periods),
		Born:          slices.Concat(f.Born, g.Born),
		Authors:       slices.Concat(f.Authors, g.Authors),
		Organisations: slices.Concat(f.Organisations, g.Organisations),
		Titles:        slices.Concat(f.Titles, g.Titles),
		Texts:         slices.Concat(f.Texts, g.Texts),
		Modalities:    slices.Concat(f.Modalities, g.Modalities),
		Keywords:      slices.Concat(f.Keywords, g.Keywords),
		Statements:    slices.Clone(f.Statements),
	}
	if out.Kind == "" {
		out.Kind = g.Kind
	}
	for _, s := range g.Statements {
		out.Statements = append(out.Statements, s.shift(f))
	}
	return out
}

// AllStatements returns the statements, with positions within the lists of f only, and at
// last that of all facts that are in no other.
func (f Facts) AllStatements() []Statement {
	within := func(list []int, n int) []int {
		return slices.DeleteFunc(slices.Clone(list), func(i int) bool { return i < 0 || i >= n })
	}
	var out []Statement
	for _, s := range f.Statements {
		s.Codes, s.Texts, s.Periods = within(s.Codes, len(f.Codes)), within(s.Texts, len(f.Texts)), within(s.Periods, len(f.Periods))
		s.Patients, s.Dates = within(s.Patients, len(f.Patients)), within(s.Dates, len(f.Dates))
		out = append(out, s)
	}
	return append(out, f.everything())
}

// everything is the statement of the facts that are in no other. Its patients and dates
// are all.
func (f Facts) everything() Statement {
	codes, texts, periods := make([]bool, len(f.Codes)), make([]bool, len(f.Texts)), make([]bool, len(f.Periods))
	mark := func(in []bool, list []int) {
		for _, i := range list {
			if i >= 0 && i < len(in) {
				in[i] = true
			}
		}
	}
	for _, s := range f.Statements {
		mark(codes, s.Codes)
		mark(texts, s.Texts)
		mark(periods, s.Periods)
	}
	return Statement{Codes: missing(codes), Texts: missing(texts), Periods: missing(periods)}
}

// unstated returns the patients and dates that are in no statement. They go with all
// codes.
func (f Facts) unstated() (patients, dates []int) {
	p, d := make([]bool, len(f.Patients)), make([]bool, len(f.Dates))
	for _, s := range f.Statements {
		for _, i := range s.Patients {
			if i >= 0 && i < len(p) {
				p[i] = true
			}
		}
		for _, i := range s.Dates {
			if i >= 0 && i < len(d) {
				d[i] = true
			}
		}
	}
	return missing(p), missing(d)
}

func missing(in []bool) []int {
	var out []int
	for i, there := range in {
		if !there {
			out = append(out, i)
		}
	}
	return out
}

// cutContext splits "refuted:icd10:I21.4" into the context and the rest.
func cutContext(text string) (Context, string) {
	before, rest, ok := strings.Cut(text, ":")
	c := Context(strings.ToLower(strings.TrimSpace(before)))
	if alias, known := contextAliases[string(c)]; known {
		c = alias
	}
	if ok && slices.Contains(Contexts, c) {
		return c, strings.TrimSpace(rest)
	}
	return "", text
}

var contextAliases = map[string]Context{
	"negated": Refuted, "absent": Refuted, "ruled-out": Refuted, "entered-in-error": Error, "deleted": Error, "notdone": NotDone,
	"family-history": Family, "history": Historic, "resolved": Historic, "provisional": Suspected, "unconfirmed": Suspected,
}

// AddIdentifiers adds further identifiers of the patients, which others know by those in
// f. They are the same patients': they go with the same statements.
func (f *Facts) AddIdentifiers(further func(Identifier) []Identifier) {
	at := make(map[Identifier]int, len(f.Patients))
	for i, id := range f.Patients {
		at[id] = i
	}
	also := make(map[int][]int)
	for i, id := range slices.Clone(f.Patients) {
		for _, other := range further(id) {
			n, ok := at[other]
			if !ok {
				n = len(f.Patients)
				at[other] = n
				f.Patients = append(f.Patients, other)
			}
			also[i] = append(also[i], n)
		}
	}
	for n := range f.Statements {
		s := &f.Statements[n]
		for _, i := range slices.Clone(s.Patients) {
			s.Patients = append(s.Patients, also[i]...)
		}
		if s.Patients != nil {
			slices.Sort(s.Patients)
			s.Patients = slices.Compact(s.Patients)
		}
	}
}
