package index

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseQuery(t *testing.T) {
	for in, want := range map[string]string{
		"fracture":                      "word:fracture",
		"Heart FAILURE":                 "word:heart and word:failure",
		`"Heart  FAILURE"`:              `word:"heart failure"`,
		"a or b and c":                  "word:a or (word:b and word:c)",
		"a OR b c":                      "word:a or (word:b and word:c)",
		"(a or b) and not c":            "(word:a or word:b) and not word:c",
		"((a))":                         "word:a",
		"a and (b and (c d))":           "word:a and word:b and word:c and word:d",
		"not not a":                     "word:a",
		"a not (b or not c)":            "word:a and not (word:b or not word:c)",
		"icd10:i214":                    "icd10:I21.4",
		"ICD10:I21*":                    "icd10:I21",
		"icd10:I20-I25":                 "icd10:I20-I25",
		"code:http://loinc.org|8480-6":  "loinc:8480-6",
		`code:"http://x.org|a b"`:       `code:"http://x.org|A B"`,
		"patient:urn:oid:1.2|X7":        "patient:1.2|x7",
		`"and" "or"`:                    "word:and and word:or",
		`author:"Jane Smith"`:           `author:"jane smith"`,
		"date:2019-03..2020-06 x":       "date:2019-03..2020-06 and word:x",
		"date:..2020 x":                 "date:..2020 and word:x",
		"home:HospitalA x":              "home:hospitala and word:x",
		"kind:FHIR:Observation":         "kind:fhir:observation",
		`"a \"b\" \\"`:                  `word:"a \"b\" \\"`,
		`"unknown:field"`:               "word:unknown:field",
		"a and (home:x or home:y or b)": "word:a and (home:x or home:y or word:b)",
	} {
		q, err := ParseQuery(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if q.String() != want {
			t.Errorf("%s: %s, want %s", in, q, want)
		}
		again, err := ParseQuery(q.String())
		if err != nil || again.String() != q.String() {
			t.Errorf("%s: %s parses to %v, %v", in, q, again, err)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "column 1: empty",
		"a and":              "column 6: ends where",
		"and a":              "column 1: 'and' where",
		"a or or b":          "column 6: 'or' where",
		"(a":                 "column 1: a '(' that is not closed",
		"a)":                 "column 2: a ')' that nothing opens",
		"a ()":               "column 4: a ')' where",
		"größe (":            "column 8: ends where",
		`x "abc`:             "column 3: a quote that is not closed",
		`ab"c"`:              "column 3: a quote inside",
		"not a":              "column 1: 'not' needs",
		"a or not b":         "column 6: 'not' needs",
		"home:A":             "column 1: 'home:' needs",
		"not a and home:A":   "column 1: 'not' needs",
		"colour:red":         "column 1: unknown field 'colour'",
		":x":                 "column 1:",
		"icd10:":             "column 7: nothing",
		`x icd10:""`:         "column 9: nothing",
		"snomed:123*":        "column 11: 'snomed:' knows no prefixes",
		"date:2019-13":       "column 6: \"2019-13\" is not a date",
		"date:2019..2019-13": "column 12: \"2019-13\"",
		"date:20190314":      "column 6:",
		"date:2020..2019":    "column 6: the range ends",
		"date:..":            "column 6: a range without ends",
		strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100): "column 65: nested",
		strings.Repeat("not ", 101) + "a":                         "column 257: nested",
		strings.Repeat("a ", 65):                                  "column 129: more than 64",
		strings.Repeat("a", 5000):                                 "column 4097: longer",
	} {
		_, err := ParseQuery(in)
		var q *QueryError
		if !errors.As(err, &q) || !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), "query: "+want) {
			t.Errorf("%.40s: %v, want %s", in, err, want)
			continue
		}
		lines := strings.Split(q.Caret(in), "\n")
		if len(lines) != 2 || !strings.HasSuffix(lines[1], "^") || len(lines[1]) > 102 {
			t.Errorf("%.40s: caret %q", in, lines)
		}
	}
	err := &QueryError{Column: 7}
	if got := err.Caret("größe x"); got != "größe x\n      ^" {
		t.Errorf("caret %q", got)
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"a and (b or not c)", `x:"y\"z"`, "date:2019..", "icd10:I21* home:A", "not not not a b", `"\"`, "a:b:c", "::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQuery(s)
		if err != nil {
			var e *QueryError
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(s) {
				t.Fatalf("%q: %v", s, err)
			}
			e.Caret(s)
			return
		}
		again, err := ParseQuery(q.String())
		if err != nil || again.String() != q.String() {
			t.Errorf("%q: %q parses to %v, %v", s, q, again, err)
		}
	})
}

