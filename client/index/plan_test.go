package index

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// counting is a Source that knows what was read in full.
type counting struct {
	sizes map[Term]int
	read  []Term
	peeks int
}

func (c *counting) Peek(_ context.Context, terms []Term) ([]Size, error) {
	c.peeks++
	out := make([]Size, len(terms))
	for i, t := range terms {
		out[i] = Size{AtLeast: c.sizes[t], Complete: c.sizes[t] < 50}
	}
	return out, nil
}

func (c *counting) All(_ context.Context, terms []Term) ([][]Hit, error) {
	c.read = append(c.read, terms...)
	out := make([][]Hit, len(terms))
	for i, t := range terms {
		for n := range c.sizes[t] {
			p := posting(n)
			p.First, p.Last = civil(2019, 3, 1), civil(2019, 3, 2)
			out[i] = append(out[i], Hit{Posting: p, Home: "HospitalA"})
		}
	}
	return out, nil
}

func TestPlanner(t *testing.T) {
	sizes := map[Term]int{"word:rare": 3, "word:none": 0, "word:hot": 10_000, "icd10:I21": 9_000, "patient:1": 200, "patient:2": 2,
		"kind:fhir": 50_000, "date:2019-03": 7_000, "date:2019-04": 7_000}
	for query, want := range map[string]string{
		"hot and none":                     "word:none",          // nothing is left: stop
		"hot and rare":                     "word:rare word:hot", // the smallest first
		"rare and kind:fhir":               "word:rare",          // likewise
		"rare and date:2019-03":            "word:rare",          // decided from the posting
		"rare and date:2019-04":            "word:rare",          //
		"rare and home:HospitalA":          "word:rare",          //
		"patient:1 and icd10:I21":          "pair:patient:1&icd10:I21 pair:patient:1&*",
		"patient:2 and icd10:I21":          "pair:patient:2&icd10:I21 pair:patient:2&*",
		"icd10:I21 and date:2019-03":       "month:icd10:I21&2019-03 month:icd10:I21&*",
		"icd10:I21 and date:2019-03-05":    "icd10:I21",
		"icd10:I21 and date:2010..2019":    "icd10:I21", // too many months
		"rare and icd10:I21 and patient:1": "word:rare pair:patient:1&icd10:I21 pair:patient:1&*",
	} {
		q, err := ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		src := &counting{sizes: sizes}
		if _, err := q.Evaluate(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, term := range src.read {
			got = append(got, strings.ReplaceAll(string(term), join, "&"))
		}
		if strings.Join(got, " ") != want || src.peeks != 1 {
			t.Errorf("%s: read %q after %d peeks, want %q", query, got, src.peeks, want)
		}
	}
}

func TestPage(t *testing.T) {
	var hits []Hit
	for i := range 25 {
		p := posting(i)
		if i%3 == 0 {
			p.First, p.Last = Day(10_000+i), Day(20_000+i%5)
		}
		hits = append(hits, Hit{Posting: p, Home: hospitals[i%3]})
	}
	slices.SortFunc(hits, compareHits)
	var got []Hit
	after := ""
	for pages := 0; ; pages++ {
		page, next, err := Page(hits, after, 4)
		if err != nil || pages > 10 {
			t.Fatal(pages, err)
		}
		got = append(got, page...)
		if pages == 2 { // a newer record comes in between
			p := posting(99)
			p.Last, p.First = Day(90_000), Day(90_000)
			hits = append([]Hit{{Posting: p, Home: "HospitalA"}}, hits...)
		}
		if after = next; after == "" {
			break
		}
	}
	if !slices.Equal(got, hits[1:]) {
		t.Errorf("%d hits on the pages, want %d", len(got), len(hits)-1)
	}
	for _, bad := range []string{"x", "1.2.3.4", "....", "zz.1." + strings.Repeat("0", 32) + ".41"} {
		if _, _, err := Page(hits, bad, 4); !errors.Is(err, ErrInvalid) {
			t.Errorf("bookmark %q: %v", bad, err)
		}
	}
	if all, next, err := Page(hits, "", 0); err != nil || next != "" || len(all) != len(hits) {
		t.Errorf("no limit: %d, %q, %v", len(all), next, err)
	}
}
