package index

import (
	"bufio"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"  Heart\t\n Failure ":    "heart failure",
		"ﬁbrillation":             "fibrillation", // ligature
		"GRÖSSE":                  "grösse",
		"Größe":                   "grösse",
		"o\u0308":                 "ö",  // composed
		"İ":                       "i̇", // dotted capital I folds to two characters
		"co\u00adop\u200beration": "cooperation",
		"a\x00b\x1fc":             "a b c",
		"Ｉ２１":                     "i21", // full width
		"\xff\xfe":                "",
		"":                        "",
	} {
		if got := normalise(in); got != want {
			t.Errorf("normalise(%q) = %q, want %q", in, got, want)
		}
	}
}

// A phrase is found as a whole up to a bound, and by each of its words however long it
// is.
func TestWordsOfLongText(t *testing.T) {
	long := strings.Repeat("lorem ", maxValue/4) + "Finally covid-19"
	if got, want := words(long), []string{"lorem", "finally", "covid-19", "covid", "19"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"Größe", "İI", "ſ", "a\u0345\u0301", "\u1e9e", strings.Repeat("ﷺ", 100), "\u0390\u0308"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := normalise(s)
		if again := normalise(n); again != n {
			t.Errorf("%q -> %q -> %q", s, n, again)
		}
		if len(n) > maxValue || strings.ContainsFunc(n, unicode.IsControl) {
			t.Errorf("%q -> %q", s, n)
		}
		for _, w := range words(s) {
			if w == "" || strings.Contains(w, " ") {
				t.Errorf("word %q of %q", w, s)
			}
		}
	})
}

func TestCodeTerms(t *testing.T) {
	for _, c := range []struct {
		system, code string
		want         string
	}{
		{"http://hl7.org/fhir/sid/icd-10-cm", "I21.4", "icd10:I21.4 icd10:I21 icd10:I20-I25 icd10:I00-I99"},
		{"2.16.840.1.113883.6.90", "i214", "icd10:I21.4 icd10:I21 icd10:I20-I25 icd10:I00-I99"},
		{"urn:oid:2.16.840.1.113883.6.3", "S72.001A", "icd10:S72.001A icd10:S72.001 icd10:S72.00 icd10:S72.0 icd10:S72 icd10:S00-T98 icd10:S70-S79 icd10:S00-T88"},
		{"I10", "C7A.00", "icd10:C7A.00 icd10:C7A.0 icd10:C7A icd10:C00-C96 icd10:C00-D49"},
		{"I10", "C79.1", "icd10:C79.1 icd10:C79 icd10:C00-D48 icd10:C00-C97 icd10:C76-C80 icd10:C00-C96 icd10:C00-D49"},
		{"http://snomed.info/sct", " 44054006 ", "snomed:44054006"},
		{"http://snomed.info/sct/731000124108", "44054006", "snomed:44054006"},
		{"http://loinc.org/", "8480-6", "loinc:8480-6"},
		{"LN", "8480-6", "loinc:8480-6"},
		{"https://www.nlm.nih.gov/research/umls/rxnorm", "313782", "rxnorm:313782"},
		{"2.16.840.1.113883.12.292", "8", "cvx:08"},
		{"http://example.org/Codes|1.0", "x1", "code:X1 code:http://example.org/codes|X1"},
		{"", "x1", "code:X1"},
		{"http://loinc.org", "  ", ""},
		{"icd10", "NOT A CODE", "icd10:NOT A CODE"},
	} {
		var got []string
		for _, term := range codeTerms(Code{c.system, c.code}) {
			got = append(got, string(term))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s: %s, want %s", c.system, c.code, strings.Join(got, " "), c.want)
		}
	}
}

