package index

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// A link holds what goes with the term of a code, over all statements that have it.
type link struct {
	patients bitset // of the terms of patients; not used where all go with all
	months   bitset
	long     bool // of a period with more months than are listed
}

// links collect the terms of codes and what goes with each. See [Facts.Expand].
//
// Terms and months are numbered, and a link has a bit for each: a record may have
// thousands of statements with thousands of codes and dates each.
type links struct {
	facts Facts
	codes [][]Term // by position in the facts, made when needed

	system string // of the last code
	last   system
	terms  []Term // the keys of by, in order
	by     map[Term]*link

	several  bool // statements tell patients apart
	patients []Term
	people   [][]int // numbers of the patients' terms, by position in the facts

	dated  bool // statements tell dates apart
	year   int  // the first one
	dates  []bitset
	within []bitset // of periods, by position; empty for more months than are listed

	any       Statement // of what is in no statement
	everybody bitset
	always    bitset // all dates
	who, when bitset // of the present statement
}

func newLinks(f Facts, x *expander, people [][]Term) *links {
	l := &links{facts: f, codes: make([][]Term, len(f.Codes)), by: make(map[Term]*link)}
	for _, s := range f.Statements {
		l.several = l.several || s.Patients != nil
		l.dated = l.dated || s.Dates != nil || len(s.Periods) > 0
	}
	l.dated = l.dated || len(f.Periods) > 0
	l.any.Patients, l.any.Dates = f.unstated()
	numbers := make(map[Term]int)
	for _, terms := range people {
		var own []int
		for _, t := range terms {
			if !x.seen[t] {
				continue
			}
			n, ok := numbers[t]
			if !ok {
				n = len(l.patients)
				numbers[t] = n
				l.patients = append(l.patients, t)
			}
			own = append(own, n)
		}
		l.people = append(l.people, own)
		l.everybody.set(own...)
	}
	l.number()
	return l
}

// number numbers the months of the dates and periods.
func (l *links) number() {
	l.year = maxYear
	for _, d := range l.facts.Dates {
		if d.valid() && d.Year > 0 {
			l.year = min(l.year, d.Year)
		}
	}
	for _, p := range l.facts.Periods {
		if p.From.valid() {
			l.year = min(l.year, p.From.Year)
		}
	}
	l.dates, l.within = make([]bitset, len(l.facts.Dates)), make([]bitset, len(l.facts.Periods))
	for i, d := range l.facts.Dates {
		if d.valid() && d.Year > 0 {
			l.dates[i].set(l.month(d))
			l.always.add(l.dates[i])
		}
	}
	for i, p := range l.facts.Periods {
		if !p.From.valid() || !p.To.valid() {
			continue
		}
		first, last := p.From.First(), p.To.Last()
		if int(last-first) > 31*MaxComposed {
			continue
		}
		for n := l.month(dateOf(first)); n <= l.month(dateOf(last)); n++ {
			if n%13 > 0 {
				l.within[i].set(n)
			}
		}
		for y := p.From.Year; y <= p.To.Year; y++ {
			if year := (Date{y, 0, 0}); first <= year.First() && year.Last() <= last {
				l.within[i].set(l.month(year))
			}
		}
	}
}

// month returns the number of the month of a date, or of its year when that is all there
// is.
func (l *links) month(d Date) int { return (d.Year-l.year)*13 + d.Month }

// name returns the name of a month by its number.
func (l *links) name(month int) string { return Date{l.year + month/13, month % 13, 0}.String() }

// add adds the terms of a statement's codes.
func (l *links) add(x *expander, s Statement) {
	if len(s.Codes) == 0 {
		return
	}
	long := l.measure(s)
	for _, i := range s.Codes {
		if l.codes[i] == nil {
			c := l.facts.Codes[i]
			if c.System != l.system || l.last == (system{}) { // mostly the same one again
				l.system, l.last = c.System, systemOf(c.System)
			}
			l.codes[i] = l.last.codeTerms(c.Code)
			if len(l.codes[i]) > 0 {
				x.Facts++
			}
		}
		terms := s.Context.terms(l.codes[i])
		x.add(terms...)
		for _, t := range terms {
			if !x.seen[t] || withoutSystem(t) != t { // see composed
				continue
			}
			k := l.by[t]
			if k == nil {
				k = new(link)
				l.by[t] = k
				l.terms = append(l.terms, t)
			}
			k.patients.add(l.who)
			k.months.add(l.when)
			k.long = k.long || long
		}
	}
}

