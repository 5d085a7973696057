package index

// A Period lasts from the first day of From to the last day of To.
type Period struct{ From, To Date }

// maxPeriodYears bounds a period. A longer one counts by its ends only.
const maxPeriodYears = 130

// period adds the terms of the days between the ends of a period. Whole years, months and
// tens of days in it are terms of their own, "during:2025-03" or "during:2025-03-1x", so
// that a query for a day in them finds the record: see [duringTerms].
func (x *expander) period(p Period) {
	first, last := p.From.First(), p.To.Last()
	if !p.From.valid() || !p.To.valid() || p.From.Year == 0 || first >= last || p.To.Year-p.From.Year > maxPeriodYears {
		return
	}
	for _, d := range pieces(first, last) {
		x.add(dateTerms("date", d.Date)...)
		if d.name != "" {
			x.add(Term("during:" + d.name))
		}
	}
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
		t := first.Time()
		day := Date{t.Year(), int(t.Month()), t.Day()}
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

// duringTerms returns the terms of periods that contain all days from first to last. A
// period with an end among these days has that day's term. So it suffices to ask for one
// of the days.
func duringTerms(first, last Day) []Term {
	d := pieces(first, min(last, first+366))[0]
	var out []Term
	if d.Day > 0 {
		out = append(out, Term("during:"+tens(d.Date)))
	}
	if d.Day > 0 || d.name != "" && d.name != d.String() {
		out = append(out, Term("during:"+Date{d.Year, d.Month, 0}.String()))
	}
	if d.Month > 0 {
		out = append(out, Term("during:"+Date{d.Year, 0, 0}.String()))
	}
	return out
}

// monthsTouched returns the months that have one of the days from first to last, and the
// years that are all within. It returns nil if there are more than limit.
func monthsTouched(first, last Day, limit int) []string {
	if last < first || int(last-first) > 31*limit {
		return nil
	}
	from := Date{first.Time().Year(), int(first.Time().Month()), 0}
	to := Date{last.Time().Year(), int(last.Time().Month()), 0}
	var out []string
	for d := from; d.First() <= to.First(); {
		if year := (Date{d.Year, 0, 0}); d.Month == 1 && year.First() >= first && year.Last() <= last {
			out = append(out, year.String())
		}
		out = append(out, d.String())
		if d.Month++; d.Month > 12 {
			d = Date{d.Year + 1, 1, 0}
		}
	}
	return out
}