// Every code of the release has the ancestors that the tabular list gives it.
func TestICD10AncestorsAgreeWithTheRelease(t *testing.T) {
	const dir = "../../../shared/data/icd10cm"
	tabular, err := os.ReadFile(filepath.Join(dir, "icd10cm_tabular_2021.xml"))
	if err != nil {
		t.Skip("the release is not here; TestCodeTerms checks samples")
	}
	var list struct {
		Chapters []struct {
			Desc     string `xml:"desc"`
			Sections []struct {
				ID    string `xml:"id,attr"`
				Diags []struct {
					Name string `xml:"name"`
				} `xml:"diag"`
			} `xml:"section"`
		} `xml:"chapter"`
	}
	if err := xml.Unmarshal(tabular, &list); err != nil {
		t.Fatal(err)
	}
	block, chapter := make(map[string]string), make(map[string]string)
	for _, ch := range list.Chapters {
		span := strings.TrimSuffix(ch.Desc[strings.LastIndex(ch.Desc, "(")+1:], ")")
		for _, s := range ch.Sections {
			for _, d := range s.Diags {
				block[d.Name], chapter[d.Name] = s.ID, span
			}
		}
	}
	file, err := os.Open(filepath.Join(dir, "icd10cm-order-Jan-2021.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	codes := 0
	for lines := bufio.NewScanner(file); lines.Scan(); codes++ {
		code := strings.Fields(lines.Text())[1]
		category := code[:3]
		ancestors := icd10Ancestors(normaliseICD10(code))
		if b := block[category]; b != category && !slices.Contains(ancestors, b) {
			t.Fatalf("%s: %v lacks block %s", code, ancestors, b)
		}
		if ancestors[len(ancestors)-1] != chapter[category] {
			t.Fatalf("%s: %v lacks chapter %s", code, ancestors, chapter[category])
		}
		if len(code) > 3 && !slices.Contains(ancestors, category) {
			t.Fatalf("%s: %v lacks category %s", code, ancestors, category)
		}
	}
	if codes < 90_000 {
		t.Errorf("only %d codes", codes)
	}
}

func TestUnknownICD10Categories(t *testing.T) {
	for code, want := range map[string]string{"A12.3": "A12 A00-B99", "B00": "B00-B09 A00-B99", "ZZZ": ""} {
		if got := strings.Join(icd10Ancestors(code), " "); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	f := Facts{
		Kind:     "fhir:Condition",
		Patients: []Identifier{{"", "P-1"}},
		Codes:    []Code{{"http://snomed.info/sct", "44054006"}},
		Dates:    []Date{{2019, 3, 14}},
		Titles:   []string{"Discharge Summary"},
	}
	e := f.Expand()
	var got []string
	for _, term := range e.Terms {
		got = append(got, strings.ReplaceAll(string(term), join, "&"))
	}
	slices.Sort(got)
	want := []string{
		"date:2019", "date:2019-03", "date:2019-03-14", "date:201x", "date:20xx", "kind:fhir", "kind:fhir:condition",
		"month:snomed:44054006&2019-03", "pair:patient:p-1&snomed:44054006", "patient:p-1", "snomed:44054006",
		"word:discharge", "word:discharge summary", "word:summary",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if e.Facts != 5 || e.Pairs != 2 || e.Dropped != 0 || e.Amplification() != 2.8 {
		t.Errorf("%+v, amplification %v", e, e.Amplification())
	}
	if first, last := f.Days(); first.String() != "2019-03-14" || last != first {
		t.Errorf("days %v to %v", first, last)
	}
}

// Composed terms are all there or replaced by stars, and the rest is bounded.
func TestExpansionIsBounded(t *testing.T) {
	f := Facts{Patients: []Identifier{{"s", "1"}}}
	for i := range 20_000 {
		f.Codes = append(f.Codes, Code{"http://snomed.info/sct", strconv.Itoa(i)})
		f.Dates = append(f.Dates, Date{1900 + i%200, 1 + i%12, 1 + i%28})
	}
	e := f.Expand()
	if e.Dropped == 0 || len(e.Terms) > 2*MaxTerms+100 {
		t.Errorf("%d terms, %d dropped", len(e.Terms), e.Dropped)
	}
	stars := 0
	for _, term := range e.Terms {
		if strings.HasPrefix(string(term), "pair:") || strings.HasPrefix(string(term), "month:") {
			if !strings.HasSuffix(string(term), join+overflow) {
				t.Fatalf("%q beside stars", term)
			}
			stars++
		}
	}
	if stars != e.Pairs || stars == 0 {
		t.Errorf("%d stars, %d pairs", stars, e.Pairs)
	}
}

func TestAddKeyword(t *testing.T) {
	var f Facts
	for _, k := range []string{"heart failure", "ICD10:i214", "snomed:1", "code:http://x|Y", "date:2019-03-14", "date:soon", "patient:urn:oid:1.2|7", "note: see below"} {
		f.AddKeyword(k)
	}
	terms := f.Expand().Terms
	for _, want := range []Term{"word:heart failure", "word:heart", "icd10:I21.4", "icd10:I20-I25", "snomed:1", "code:http://x|Y", "date:2019-03-14",
		"word:date:soon", "patient:1.2|7", "patient:7", "word:note", "word:below"} {
		if !slices.Contains(terms, want) {
			t.Errorf("no %s in %q", want, terms)
		}
	}
}

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"2019": "2019", "2019-03": "2019-03", "2019-03-14": "2019-03-14", "2019-03-14T23:59:59-08:00": "2019-03-14", "201903": "2019-03",
		"20190314": "2019-03-14", "20190314103000.123+0100": "2019-03-14", "20240229": "2024-02-29",
		"20190230": "", "2019-13": "", "2019-00": "", "0001-01-01": "", "9999-12-31": "", "": "", "19": "", "2019-3-4": "", "2019-03-14x": "",
		"2019-0314": "", "1234567": "", "soon": "", "2019-": "", "2019-03-": "",
	} {
		d, ok := ParseDate(in)
		if got := d.String(); ok != (want != "") || ok && got != want {
			t.Errorf("ParseDate(%q) = %s, %v; want %q", in, got, ok, want)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	f.Add("2019-03-14T10:00:00Z")
	f.Add("20190314")
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := ParseDate(s); ok {
			if d.First() > d.Last() || d.First().Time().Year() != d.Year || d.Last().Time().Year() != d.Year {
				t.Errorf("%q: %v is %v to %v", s, d, d.First(), d.Last())
			}
			if again, ok := ParseDate(d.String()); !ok || again != d {
				t.Errorf("%q: %v does not parse", s, d)
			}
		}
	})
}
