package index

import (
	"fmt"
	"strings"
	"time"
)

// A Date is a calendar date as the record writes it, in its own time zone. A part that is
// not given is 0: the day, or the day and the month.
type Date struct{ Year, Month, Day int }

// Years outside these bounds are placeholders, such as 0001 and 9999. They are not
// indexed.
const (
	minYear = 1800
	maxYear = 2199
)

// ParseDate parses the date at the start of a date or dateTime of FHIR
// (2019-03-14T10:00:00Z), HL7 or DICOM (20190314100000). It reports false for other text,
// for impossible dates, and for years before 1800 or after 2199.
func ParseDate(s string) (Date, bool) {
	d, ok := parseDate(s)
	return d, ok && d.valid()
}

// parseDate parses a date of any year.
func parseDate(s string) (Date, bool) {
	s = strings.TrimSpace(s)
	number := func(from, to int) int {
		if len(s) < to {
			return -1
		}
		n := 0
		for _, c := range []byte(s[from:to]) {
			if c < '0' || c > '9' {
				return -1
			}
			n = 10*n + int(c-'0')
		}
		return n
	}
	d := Date{Year: number(0, 4)}
	rest := ""
	switch {
	case len(s) == 4:
	case len(s) >= 7 && s[4] == '-':
		d.Month, rest = number(5, 7), s[7:]
		if len(s) >= 8 && s[7] == '-' {
			if d.Day = number(8, 10); d.Day <= 0 {
				return Date{}, false
			}
			rest = s[min(10, len(s)):]
			if rest != "" && rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ' {
				return Date{}, false
			}
		} else if rest != "" {
			return Date{}, false
		}
	case len(s) >= 6:
		if d.Month = number(4, 6); len(s) >= 8 {
			if d.Day = number(6, 8); d.Day <= 0 {
				return Date{}, false
			}
		} else if len(s) == 7 {
			return Date{}, false
		}
	default:
		return Date{}, false
	}
	if len(s) > 4 && d.Month <= 0 {
		return Date{}, false
	}
	return d, d.exists()
}

func (d Date) valid() bool { return d.Year >= minYear && d.Year <= maxYear && d.exists() }

// exists reports whether the calendar has a date.
func (d Date) exists() bool {
	if d.Year < 0 || d.Month < 0 || d.Month > 12 || d.Day < 0 || d.Day > 0 && d.Month == 0 {
		return false
	}
	return d.Day == 0 || time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC).Day() == d.Day
}

// First is the first day of the period that d names.
func (d Date) First() Day { return civil(d.Year, max(1, d.Month), max(1, d.Day)) }

// Last is the last day of it.
func (d Date) Last() Day {
	switch {
	case d.Month == 0:
		return civil(d.Year, 12, 31)
	case d.Day == 0:
		return civil(d.Year, d.Month+1, 0)
	}
	return civil(d.Year, d.Month, d.Day)
}

// String returns the date as a query writes it.
func (d Date) String() string {
	switch {
	case d.Month == 0:
		return fmt.Sprintf("%04d", d.Year)
	case d.Day == 0:
		return fmt.Sprintf("%04d-%02d", d.Year, d.Month)
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// dateTerms returns the terms of a date and of the periods around it: day, month, year,
// decade (date:201x), century (date:20xx). The last two keep long ranges short.
func dateTerms(field string, d Date) []Term {
	if !d.valid() || d.Year == 0 {
		return nil
	}
	term := func(s string) Term { return Term(field + ":" + s) }
	out := []Term{term(d.String())}
	if d.Day > 0 {
		out = append(out, term(Date{d.Year, d.Month, 0}.String()))
	}
	if d.Month > 0 {
		out = append(out, term(Date{d.Year, 0, 0}.String()))
	}
	return append(out, term(decade(d.Year)), term(century(d.Year)))
}

func decade(year int) string  { return fmt.Sprintf("%03dx", year/10) }
func century(year int) string { return fmt.Sprintf("%02dxx", year/100) }

// cover returns the fewest terms that together cover the days from first to last.
func cover(field string, first, last Day) []Term {
	first, last = max(first, civil(minYear, 1, 1)), min(last, civil(maxYear, 12, 31))
	var out []Term
	for first <= last {
		t := first.Time()
		y, m := t.Year(), int(t.Month())
		newYear := m == 1 && t.Day() == 1
		switch {
		case newYear && y%100 == 0 && civil(y+99, 12, 31) <= last:
			out = append(out, Term(field+":"+century(y)))
			first = civil(y+100, 1, 1)
		case newYear && y%10 == 0 && civil(y+9, 12, 31) <= last:
			out = append(out, Term(field+":"+decade(y)))
			first = civil(y+10, 1, 1)
		case newYear && civil(y, 12, 31) <= last:
			out = append(out, Term(field+":"+Date{y, 0, 0}.String()))
			first = civil(y+1, 1, 1)
		case t.Day() == 1 && civil(y, m+1, 0) <= last:
			out = append(out, Term(field+":"+Date{y, m, 0}.String()))
			first = civil(y, m+1, 1)
		default:
			out = append(out, Term(field+":"+Date{y, m, t.Day()}.String()))
			first++
		}
	}
	return out
}
