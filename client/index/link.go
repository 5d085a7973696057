package index

import (
	"cmp"
	"slices"
)

// A link holds what goes with the term of a code, over all statements that have it.
type link struct {
	patients map[int]bool // positions; not used where all go with all
	months   map[string]bool
	long     bool // of a period with more months than are listed
}

// links collect the terms of codes and what goes with each. See [Facts.Expand].
type links struct {
	facts Facts
	codes [][]Term // by position in the facts, made when needed
	terms []Term   // the keys of byTerm, in order
	by    map[Term]*link

	several bool // statements tell patients apart
	dated   bool // statements tell dates apart
	any     Statement
	dates   []string // as months, by position
}

func newLinks(f Facts) *links {
	l := &links{facts: f, codes: make([][]Term, len(f.Codes)), by: make(map[Term]*link)}
	for _, s := range f.Statements {
		l.several = l.several || s.Patients != nil
		l.dated = l.dated || s.Dates != nil || len(s.Periods) > 0
	}
	l.dated = l.dated || len(f.Periods) > 0
	l.any.Patients, l.any.Dates = f.unstated()
	for _, d := range f.Dates {
		month := ""
		if d.valid() && d.Year > 0 {
			month = Date{d.Year, d.Month, 0}.String() // the year alone when that is all there is
		}
		l.dates = append(l.dates, month)
	}
	return l
}

// add adds the terms of a statement's codes.
func (l *links) add(x *expander, s Statement) {
	for _, i := range s.Codes {
		if l.codes[i] == nil {
			l.codes[i] = codeTerms(l.facts.Codes[i])
			if len(l.codes[i]) > 0 {
				x.Facts++
			}
		}
		terms := s.Context.terms(l.codes[i])
		x.add(terms...)
		for _, t := range terms {
			if !x.seen[t] {
				continue
			}
			k := l.by[t]
			if k == nil {
				k = new(link)
				l.by[t] = k
				l.terms = append(l.terms, t)
			}
			l.join(k, s)
		}
	}
}

// join notes what goes with a code in a statement.
func (l *links) join(k *link, s Statement) {
	if l.several {
		if k.patients == nil {
			k.patients = make(map[int]bool)
		}
		if s.Patients == nil {
			for i := range l.facts.Patients {
				k.patients[i] = true
			}
		}
		for _, i := range slices.Concat(s.Patients, l.any.Patients) {
			k.patients[i] = true
		}
	}
	if !l.dated {
		return
	}
	if k.months == nil {
		k.months = make(map[string]bool)
	}
	if s.Dates == nil {
		for _, m := range l.dates {
			k.months[m] = true
		}
	}
	for _, i := range slices.Concat(s.Dates, l.any.Dates) {
		k.months[l.dates[i]] = true
	}
	for _, i := range s.Periods {
		p := l.facts.Periods[i]
		touched := monthsTouched(p.From.First(), p.To.Last(), MaxComposed)
		k.long = k.long || touched == nil
		for _, m := range touched {
			k.months[m] = true
		}
	}
}

// compose adds the composed terms. For each patient it adds all pairs or an overflow
// term, and for each code of a record with dates all months or an overflow term. That
// makes queries exact. So composed terms do not count against MaxTerms; MaxComposed,
// MaxPairs or the number of their parts bounds them.
func (l *links) compose(x *expander, people [][]Term) {
	if l.several {
		l.pairs(x, people)
	} else {
		var patients []Term
		for _, terms := range people {
			patients = append(patients, terms...)
		}
		addComposed(x, slices.DeleteFunc(unique(patients), func(t Term) bool { return !x.seen[t] }), l.terms, pairTerm)
	}
	if l.dated {
		l.months(x)
	} else {
		addComposed(x, l.terms, slices.DeleteFunc(unique(l.dates), func(m string) bool { return m == "" }), monthTerm)
	}
}

// pairs adds the pairs of a record that tells several patients apart.
func (l *links) pairs(x *expander, people [][]Term) {
	var pairs []Term
	seen := make(map[Term]bool)
	var with []Term // patients
	for _, code := range l.terms {
		for _, i := range sorted(l.by[code].patients) {
			for _, p := range people[i] {
				if !x.seen[p] {
					continue
				}
				if pair := pairTerm(p, code); !seen[pair] && len(pairs) <= MaxPairs {
					seen[pair] = true
					pairs = append(pairs, pair)
				}
				with = append(with, p)
			}
		}
		if len(with) > 16*MaxPairs {
			with = unique(with)
		}
	}
	if x.Mixed = len(pairs) > MaxPairs; x.Mixed {
		pairs = nil
		for _, p := range unique(with) {
			pairs = append(pairs, pairTerm(p, overflow))
		}
	}
	x.Terms = append(x.Terms, pairs...)
	x.Pairs += len(pairs)
}

// months adds the months of each code, of those with the fewest first, as far as
// MaxComposed reaches. The others overflow.
func (l *links) months(x *expander) {
	order := slices.Clone(l.terms)
	for _, k := range l.by {
		delete(k.months, "") // of dates that are none
	}
	slices.SortStableFunc(order, func(a, b Term) int { return cmp.Compare(len(l.by[a].months), len(l.by[b].months)) })
	left := MaxComposed
	for _, code := range order {
		months := sorted(l.by[code].months)
		if left -= len(months); left < 0 || l.by[code].long {
			months = []string{overflow}
		}
		for _, m := range months {
			x.Terms = append(x.Terms, monthTerm(code, m))
			x.Pairs++
		}
	}
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

func sorted[K cmp.Ordered](set map[K]bool) []K {
	out := make([]K, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
