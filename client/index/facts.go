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
	Periods       []Period     `json:",omitempty"` // their ends are among Dates as well
	Born          []Date       `json:",omitempty"`
	Authors       []string     `json:",omitempty"`
	Organisations []string     `json:",omitempty"`
	Titles        []string     `json:",omitempty"`
	Texts         []string     `json:",omitempty"` // of codes, or in place of them
	Modalities    []string     `json:",omitempty"`
	Keywords      []string     `json:",omitempty"` // given by a person

	// Statements tell which of the patients, codes and dates belong together, and how
	// they are meant. None are needed where all belong to all.
	Statements []Statement `json:",omitempty"`
}

// AddKeyword adds a keyword that a person gives: free words, or a code, date or patient
// as a query writes it. "icd10:I21.4" is indexed like a code of the record, with its
// ancestors.
//
// "refuted:icd10:I21.4" is a statement of its own, see [Context].
func (f *Facts) AddKeyword(text string) {
	if context, rest := cutContext(text); context != "" && rest != "" {
		var one Facts
		one.AddKeyword(rest)
		if len(one.Codes) > 0 {
			one.Statements = []Statement{{Context: context, Codes: []int{0}}}
		} else if len(one.Keywords) > 0 {
			one.Texts, one.Keywords = one.Keywords, nil
			one.Statements = []Statement{{Context: context, Texts: []int{0}}}
		}
		*f = f.Join(one)
		return
	}
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
	case slices.Contains(CodePrefixes, field):
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
	MaxTerms      = 8192 // without composed terms
	MaxTexts      = 2048 // terms of texts, among these
	MaxPairsOfAll = 256  // pairs of a patient and a code, where all go with all; an overflow term replaces more
	MaxComposed   = 512  // months of codes, where all go with all
	MaxMonths     = 384  // months of codes, where statements tell them apart
	MaxPairs      = 8192 // pairs of a record that tells several patients apart
)

// An Expansion holds all terms of a record.
type Expansion struct {
	Terms   []Term // each once
	Facts   int    // with at least one term
	Pairs   int    // composed terms among Terms
	Dropped int    // terms over [MaxTerms] or [MaxTexts], by which the record will not be found

	// Mixed tells that the record has more than [MaxPairs] pairs of a patient and a code.
	// A query for a patient and a code then finds it although the code is another
	// patient's.
	Mixed bool
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
	seen  map[Term]bool // true for the terms in Terms, false for dropped ones
	texts int           // terms of texts among Terms
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

// text adds the terms of a text, up to MaxTexts in all.
func (x *expander) text(terms []Term) {
	if len(terms) > 0 {
		x.Facts++
	}
	for _, t := range terms {
		if _, known := x.seen[t]; !known && x.texts >= MaxTexts {
			x.seen[t] = false
			x.Dropped++
			continue
		}
		before := len(x.Terms)
		x.add(t)
		x.texts += len(x.Terms) - before
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
	people := make([][]Term, len(f.Patients))
	for i, id := range f.Patients {
		people[i] = patientTerms(id)
		x.fact(people[i]...)
	}
	links := newLinks(f, x, people)
	statements := f.AllStatements()
	for _, s := range statements {
		links.add(x, s)
	}
	for _, d := range unique(f.Dates) {
		x.fact(dateTerms("date", d)...)
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
	for _, prose := range []bool{false, true} { // prose takes what the texts of codes leave
		for _, s := range statements {
			if prose != (s.Context == Mentioned) {
				continue
			}
			for _, i := range s.Texts {
				x.text(s.Context.terms(textTerms("word", f.Texts[i])))
			}
		}
	}
	x.periods(f.Periods)
	links.compose(x)
	return x.Expansion
}

// Days returns the first and the last clinical day, [NoDay] if there is none.
func (f Facts) Days() (first, last Day) {
	first, last = NoDay, NoDay
	add := func(from, to Date) {
		if !from.valid() || !to.valid() {
			return
		}
		if first == NoDay || from.First() < first {
			first = from.First()
		}
		last = max(last, to.Last())
	}
	for _, d := range f.Dates {
		add(d, d)
	}
	for _, p := range f.Periods { // whose ends may be open
		add(p.From, p.To)
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
