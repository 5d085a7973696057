package index

import (
	"slices"
	"strings"
)

// Facts are the searchable statements of a record, before normalisation. Package emr
// extracts them. Envelopes store them as JSON.
type Facts struct {
	Kind          string       `json:",omitempty"` // such as "fhir:Bundle", "hl7v2:ORU^R01", "dicom:CT"
	Patients      []Identifier `json:",omitempty"`
	Codes         []Code       `json:",omitempty"`
	Dates         []Date       `json:",omitempty"` // of events, not of birth
	Born          []Date       `json:",omitempty"`
	Authors       []string     `json:",omitempty"`
	Organisations []string     `json:",omitempty"`
	Titles        []string     `json:",omitempty"`
	Modalities    []string     `json:",omitempty"`
	Keywords      []string     `json:",omitempty"` // given by a person
}

// AddKeyword adds a keyword that a person gives: free words, or a code, date or patient
// as a query writes it. "icd10:I21.4" is indexed like a code of the record, with its
// ancestors.
func (f *Facts) AddKeyword(text string) {
	field, value, ok := strings.Cut(strings.TrimSpace(text), ":")
	field = strings.ToLower(strings.TrimSpace(field))
	if alias, known := fieldAliases[field]; known {
		field = alias
	}
	value = strings.TrimSpace(value)
	date, isDate := ParseDate(value)
	system, rest, hasSystem := cutLast(value, "|")
	switch {
	case !ok || value == "":
		f.Keywords = append(f.Keywords, text)
	case field == OtherCode && hasSystem:
		f.Codes = append(f.Codes, Code{System: system, Code: rest})
	case field == OtherCode:
		f.Codes = append(f.Codes, Code{Code: value})
	case slices.Contains([]string{ICD10, SNOMED, LOINC, RxNorm, CVX}, field):
		f.Codes = append(f.Codes, Code{System: field, Code: value})
	case field == "patient":
		f.Patients = append(f.Patients, Identifier{System: system, Value: rest})
	case field == "date" && isDate:
		f.Dates = append(f.Dates, date)
	case field == "word":
		f.Keywords = append(f.Keywords, value)
	default:
		f.Keywords = append(f.Keywords, text)
	}
}

// Bounds on the terms of one record.
const (
	MaxTerms    = 8192 // without composed terms
	MaxComposed = 512  // pairs of patient and code, and also months of codes; an overflow term replaces more
)

// An Expansion holds all terms of a record.
type Expansion struct {
	Terms   []Term // each once
	Facts   int    // with at least one term
	Pairs   int    // composed terms among Terms
	Dropped int    // terms over [MaxTerms], by which the record will not be found
}

// Amplification returns the number of terms per fact.
func (e Expansion) Amplification() float64 {
	if e.Facts == 0 {
		return 0
	}
	return float64(len(e.Terms)) / float64(e.Facts)
}

// An expander collects terms, each once, up to MaxTerms.
type expander struct {
	Expansion
	seen map[Term]bool // true for the terms in Terms, false for dropped ones
}

func (x *expander) add(terms ...Term) {
	for _, t := range terms {
		_, known := x.seen[t]
		switch {
		case t == "" || known:
		case len(x.Terms) >= MaxTerms:
			x.seen[t] = false
			x.Dropped++
		default:
			x.seen[t] = true
			x.Terms = append(x.Terms, t)
		}
	}
}

func (x *expander) fact(terms ...Term) {
	if len(terms) > 0 && terms[0] != "" {
		x.Facts++
	}
	x.add(terms...)
}

// Expand returns the terms by which the record is found, in no particular order.
func (f Facts) Expand() Expansion {
	x := &expander{seen: make(map[Term]bool)}
	x.fact(kindTerms(f.Kind)...)

	var patients, codes []Term
	for _, id := range f.Patients {
		terms := patientTerms(id)
		x.fact(terms...)
		patients = append(patients, terms...)
	}
	for _, c := range unique(f.Codes) {
		terms := codeTerms(c)
		x.fact(terms...)
		codes = append(codes, terms...)
	}
	var dated []string
	for _, d := range unique(f.Dates) {
		x.fact(dateTerms("date", d)...)
		if d.valid() {
			dated = append(dated, Date{d.Year, d.Month, 0}.String()) // the year alone when that is all there is
		}
	}
	for _, d := range f.Born {
		x.fact(dateTerms("born", d)...)
	}
	for _, text := range f.Authors {
		x.fact(textTerms("author", text)...)
	}
	for _, text := range f.Organisations {
		x.fact(textTerms("org", text)...)
	}
	for _, text := range slices.Concat(f.Keywords, f.Titles) {
		x.fact(textTerms("word", text)...)
	}
	for _, m := range f.Modalities {
		x.fact(textTerm("modality", m))
	}
	dropped := func(t Term) bool { return !x.seen[t] }
	x.compose(slices.DeleteFunc(unique(patients), dropped), slices.DeleteFunc(unique(codes), dropped), unique(dated))
	return x.Expansion
}

// compose adds the composed terms. For each patient it adds all pairs or an overflow
// term, and for each code of a record with dates all months or an overflow term. That
// makes queries exact. So composed terms do not count against MaxTerms; MaxComposed or
// the number of their parts bounds them.
func (x *expander) compose(patients, codes []Term, months []string) {
	addComposed(x, patients, codes, pairTerm)
	addComposed(x, codes, months, monthTerm)
}

// addComposed adds the term of each combination. The parts are unique, so all are new.
func addComposed[T ~string](x *expander, firsts []Term, seconds []T, term func(Term, T) Term) {
	if len(seconds) == 0 {
		return
	}
	if len(firsts)*len(seconds) > MaxComposed {
		seconds = []T{overflow}
	}
	for _, first := range firsts {
		for _, second := range seconds {
			x.Terms = append(x.Terms, term(first, second))
			x.Pairs++
		}
	}
}

// Days returns the first and the last clinical day, [NoDay] if there is none.
func (f Facts) Days() (first, last Day) {
	first, last = NoDay, NoDay
	for _, d := range f.Dates {
		if !d.valid() {
			continue
		}
		if first == NoDay || d.First() < first {
			first = d.First()
		}
		last = max(last, d.Last())
	}
	return first, last
}

// Items returns the postings of a version of a record, one for each term, without the
// time of writing.
func (f Facts) Items(record [16]byte, version uint32, op Op) []Item {
	first, last := f.Days()
	p := Posting{Record: record, Version: version, Op: op, Kind: ClipKind(f.Kind), First: first, Last: last}
	var items []Item
	for _, t := range f.Expand().Terms {
		items = append(items, Item{t, p})
	}
	return items
}

func unique[T comparable](in []T) []T {
	seen := make(map[T]bool, len(in))
	var out []T
	for _, v := range in {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
