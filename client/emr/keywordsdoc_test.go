package emr

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client/index"
)

// docTables returns the rows of the tables of docs/keywords.md by the heading above them.
// A row has the quoted texts of each cell.
func docTables(t *testing.T) map[string][][][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/keywords.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]*)`")
	tables := make(map[string][][][]string)
	heading := ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		}
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--") {
			continue
		}
		var row [][]string
		for _, cell := range strings.Split(strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "\x00"), "|") {
			var texts []string
			for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
				texts = append(texts, strings.NewReplacer("\x00", "|", `\r`, "\r").Replace(m[1]))
			}
			row = append(row, texts)
		}
		tables[heading] = append(tables[heading], row)
	}
	return tables
}

// Every row of the tables of formats has an example: it gives the terms of the row.
func TestWhatTheDocsSayOfFormats(t *testing.T) {
	for heading, rows := range docTables(t) {
		if slices.Contains([]string{"Statements", "Code systems", "Words"}, heading) {
			continue
		}
		examples := 0
		for _, row := range rows {
			if len(row) < 4 || len(row[1]) == 0 {
				continue // the head
			}
			examples++
			terms := termsOf(extractText(t, row[1][0]))
			for _, want := range row[2] {
				if !slices.Contains(terms, want) {
					t.Errorf("%s: %s: no %s in %q", heading, row[1][0], want, terms)
				}
			}
			for _, not := range row[3] {
				if slices.Contains(terms, not) {
					t.Errorf("%s: %s: %s is there", heading, row[1][0], not)
				}
			}
		}
		if examples < 3 {
			t.Errorf("%s: only %d examples", heading, examples)
		}
	}
}

func TestWhatTheDocsSayOfCodeSystems(t *testing.T) {
	named := make(map[string]bool)
	for _, row := range docTables(t)["Code systems"] {
		if len(row[0]) == 0 {
			continue
		}
		named[row[0][0]] = true
		for _, name := range row[2] {
			if got := index.Prefix(name); got != row[0][0] {
				t.Errorf("%s: %s, want %s", name, got, row[0][0])
			}
		}
	}
	for _, p := range index.CodePrefixes {
		if !named[p] {
			t.Errorf("no row for %s", p)
		}
	}
}

func TestWhatTheDocsSayOfWords(t *testing.T) {
	rows := docTables(t)["Words"]
	if len(rows) < 10 {
		t.Fatal("the table is gone")
	}
	for _, row := range rows[1:] {
		terms := index.Facts{Titles: row[0]}.Expand().Terms
		found := func(query string) bool {
			if !strings.HasPrefix(query, `"`) {
				query = `"` + query + `"`
			}
			return slices.ContainsFunc(index.MustParseQuery(query).Terms(), func(t index.Term) bool { return slices.Contains(terms, t) })
		}
		for _, q := range row[1] {
			if !found(q) {
				t.Errorf("%s is not found by %s: %q", row[0], q, terms)
			}
		}
		for _, q := range row[2] {
			if found(q) {
				t.Errorf("%s is found by %s", row[0], q)
			}
		}
	}
	for _, row := range docTables(t)["Statements"] {
		if len(row[0]) > 0 {
			c := strings.TrimSuffix(row[0][0], ":")
			if !slices.Contains(index.Contexts, index.Context(c)) {
				t.Errorf("no context %s", c)
			}
		}
	}
}
