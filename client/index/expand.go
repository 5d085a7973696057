package index

import (
	"slices"
	"strings"
)

// Facts are what a record says about itself, before any normalisation. Package emr takes
// them from files. Envelopes keep their JSON.
type Facts struct {
	Kind          string       `json:",omitempty"` // such as "fhir:Bundle", "hl7v2:ORU^R01", "dicom:CT"
	Patients      []Identifier `json:",omitempty"`
	Codes         []Code       `json:",omitempty"`
	Dates         []Date       `json:",omitempty"` // of what happened, not of birth
	Born          []Date       `json:",omitempty"`
	Authors       []string     `json:",omitempty"`
	Organisations []string     `json:",omitempty"`
	Titles        []string     `json:",omitempty"`
	Modalities    []string     `json:",omitempty"`
	Keywords      []string     `json:",omitempty"` // given by a person
}

// AddKeyword adds what a person gives as a keyword: free words, or a code, date or
// patient as a query would name it, such as "icd10:I21.4", which is then indexed with all
// that belongs to it.
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

// Bounds on what one record may put into the index.
const (
	MaxTerms    = 8192 // of one record, before composed ones
	MaxComposed = 512  // pairs of patient and code, and likewise months of codes; a star stands in for more
)

// An Expansion is all terms of a record.
type Expansion struct {
	Terms []Term // each once
	Facts int    // that gave at least one term
	Pairs int    // composed terms among Terms, stars included
	// Dropped counts terms over [MaxTerms]: the record will not be found by them.
	Dropped int
}

// Amplification is the number of terms for one fact.
func (e Expansion) Amplification() float64 {
	if e.Facts == 0 {
		return 0
	}
	return float64(len(e.Terms)) / float64(e.Facts)
}

// expander collects terms, each once, up to the bound.
type expander struct {
	Expansion
	seen map[Term]bool // whether a term that was added is among Terms, or dropped
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

// Expand returns the terms under which the record is found. Their order means nothing.
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

// compose adds the composed terms. For every patient there are all the pairs or the star,
// and for every code of a record with dates all the months or the star: that makes
// queries over them exact. So they do not count against MaxTerms; they are bounded by
// MaxComposed, or by the terms that they are composed of.
func (x *expander) compose(patients, codes []Term, dated []string) {
	add := func(t Term) {
		x.Terms = append(x.Terms, t) // new: the parts are unique
		x.Pairs++
	}
	for _, p := range patients {
		switch {
		case len(codes) == 0:
		case len(patients)*len(codes) > MaxComposed:
			add(pairTerm(p, star))
		default:
			for _, c := range codes {
				add(pairTerm(p, c))
			}
		}
	}
	for _, c := range codes {
		switch {
		case len(dated) == 0:
		case len(codes)*len(dated) > MaxComposed:
			add(monthTerm(c, star))
		default:
			for _, m := range dated {
				add(monthTerm(c, m))
			}
		}
	}
}

// Days returns the first and the last clinical day, [NoDay] when there is none.
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

// Items makes the postings of a version of a record: one for each term, without the time
// of writing.
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