// measure notes the patients and months of a statement. It reports whether one of its
// periods has more months than are listed.
func (l *links) measure(s Statement) (long bool) {
	l.who.clear()
	l.when.clear()
	if l.several {
		if s.Patients == nil {
			l.who.add(l.everybody)
		}
		for _, i := range slices.Concat(s.Patients, l.any.Patients) {
			l.who.set(l.people[i]...)
		}
	}
	if !l.dated {
		return false
	}
	if s.Dates == nil {
		l.when.add(l.always)
	}
	for _, i := range slices.Concat(s.Dates, l.any.Dates) {
		l.when.add(l.dates[i])
	}
	for _, i := range s.Periods {
		l.when.add(l.within[i])
		long = long || len(l.within[i]) == 0
	}
	return long
}

// compose adds the composed terms. For each patient it adds all pairs or an overflow
// term, and for each code of a record with dates all months or an overflow term. That
// makes queries exact. So composed terms do not count against MaxTerms; MaxComposed,
// MaxPairsOfAll, MaxPairs or the number of their parts bounds them.
func (l *links) compose(x *expander) {
	if l.several {
		l.pairs(x)
	} else {
		addComposed(x, l.patients, l.terms, MaxPairsOfAll, pairTerm)
	}
	if l.dated {
		l.dating(x)
	} else {
		var months []string
		for m := range l.always.all {
			months = append(months, l.name(m))
		}
		addComposed(x, l.terms, months, MaxComposed, monthTerm)
	}
}

// pairs adds the pairs of a record that tells several patients apart.
func (l *links) pairs(x *expander) {
	n := 0
	var with bitset
	for _, code := range l.terms {
		n += l.by[code].patients.len()
		with.add(l.by[code].patients)
	}
	if x.Mixed = n > MaxPairs; x.Mixed {
		for p := range with.all {
			x.Terms = append(x.Terms, pairTerm(l.patients[p], overflow))
		}
		return
	}
	for _, code := range l.terms {
		for p := range l.by[code].patients.all {
			x.Terms = append(x.Terms, pairTerm(l.patients[p], code))
			x.Pairs++
		}
	}
}

// dating adds the months of each code, as far as MaxMonths reaches: first of codes of
// systems with a prefix, and of those with the fewest months. The others overflow.
func (l *links) dating(x *expander) {
	order := slices.Clone(l.terms)
	rank := func(t Term) int {
		if strings.Contains(string(t), OtherCode+":") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(order, func(a, b Term) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(l.by[a].months.len(), l.by[b].months.len()))
	})
	left := MaxMonths
	for _, code := range order {
		k := l.by[code]
		if left -= k.months.len(); left < 0 || k.long {
			x.Terms = append(x.Terms, monthTerm(code, overflow))
			x.Pairs++
			continue
		}
		for m := range k.months.all {
			x.Terms = append(x.Terms, monthTerm(code, l.name(m)))
			x.Pairs++
		}
	}
}

// addComposed adds the term of each combination, or overflow terms for more than limit.
// The parts are unique, so all are new.
func addComposed[T ~string](x *expander, firsts []Term, seconds []T, limit int, term func(Term, T) Term) {
	if len(seconds) == 0 {
		return
	}
	if len(firsts)*len(seconds) > limit {
		seconds = []T{overflow}
	}
	for _, first := range firsts {
		for _, second := range seconds {
			x.Terms = append(x.Terms, term(first, second))
			x.Pairs++
		}
	}
}

// A bitset is a set of small numbers.
type bitset []uint64

func (s *bitset) set(numbers ...int) {
	for _, n := range numbers {
		for n/64 >= len(*s) {
			*s = append(*s, 0)
		}
		(*s)[n/64] |= 1 << (n % 64)
	}
}

func (s *bitset) add(other bitset) {
	for len(*s) < len(other) {
		*s = append(*s, 0)
	}
	for i, word := range other {
		(*s)[i] |= word
	}
}

func (s *bitset) clear() { *s = (*s)[:0] }

func (s bitset) len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// all yields the numbers in order.
func (s bitset) all(yield func(int) bool) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(i*64 + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}
