package index

import (
	"slices"
	"strings"
)

// Patients returns the queries for each patient that the query names by an identifier, as
// they are in the query.
func (q *Query) Patients() []string {
	var out []string
	for _, l := range q.root.leaves(nil) {
		if l.field == "patient" {
			out = append(out, "patient:"+quote(l.text))
		}
	}
	return unique(out)
}

// Widen returns the query with further identifiers of its patients: wherever it names a
// patient by one of them, it finds all. The keys are those of [Query.Patients].
func (q *Query) Widen(further map[string][]Identifier) *Query {
	wider := MustParseQuery(q.String())
	for _, l := range wider.root.leaves(nil) {
		if l.field != "patient" {
			continue
		}
		l.terms = slices.Clone(l.terms)
		for _, id := range further["patient:"+quote(l.text)] {
			for _, t := range patientTerms(id) {
				if strings.TrimPrefix(string(t), "patient:") != "" && !slices.Contains(l.terms, t) {
					l.terms = append(l.terms, t)
				}
			}
		}
	}
	return wider
}