// record is a record of the model with what a plain scan knows of it.
type record struct {
	id    int
	home  string
	facts Facts
}

// plainMatch answers a query by looking at the facts themselves, with none of the index's
// terms for dates, kinds and ancestors.
func plainMatch(n node, r record) bool {
	switch n := n.(type) {
	case *andNode:
		for _, c := range n.children {
			if !plainMatch(c, r) {
				return false
			}
		}
		return true
	case *orNode:
		for _, c := range n.children {
			if plainMatch(c, r) {
				return true
			}
		}
		return false
	case *notNode:
		return !plainMatch(n.child, r)
	case *homeNode:
		return strings.EqualFold(n.name, r.home)
	case *leaf:
		switch n.field {
		case "date":
			return slices.ContainsFunc(r.facts.Dates, func(d Date) bool { return n.first <= d.First() && d.Last() <= n.last })
		case "kind":
			family, detail, _ := strings.Cut(r.facts.Kind, ":")
			message, _, _ := strings.Cut(detail, "^")
			return slices.ContainsFunc([]string{r.facts.Kind, family, detail, message}, func(k string) bool { return strings.EqualFold(k, n.text) })
		case "patient":
			return slices.ContainsFunc(r.facts.Patients, func(id Identifier) bool { return id.Value == n.text })
		case ICD10:
			return slices.ContainsFunc(r.facts.Codes, func(c Code) bool { return strings.HasPrefix(c.Code, n.text) })
		case SNOMED:
			return slices.ContainsFunc(r.facts.Codes, func(c Code) bool { return c.Code == n.text })
		default:
			return slices.Contains(r.facts.Keywords, n.text)
		}
	}
	panic("unknown node")
}

