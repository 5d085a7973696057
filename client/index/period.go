package index

import "strings"

// period parses the value of date: and born:, a date or a range FROM..TO. One end of a
// range may be missing.
func (p *parser) period(l *leaf, t token) error {
	const hint = "write 2019, 2019-03, 2019-03-14 or a range such as 2019-03..2020-06"
	from, to, isRange := strings.Cut(t.value, "..")
	if !isRange {
		to = from
	}
	if from == "" && to == "" {
		return p.fail(t.from, hint, "a range without ends")
	}
	l.first, l.last = civil(minYear, 1, 1), civil(maxYear, 12, 31)
	if from != "" {
		d, ok := parseQueryDate(from)
		if !ok {
			return p.fail(t.from, hint, "%q is not a date", from)
		}
		l.first = d.First()
	}
	if to != "" {
		d, ok := parseQueryDate(to)
		if !ok {
			return p.fail(t.from+len(t.value)-len(to), hint, "%q is not a date", to)
		}
		l.last = d.Last()
	}
	if l.first > l.last {
		return p.fail(t.from, "", "the range ends before it starts")
	}
	l.terms = cover(l.field, l.first, l.last)
	l.text = t.value
	if l.field == "date" {
		l.terms = append(l.terms, duringTerms(l.first, l.last)...)
		l.check = checkDate(l.first, l.last)
	}
	return nil
}

// parseQueryDate is [ParseDate] without times, and without the form that has no hyphens:
// people confuse it with other numbers.
func parseQueryDate(s string) (Date, bool) {
	d, ok := ParseDate(s)
	return d, ok && d.String() == s
}

// checkDate decides by the first and the last day of a record whether a date of it is in
// the range.
func checkDate(first, last Day) func(Hit) verdict {
	return func(h Hit) verdict {
		switch {
		case h.First == NoDay || h.Last < first || h.First > last:
			return no
		case first <= h.First && h.Last <= last:
			return yes
		}
		return unsure
	}
}
