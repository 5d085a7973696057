package index

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
)

// terms is a Source of one record.
type terms struct {
	has map[Term]bool
	Hit
}

func termsOf(f Facts) terms {
	out := terms{has: make(map[Term]bool)}
	for _, it := range f.Items(recordID(1), 1, Add) {
		out.has[it.Term] = true
		out.Hit = Hit{Posting: it.Posting, Home: "HospitalA"}
	}
	return out
}

func (s terms) Peek(_ context.Context, of []Term) ([]Size, error) {
	out := make([]Size, len(of))
	for i, t := range of {
		out[i].Complete = true
		if s.has[t] {
			out[i].AtLeast = 1
		}
	}
	return out, nil
}

func (s terms) All(_ context.Context, of []Term) ([][]Hit, error) {
	out := make([][]Hit, len(of))
	for i, t := range of {
		if s.has[t] {
			out[i] = []Hit{s.Hit}
		}
	}
	return out, nil
}

func (s terms) finds(t *testing.T, query string) bool {
	t.Helper()
	hits, err := MustParseQuery(query).Evaluate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return len(hits) > 0
}

// A query for days finds exactly the records whose period has one of them.
func TestPeriodsOverlap(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2))
	day := func() Date {
		at := civil(2018, 11, 1) + Day(random.IntN(900))
		if random.IntN(3) == 0 { // the edges of months, tens and years
			at = []Day{civil(2018, 12, 31), civil(2019, 1, 1), civil(2019, 2, 28), civil(2019, 3, 1), civil(2019, 12, 31), civil(2020, 1, 1),
				civil(2020, 2, 29), civil(2020, 3, 9), civil(2020, 3, 10), civil(2020, 3, 20), civil(2020, 4, 30), civil(2020, 5, 31)}[random.IntN(12)]
		}
		d := Date{at.Time().Year(), int(at.Time().Month()), at.Time().Day()}
		switch random.IntN(8) {
		case 0:
			d.Day = 0
		case 1:
			d.Month, d.Day = 0, 0
		}
		return d
	}
	dates := 20_000
	if testing.Short() {
		dates = 5000
	}
	for range dates {
		p := Period{day(), day()}
		from, to := day(), day()
		if p.To.Last() < p.From.First() || p.From == p.To || to.Last() < from.First() {
			continue
		}
		f := Facts{Kind: "text", Dates: []Date{p.From, p.To}, Periods: []Period{p}}
		query := fmt.Sprintf("date:%s..%s", from, to)
		overlap := p.From.First() <= to.Last() && from.First() <= p.To.Last()
		if got := termsOf(f).finds(t, query); got != overlap {
			t.Fatalf("%s in %s..%s: %v", query, p.From, p.To, got)
		}
	}
}

// Several periods of a record are found by their days, and by no days between them.
func TestSeveralPeriods(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(3, 4))
	day := func(n int) Date { return dateOf(civil(2019, 11, 25) + Day(random.IntN(n))) }
	for range 20_000 {
		f := Facts{Kind: "text"}
		for range 2 + random.IntN(3) {
			p := Period{From: day(120)}
			p.To = dateOf(p.From.First() + 1 + Day(random.IntN(40)))
			f.Periods = append(f.Periods, p)
			f.Dates = append(f.Dates, p.From, p.To)
		}
		from := day(160)
		to := dateOf(from.First() + Day(random.IntN(9)))
		overlap := false
		for _, p := range f.Periods {
			overlap = overlap || p.From.First() <= to.Last() && from.First() <= p.To.Last()
		}
		if query := fmt.Sprintf("date:%s..%s", from, to); termsOf(f).finds(t, query) != overlap {
			t.Fatalf("%s in %v: %v", query, f.Periods, !overlap)
		}
	}
}

// Periods that overlap have no more terms than one.
func TestOverlappingPeriodsShareTerms(t *testing.T) {
	whole := Facts{Periods: []Period{{Date{2019, 1, 5}, Date{2020, 11, 25}}}}
	parts := Facts{Periods: []Period{{Date{2019, 1, 5}, Date{2019, 12, 5}}, {Date{2019, 2, 5}, Date{2020, 3, 5}}, {Date{2020, 3, 6}, Date{2020, 11, 25}}}}
	if a, b := len(whole.Expand().Terms), len(parts.Expand().Terms); b > a+6 { // of first days
		t.Errorf("%d terms, and %d in parts", a, b)
	}
}

// A period without an end reaches as far as any.
func TestOpenPeriods(t *testing.T) {
	for ends, want := range map[[2]string]map[string]bool{
		{"2019-03-05", "9999-12-31"}: {"2019-02": false, "2019-03": true, "2019-04-11": true, "2024-05": true, "2024-05-07": true, "2031": true, "2040..2041": true},
		{"20190305", "99991231"}:     {"2024-05-07": true},
		{"0001-01-01", "2019-03-05"}: {"2019-04": false, "2011": true, "1999-08-07": true},
		{"1700-01-01", "9999-12-31"}: {"2019": false},
		{"2019-03-05", "9999-99-99"}: {"2019-03": false},
		{"1801-05-01", "2150-01-01"}: {"1801-05": true, "1900": true, "2150": true},
	} {
		p, ok := ParsePeriod(ends[0], ends[1])
		f := Facts{Kind: "text"}
		if ok {
			f.Periods = []Period{p}
		}
		for _, end := range ends {
			if d, ok := ParseDate(end); ok && len(f.Periods) > 0 {
				f.Dates = append(f.Dates, d)
			}
		}
		for query, found := range want {
			if got := termsOf(f).finds(t, "date:"+query); got != found {
				t.Errorf("%s in %v: %v", query, ends, got)
			}
		}
	}
}
