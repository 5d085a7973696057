package index

import (
	"math"
	"time"
)

// A Day counts days since 1970-01-01, in the calendar and time zone of the record. The
// zero value is that day: use [NoDay] for a record without dates.
type Day int32

// NoDay means that there is no day.
const NoDay Day = math.MinInt32

// DayOf returns the day of t in t's own zone.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return civil(y, int(m), d)
}

func civil(year, month, day int) Day {
	return Day(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func dateOf(d Day) Date {
	t := d.Time()
	return Date{t.Year(), int(t.Month()), t.Day()}
}

// Time returns the start of the day in UTC. It returns the zero time for [NoDay].
func (d Day) Time() time.Time {
	if d == NoDay {
		return time.Time{}
	}
	return time.Unix(int64(d)*86400, 0).UTC()
}

// String returns the day as 2006-01-02, and "" for [NoDay].
func (d Day) String() string {
	if d == NoDay {
		return ""
	}
	return d.Time().Format(time.DateOnly)
}
