package chartseal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestPages holds the pages of documentation to their form: README.md is short, each page
// in docs/ says for whom it is and stands in docs/README.md, and no link between files is
// broken. What the commands on them print is compared in client/internal/e2e.
func TestPages(t *testing.T) {
	if readme := read(t, "README.md"); len(readme) > 8000 {
		t.Errorf("README.md has %d bytes, at most 8000 are read: move what is for few into docs/", len(readme))
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	contents := read(t, "docs/README.md")
	for _, page := range pages {
		if !strings.Contains(read(t, page), "\n\n*For ") {
			t.Errorf("%s does not say for whom it is, as in *For operators at a hospital.*", page)
		}
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(contents, "("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
	for _, page := range append(pages, "README.md") {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
