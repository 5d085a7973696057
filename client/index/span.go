package index

import (
	"cmp"
	"slices"
)

// A Period lasts from the first day of From to the last day of To.
type Period struct{ From, To Date }

// maxPeriodYears bounds a period. A longer one ends after that, and has the date of its
// last day besides.
const maxPeriodYears = 130

// ParsePeriod parses the ends of a period as [ParseDate] does. One of them may be a
// placeholder for no end, such as 0001-01-01 or 9999-12-31: it is as far from the other
// one as a period can be. ParsePeriod reports false unless the period has several days.
func ParsePeriod(from, to string) (Period, bool) {
	first, ok := parseDate(from)
	last, also := parseDate(to)
	if !ok || !also || !first.valid() && !last.valid() {
		return Period{}, false
	}
	if last.Year > maxYear {
		last = Date{min(first.Year+maxPeriodYears, maxYear), 12, 31}
	}
	if first.Year < minYear {
		first = Date{max(last.Year-maxPeriodYears, minYear), 1, 1}
	}
	p := Period{first, last}
	return p, first.valid() && last.valid() && first != last && first.First() < last.Last()
}

// periods adds the terms of the days of periods: all terms of their first days, and for
// the others those of whole years, months and tens of days, "during:2025-03" or
// "during:2025-03-1x", or else of the day. A query for days that overlaps a period has
// its first day, or begins in it: see [duringTerms]. Periods that overlap have one set of
// terms.
func (x *expander) periods(all []Period) {
	var spans []span
	for _, p := range all {
		s := span{p.From.First(), p.To.Last()}
		if !p.From.valid() || !p.To.valid() || p.From.Year == 0 || s.first >= s.last {
			continue
		}
		s.last = min(s.last, Date{min(p.From.Year+maxPeriodYears, maxYear), 12, 31}.Last())
		x.add(dateTerms("date", dateOf(s.first))...)
		spans = append(spans, s)
	}
	for _, s := range union(spans) {
		for _, d := range pieces(s.first, s.last) {
			if d.name != "" {
				x.add(Term("during:" + d.name))
			} else {
				x.add(Term("date:" + d.String()))
			}
		}
	}
}

// A span is the days from first to last.
type span struct{ first, last Day }

// union joins spans that overlap or touch. It changes their order.
func union(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	var out []span
	for _, s := range spans {
		if n := len(out) - 1; n >= 0 && s.first <= out[n].last+1 {
			out[n].last = max(out[n].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// A piece is a year, a month, some ten days of a month, or a day.
type piece struct {
	Date        // of the tens, only the month
	name string // of what is no day
}

// pieces returns the fewest years, months, tens and days that together are the days from
// first to last.
func pieces(first, last Day) []piece {
	var out []piece
	for first <= last {
		day := dateOf(first)
		month, year := Date{day.Year, day.Month, 0}, Date{day.Year, 0, 0}
		end := tensEnd(day)
		switch {
		case first == year.First() && year.Last() <= last:
			out = append(out, piece{year, year.String()})
			first = year.Last() + 1
		case first == month.First() && month.Last() <= last:
			out = append(out, piece{month, month.String()})
			first = month.Last() + 1
		case (day.Day == 1 || day.Day%10 == 0) && end <= last && end > first:
			out = append(out, piece{month, tens(day)})
			first = end + 1
		default:
			out = append(out, piece{day, ""})
			first++
		}
	}
	return out
}

// tens names the ten days of a month to which a day belongs, as 2025-03-1x.
func tens(d Date) string {
	return Date{d.Year, d.Month, 0}.String() + "-" + string(rune('0'+d.Day/10)) + "x"
}

// tensEnd returns the last of the ten days.
func tensEnd(d Date) Day {
	return min(civil(d.Year, d.Month, d.Day/10*10+9), Date{d.Year, d.Month, 0}.Last())
}

// duringTerms returns the terms of periods that have the first day of those from first to
// last: its ten days, its month and its year. A period that has all days of the month has
// no term for the ten days, and so on.
func duringTerms(first, last Day) []Term {
	day := dateOf(first)
	month, year := Date{day.Year, day.Month, 0}, Date{day.Year, 0, 0}
	out := []Term{Term("during:" + year.String())}
	if first != year.First() || last < year.Last() {
		out = append(out, Term("during:"+month.String()))
	}
	if first != month.First() || last < month.Last() {
		out = append(out, Term("during:"+tens(day)))
	}
	return out
}

// monthsTouched returns the months that have one of the days from first to last, and the
// years that are all within. It returns nil if there are more than limit.
func monthsTouched(first, last Day, limit int) []Date {
	if last < first || int(last-first) > 31*limit {
		return nil
	}
	from, to := dateOf(first), dateOf(last)
	from.Day, to.Day = 0, 0
	var out []Date
	for d := from; d.First() <= to.First(); {
		if year := (Date{d.Year, 0, 0}); d.Month == 1 && year.First() >= first && year.Last() <= last {
			out = append(out, year)
		}
		out = append(out, d)
		if d.Month++; d.Month > 12 {
			d = Date{d.Year + 1, 1, 0}
		}
	}
	return out
}