// Random queries over random records give exactly what a plain scan gives, whether terms
// are small enough to be read at once or large enough to be replaced by composed ones.
func TestQueriesAgreeWithPlainScan(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(3, 4))
	ledger := newMemory()
	codes := []string{"I21.4", "I21.0", "I25.1", "E11.9"}
	var records []record
	batches := make(map[string][]Item)
	size, queries := 500, 300
	if testing.Short() {
		size, queries = 200, 100
	}
	for i := range size {
		r := record{id: i, home: hospitals[random.IntN(3)]}
		r.facts.Kind = []string{"fhir:Condition", "fhir:Observation", "ccda", "dicom:CT", "hl7v2:ORU^R01", "letter:oru"}[random.IntN(6)]
		r.facts.Patients = []Identifier{{"", fmt.Sprint(random.IntN(4))}}
		for range random.IntN(3) {
			r.facts.Codes = append(r.facts.Codes, Code{"I10", codes[random.IntN(4)]})
		}
		if random.IntN(3) == 0 {
			r.facts.Codes = append(r.facts.Codes, Code{"SCT", fmt.Sprint(random.IntN(300))})
		}
		for range random.IntN(3) {
			d := Date{2018 + random.IntN(3), 1 + random.IntN(12), 1 + random.IntN(28)}
			if random.IntN(5) == 0 {
				d.Day = 0
				if random.IntN(2) == 0 {
					d.Month = 0
				}
			}
			r.facts.Dates = append(r.facts.Dates, d)
		}
		if i%60 == 0 { // big ones, whose composed terms are stars
			for j := range 200 {
				r.facts.Codes = append(r.facts.Codes, Code{"SCT", fmt.Sprint(1000 + j)})
				r.facts.Dates = append(r.facts.Dates, Date{2010 + j%9, 1 + j%12, 1 + j%28})
				r.facts.Patients = append(r.facts.Patients, Identifier{"", fmt.Sprint("p", j)})
			}
		}
		r.facts.Keywords = []string{[]string{"alpha", "beta", "gamma"}[random.IntN(3)]}
		records = append(records, r)
		for _, item := range r.facts.Items(recordID(i), 1, Add) {
			item.Posting.Written = time.Unix(1_700_000_000, 0)
			batches[r.home] = append(batches[r.home], item)
		}
	}
	for home, items := range batches {
		w := &Writer{Store: ledger.as(home), MSP: home}
		if _, err := w.Put(t.Context(), testKey, items); err != nil {
			t.Fatal(err)
		}
	}
	searcher := &Searcher{Store: ledger.as("HospitalA"), MSPs: hospitals, Hints: &MemoryHints{}}

	leafText := func() string {
		from := Date{2018 + random.IntN(3), 1 + random.IntN(12), 0}
		to := Date{from.Year + random.IntN(2), 1 + random.IntN(12), 0}
		switch random.IntN(11) {
		case 0, 1:
			return "icd10:" + codes[random.IntN(4)][:3+2*random.IntN(2)]
		case 2:
			return fmt.Sprint("snomed:", random.IntN(300))
		case 3:
			return fmt.Sprint("patient:", random.IntN(4))
		case 4:
			return fmt.Sprint("patient:p", random.IntN(200))
		case 5:
			return "kind:" + []string{"fhir", "ccda", "fhir:Condition", "dicom:CT", "Condition", "ct", "oru", "ORU^R01", "letter:oru"}[random.IntN(9)]
		case 6:
			return "home:" + hospitals[random.IntN(3)]
		case 7:
			return []string{"alpha", "beta", "gamma"}[random.IntN(3)]
		case 8:
			return "date:" + from.String()
		case 9:
			return fmt.Sprintf("date:%d..%d", from.Year, to.Year)
		default:
			if to.First() < from.First() {
				from, to = to, from
			}
			to.Day = random.IntN(2) * 14
			return fmt.Sprintf("date:%v..%v", from, to)
		}
	}
	var build func(depth int) string
	build = func(depth int) string {
		if depth == 0 || random.IntN(3) == 0 {
			return leafText()
		}
		a, b := build(depth-1), build(depth-1)
		switch random.IntN(6) {
		case 0:
			return "(" + a + " or " + b + ")"
		case 1:
			return "(" + a + " and not " + b + ")"
		default:
			return "(" + a + " and " + b + ")"
		}
	}
	fixed := []string{
		"patient:1 and icd10:I21", "icd10:I21 and date:2019-03..2020-06", "icd10:I21 date:2019", "patient:2 icd10:I21.4 date:2018-01..2019-12",
		"kind:fhir and date:2019-03", "patient:1 and icd10:I21 and not alpha and home:HospitalB", "snomed:1003 and date:2018", "patient:p3 and snomed:1003",
		"snomed:1003 and date:2017-02..2018-11", "icd10:I21 and not (patient:1 or kind:ccda)",
	}
	answered := 0
	for i := range queries {
		text := build(1 + random.IntN(3))
		if i < len(fixed) {
			text = fixed[i]
		}
		q, err := ParseQuery(text)
		if err != nil {
			continue // only unbounded ones can fail
		}
		session := searcher.Session([]ScopeKey{testKey})
		hits, err := q.Evaluate(context.Background(), session)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var got, want []string
		for _, h := range hits {
			got = append(got, fmt.Sprintf("%x %s", h.Record, h.Home))
		}
		for _, r := range records {
			if plainMatch(q.root, r) {
				want = append(want, fmt.Sprintf("%x %s", recordID(r.id), r.home))
			}
		}
		if !slices.IsSortedFunc(hits, compareHits) {
			t.Errorf("%s: not newest first", text)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d hits, want %d", text, len(got), len(want))
		}
		if len(session.Problems()) > 0 {
			t.Errorf("%s: %v", text, session.Problems())
		}
		if len(want) > 0 {
			answered++
		}
	}
	if answered < queries*2/5 {
		t.Errorf("only %d queries had answers: the test is weak", answered)
	}
}
