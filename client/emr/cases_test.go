package emr

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sharedCases = "../../../shared/cases"

// Small inputs after public bug reports of other programs have the terms that their table
// says.
func TestCases(t *testing.T) {
	table, err := os.Open(filepath.Join(sharedCases, "expect.tsv"))
	if err != nil {
		t.Skip("no cases here; the other tests of the package have their kinds")
	}
	defer table.Close()
	for lines := bufio.NewScanner(table); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		row := strings.Split(lines.Text(), "\t")
		t.Run(row[0], func(t *testing.T) {
			doc := extractFile(t, filepath.Join(sharedCases, row[0]))
			terms := termsOf(doc)
			for _, want := range strings.Fields(row[1]) {
				if want != "-" && !slices.Contains(terms, want) {
					t.Errorf("no %s in %q", want, terms)
				}
			}
			for _, not := range strings.Fields(row[2]) {
				if not != "-" && slices.Contains(terms, not) {
					t.Errorf("%s is there", not)
				}
			}
		})
	}
}

func extractFile(t *testing.T, path string) Document {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := Extract(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// termsOf returns the terms of a document, with & in composed ones.
func termsOf(d Document) []string {
	var terms []string
	for _, t := range d.Facts().Expand().Terms {
		terms = append(terms, strings.ReplaceAll(string(t), "\x1f", "&"))
	}
	return terms
}
