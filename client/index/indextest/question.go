// Package indextest tests a search of the index against a plain scan. [Questions] makes
// queries about a set of documents, and [Question.Answer] scans the documents for the
// right answer to each. A search has to find exactly that.
//
// The scan shares the extraction (package emr) and the names of code systems with the
// index. It uses neither the index's terms nor its composed terms nor its planner: it
// compares the facts of the documents.
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
}

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
		return Question{field + ":" + want, func(d emr.Document) bool {
			return slices.ContainsFunc(d.Codes, func(c index.Code) bool {
				return index.Prefix(c.System) == index.ICD10 && strings.HasPrefix(withoutDots(c.Code), want)
			})
		}}
	}
	return Question{fmt.Sprintf("%s:%q", field, c.Code), func(d emr.Document) bool {
		return slices.ContainsFunc(d.Codes, func(o index.Code) bool { return index.Prefix(o.System) == field && withoutDots(o.Code) == want })
	}}
}

// withoutDots removes the dots of a code, which some systems write and others do not.
func withoutDots(code string) string { return strings.ToUpper(strings.ReplaceAll(code, ".", "")) }

func (a *asker) patient() Question {
	want := pick(a.random, a.patients, "nobody")
	return Question{fmt.Sprintf("patient:%q", want), func(d emr.Document) bool {
		return slices.ContainsFunc(d.Patients, func(p index.Identifier) bool { return strings.EqualFold(p.Value, want) })
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
	return Question{query, func(d emr.Document) bool {
		return slices.ContainsFunc(d.Dates, func(x index.Date) bool { return x.First() >= from.First() && x.Last() <= to.Last() })
	}}
}

func (a *asker) kind() Question {
	want := pick(a.random, a.kinds, "text")
	return Question{fmt.Sprintf("kind:%q", want), func(d emr.Document) bool { return strings.EqualFold(d.Kind, want) }}
}

func and(a, b Question) Question {
	return Question{"(" + a.Query + " and " + b.Query + ")", func(d emr.Document) bool { return a.Matches(d) && b.Matches(d) }}
}

func or(a, b Question) Question {
	return Question{"(" + a.Query + " or " + b.Query + ")", func(d emr.Document) bool { return a.Matches(d) || b.Matches(d) }}
}

func not(a Question) Question {
	return Question{"not " + a.Query, func(d emr.Document) bool { return !a.Matches(d) }}
}
