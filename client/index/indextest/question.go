// Package indextest tests a search of the index against a plain scan. [Questions] makes
// queries about a set of documents, and [Question.Answer] scans the documents for the
// right answer to each. A search has to find exactly that.
//
// The scan shares the extraction (package emr) and the names of code systems with the
// index. It uses neither the index's terms nor its planner: it compares the facts of the
// documents. Of the composed terms it only asks which of them overflow, in documents
// where some may.
package indextest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/index"
)

// A Question is a query with its meaning.
type Question struct {
	Query   string
	Matches func(emr.Document) bool

	// What a statement says, for questions of one term.
	code    func(index.Code) bool
	patient func(index.Identifier) bool
	date    *dateRange
}

type dateRange struct{ first, last index.Day }

// Answer returns the sorted ids of the documents that match.
func (q Question) Answer(docs map[string]emr.Document) []string {
	var ids []string
	for id, d := range docs {
		if q.Matches(d) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Questions makes n questions about documents, in all forms of the query language: single
// terms, ranges, and, or, not, parentheses. Many have answers, because they ask for facts
// of the documents. Equal documents and seeds make equal questions.
func Questions(docs map[string]emr.Document, n int, seed uint64) []Question {
	a := newAsker(docs, rand.New(rand.NewPCG(seed, 1)))
	var all []Question
	for len(all) < n {
		var q Question
		switch len(all) % 8 {
		case 0:
			q = a.code()
		case 1:
			q = a.patient()
		case 2:
			q = a.date()
		case 3:
			q = and(a.patient(), a.code())
		case 4:
			q = and(a.code(), a.date())
		case 5:
			q = or(a.code(), a.code())
		case 6:
			q = and(a.code(), not(a.date()))
		case 7:
			q = and(a.kind(), and(or(a.patient(), a.patient()), not(a.code())))
		}
		all = append(all, q)
	}
	return all
}

// An asker draws facts of the documents at random.
type asker struct {
	random   *rand.Rand
	codes    []index.Code
	patients []string
	dates    []index.Date
	kinds    []string
}

func newAsker(docs map[string]emr.Document, random *rand.Rand) *asker {
	codes, patients := make(map[index.Code]bool), make(map[string]bool)
	dates, kinds := make(map[index.Date]bool), make(map[string]bool)
	for _, d := range docs {
		for _, c := range d.Codes {
			codes[c] = true
		}
		for _, p := range d.Patients {
			if !strings.ContainsAny(p.Value, `"\`) {
				patients[p.Value] = true
			}
		}
		for _, x := range d.Dates {
			dates[x] = true
		}
		kinds[d.Kind] = true
	}
	a := &asker{random: random, patients: slices.Sorted(maps.Keys(patients)), kinds: slices.Sorted(maps.Keys(kinds))}
	for c := range codes {
		if index.Prefix(c.System) != index.OtherCode { // others need their system in the query
			a.codes = append(a.codes, c)
		}
	}
	a.dates = slices.Collect(maps.Keys(dates))
	slices.SortFunc(a.codes, func(x, y index.Code) int { return strings.Compare(x.System+"|"+x.Code, y.System+"|"+y.Code) })
	slices.SortFunc(a.dates, func(x, y index.Date) int { return strings.Compare(x.String(), y.String()) })
	return a
}

func pick[T any](r *rand.Rand, from []T, none T) T {
	if len(from) == 0 {
		return none
	}
	return from[r.IntN(len(from))]
}

// code asks for a code, or for the category of an ICD-10 code.
func (a *asker) code() Question {
	c := pick(a.random, a.codes, index.Code{System: "http://loinc.org", Code: "0-0"})
	field, want := index.Prefix(c.System), withoutDots(c.Code)
	if field == index.ICD10 {
		if a.random.IntN(2) == 0 && len(want) > 3 {
			want = want[:3]
		}
		return codeQuestion(field+":"+want, func(c index.Code) bool {
			return index.Prefix(c.System) == index.ICD10 && strings.HasPrefix(withoutDots(c.Code), want)
		})
	}
	return codeQuestion(fmt.Sprintf("%s:%q", field, c.Code), func(o index.Code) bool {
		return index.Prefix(o.System) == field && withoutDots(o.Code) == want
	})
}

func codeQuestion(query string, is func(index.Code) bool) Question {
	return Question{Query: query, code: is, Matches: func(d emr.Document) bool {
		return says(d, is, func(index.Statement) bool { return true })
	}}
}

// says reports whether a document has a plain statement with a code that meets a
// condition.
func says(d emr.Document, is func(index.Code) bool, condition func(index.Statement) bool) bool {
	return slices.ContainsFunc(d.Facts().AllStatements(), func(s index.Statement) bool {
		return s.Context.Plain() && slices.ContainsFunc(s.Codes, func(i int) bool { return is(d.Codes[i]) }) && condition(s)
	})
}

// withoutDots removes the dots of a code, which some systems write and others do not.
func withoutDots(code string) string { return strings.ToUpper(strings.ReplaceAll(code, ".", "")) }

func (a *asker) patient() Question {
	want := pick(a.random, a.patients, "nobody")
	is := func(p index.Identifier) bool { return strings.EqualFold(p.Value, want) }
	return Question{Query: fmt.Sprintf("patient:%q", want), patient: is, Matches: func(d emr.Document) bool {
		return slices.ContainsFunc(d.Patients, is)
	}}
}

// date asks for a day, a month, a year or a range.
func (a *asker) date() Question {
	from := pick(a.random, a.dates, index.Date{Year: 2020, Month: 1, Day: 1})
	to := from
	switch a.random.IntN(5) {
	case 0:
	case 1:
		from.Day = 0
		to = from
	case 2:
		from.Month, from.Day = 0, 0
		to = from
	case 3:
		from.Day = 0
		to = index.Date{Year: from.Year + a.random.IntN(12), Month: 1 + a.random.IntN(12)}
	case 4:
		to = pick(a.random, a.dates, to)
	}
	if to.Last() < from.First() {
		from, to = to, from
	}
	query := "date:" + from.String()
	if from != to {
		query += ".." + to.String()
	}
	r := dateRange{from.First(), to.Last()}
	return Question{Query: query, date: &r, Matches: func(d emr.Document) bool {
		return slices.ContainsFunc(d.Dates, func(x index.Date) bool { return x.First() >= r.first && x.Last() <= r.last }) ||
			slices.ContainsFunc(d.Periods, func(p index.Period) bool { return p.From.First() <= r.last && p.To.Last() >= r.first })
	}}
}

func (a *asker) kind() Question {
	want := pick(a.random, a.kinds, "text")
	return Question{Query: fmt.Sprintf("kind:%q", want), Matches: func(d emr.Document) bool { return strings.EqualFold(d.Kind, want) }}
}

func and(a, b Question) Question {
	q := Question{Query: "(" + a.Query + " and " + b.Query + ")", Matches: func(d emr.Document) bool { return a.Matches(d) && b.Matches(d) }}
	both := q.Matches
	switch {
	case a.patient != nil && b.code != nil:
		q.Matches = func(d emr.Document) bool { return both(d) && says(d, b.code, ofPatient(d, a.patient)) }
	case a.code != nil && b.date != nil:
		q.Matches = func(d emr.Document) bool {
			return both(d) && (crowded(d, a.Query) || says(d, a.code, func(s index.Statement) bool { return b.date.has(d, s) }))
		}
	}
	return q
}

// ofPatient returns the condition that a statement is of a patient.
func ofPatient(d emr.Document, is func(index.Identifier) bool) func(index.Statement) bool {
	return func(s index.Statement) bool {
		return s.Patients == nil || slices.ContainsFunc(s.Patients, func(i int) bool { return is(d.Patients[i]) })
	}
}

// crowded reports whether a document has a code in more months than are told apart. That
// is so only if its codes have that many months in all.
func crowded(d emr.Document, query string) bool {
	return monthsOf(d) > index.MaxMonths && slices.Contains(d.Facts().Expand().Terms, "month:"+index.MustParseQuery(query).Terms()[0]+"\x1f*")
}

// monthsOf counts the months of codes of systems with a prefix, with those of the codes
// above them, and once more for codes that are found by a context too.
func monthsOf(d emr.Document) int {
	type of struct {
		code    int
		context index.Context
		month   index.Date
	}
	months := make(map[of]bool)
	for _, s := range d.Facts().AllStatements() {
		dates := s.Dates
		if dates == nil {
			for i := range d.Dates {
				dates = append(dates, i)
			}
		}
		var touched []index.Date
		for _, i := range dates {
			touched = append(touched, index.Date{Year: d.Dates[i].Year, Month: d.Dates[i].Month})
		}
		for _, i := range s.Periods {
			p := d.Periods[i]
			for y := p.From.Year; y <= p.To.Year; y++ {
				for m := range 13 {
					touched = append(touched, index.Date{Year: y, Month: m})
				}
			}
		}
		for _, code := range s.Codes {
			for _, month := range touched {
				months[of{code, "", month}] = true
				months[of{code, s.Context, month}] = true
			}
		}
	}
	n := 0
	for m := range months {
		switch index.Prefix(d.Codes[m.code].System) {
		case index.OtherCode:
		case index.ICD10:
			n += 12
		case index.ICD9, index.ICD11, index.ICDO, index.OPS, index.ATC, index.ICPC:
			n += 6
		default:
			n++
		}
	}
	return n
}

// has reports whether a statement has a date in one of the months of a range.
func (r dateRange) has(d emr.Document, s index.Statement) bool {
	if r.last-r.first > 24*31 {
		return true
	}
	first := index.Date{Year: r.first.Time().Year(), Month: int(r.first.Time().Month())}.First()
	last := index.Date{Year: r.last.Time().Year(), Month: int(r.last.Time().Month())}.Last()
	dates := s.Dates
	if dates == nil {
		for i := range d.Dates {
			dates = append(dates, i)
		}
	}
	return slices.ContainsFunc(dates, func(i int) bool {
		x := d.Dates[i]
		if x.Month == 0 { // all of the year has to be in the range
			return r.first <= x.First() && x.Last() <= r.last
		}
		return first <= x.First() && x.Last() <= last
	}) || slices.ContainsFunc(s.Periods, func(i int) bool {
		p := d.Periods[i]
		return p.From.First() <= last && p.To.Last() >= first
	})
}

func or(a, b Question) Question {
	return Question{Query: "(" + a.Query + " or " + b.Query + ")", Matches: func(d emr.Document) bool { return a.Matches(d) || b.Matches(d) }}
}

func not(a Question) Question {
	return Question{Query: "not " + a.Query, Matches: func(d emr.Document) bool { return !a.Matches(d) }}
}

// ResolvePatients gives each resource the identifiers of its Patient, as a person would
// who looks it up.
func ResolvePatients(docs map[string]emr.Document) {
	known := make(map[string][]index.Identifier)
	for _, d := range docs {
		if d.Kind == "fhir:Patient" && len(d.Patients) > 0 {
			known[d.Patients[0].Value] = d.Patients[1:]
		}
	}
	for id, d := range docs {
		facts := d.Facts()
		facts.AddIdentifiers(func(p index.Identifier) []index.Identifier { return known[p.Value] })
		d.Patients, d.Statements = facts.Patients, facts.Statements
		docs[id] = d
	}
}
