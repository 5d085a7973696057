package chartseal_test

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A rule says what some packages may import. They may import the standard library, except
// for what deny lists, and of everything else only what allow lists.
//
// A pattern that ends in "/..." means the path and all below it. One that starts with
// "./" is relative to the module.
type rule struct {
	packages string   // pattern of our packages, relative to the module without "./"
	why      string   // why they import nothing beyond allow
	allow    []string // patterns of imports outside the standard library
	deny     []ban    // of direct imports, stronger than allow and the standard library
	never    []ban    // of all imports, including those of imported packages
}

// A ban is a list of patterns and the reason against them.
type ban struct {
	why      string
	patterns []string
}

// A pkg is what go list tells of a package, without its tests.
type pkg struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // all
	Standard   bool
}

// A graph is the module's packages and all that they import.
type graph struct {
	ours []pkg
	all  map[string]pkg // by path
}

// check gives a sentence for each import that the rules refuse, and for each fault of the
// rules.
func check(rules []rule, g graph) (problems []string) {
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	needed := make([]map[string]bool, len(rules)) // by rule: the allowed patterns in use
	for _, p := range g.ours {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.packages, name) })
		if i < 0 {
			report("no rule for %s: add one to imports_test.go", name)
			continue
		}
		r := rules[i]
		if needed[i] == nil {
			needed[i] = map[string]bool{}
		}
		for _, imp := range p.Imports {
			for _, a := range r.allow {
				needed[i][a] = needed[i][a] || matches(a, imp)
			}
			if b := banOf(r.deny, imp); b != nil {
				report("%s must not import %s: %s", name, short(imp), b.why)
			} else if !g.standard(imp) && !anyMatch(r.allow, imp) {
				report("%s must not import %s: %s", name, short(imp), r.why)
			}
		}
		for _, dep := range p.Deps {
			if b := banOf(r.never, dep); b != nil {
				report("%s must not reach %s%s: %s", name, short(dep), g.through(p, dep), b.why)
			}
		}
	}
	for i, r := range rules {
		if needed[i] == nil {
			report("rule for %s matches no package: remove it", r.packages)
			continue
		}
		for _, a := range r.allow {
			if !needed[i][a] {
				report("rule for %s allows %s, but no package needs it: remove it", r.packages, a)
			}
		}
		missing := r.why == ""
		for _, b := range slices.Concat(r.deny, r.never) {
			missing = missing || b.why == ""
		}
		if missing {
			report("rule for %s lacks a reason", r.packages)
		}
	}
	return problems
}

func (g graph) standard(path string) bool {
	return path == "C" || path == "unsafe" || g.all[path].Standard
}

// through names the direct import of p that leads to dep.
func (g graph) through(p pkg, dep string) string {
	for _, imp := range p.Imports {
		if slices.Contains(g.all[imp].Deps, dep) && !slices.Contains(p.Imports, dep) {
			return " (through " + short(imp) + ")"
		}
	}
	return ""
}

// load lists the module's packages and all that they import.
func load(t *testing.T) graph {
	t.Helper()
	// The go command caches a test's result until a file or directory changes that the
	// test itself has read.
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && (path == "build" || d.Name() == "testdata" || path != "." && d.Name()[0] == '.') {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps,Standard", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return newGraph(list)
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func newGraph(list []pkg) graph {
	g := graph{all: make(map[string]pkg, len(list))}
	for _, p := range list {
		g.all[p.ImportPath] = p
		if strings.HasPrefix(p.ImportPath, module+"/") {
			g.ours = append(g.ours, p)
		}
	}
	return g
}

func short(path string) string { return strings.TrimPrefix(path, module+"/") }

func banOf(bans []ban, path string) *ban {
	if i := slices.IndexFunc(bans, func(b ban) bool { return anyMatch(b.patterns, path) }); i >= 0 {
		return &bans[i]
	}
	return nil
}

func anyMatch(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

func matches(pattern, path string) bool {
	if rel, ok := strings.CutPrefix(pattern, "./"); ok {
		pattern = module + "/" + rel
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	return path == pattern
}

// TestCheck checks a small module that breaks every kind of rule once, and one that
// breaks none.
func TestCheck(t *testing.T) {
	list := func(lamp ...string) graph { // of packages; lamp has the imports of one
		all := []pkg{
			{ImportPath: "os", Standard: true},
			{ImportPath: "fmt", Standard: true, Imports: []string{"os"}, Deps: []string{"os"}},
			{ImportPath: "example.com/ledger"},
			{ImportPath: "example.com/sdk", Imports: []string{"example.com/ledger"}, Deps: []string{"example.com/ledger"}},
			{ImportPath: module + "/cellar", Imports: []string{"example.com/sdk"}, Deps: []string{"example.com/ledger", "example.com/sdk"}},
		}
		g := newGraph(all)
		p := pkg{ImportPath: module + "/lamp", Imports: lamp}
		for _, imp := range lamp {
			p.Deps = append(append(p.Deps, imp), g.all[imp].Deps...)
		}
		return newGraph(append(all, p))
	}
	cellar := rule{packages: "cellar", why: "it is dark", allow: []string{"example.com/sdk"}}
	lamp := rule{
		packages: "lamp/...", why: "a lamp needs oil only", allow: []string{"./cellar"},
		deny:  []ban{{"lamps have no files", []string{"os"}}},
		never: []ban{{"lamps keep no books", []string{"example.com/ledger"}}},
	}
	without := func(f func(*rule)) rule {
		r := lamp
		f(&r)
		return r
	}
	open := without(func(r *rule) { r.never = nil })
	for name, c := range map[string]struct {
		rules []rule
		graph graph
		want  []string
	}{
		"nothing": {[]rule{cellar, open}, list("fmt", module+"/cellar"), nil},
		"an import beyond the list": {[]rule{cellar, open}, list(module+"/cellar", "example.com/sdk"),
			[]string{"lamp must not import example.com/sdk: a lamp needs oil only"}},
		"a banned package of the standard library": {[]rule{cellar, open}, list(module+"/cellar", "os"),
			[]string{"lamp must not import os: lamps have no files"}},
		"a banned package that the list has": {[]rule{cellar, without(func(r *rule) {
			r.allow, r.deny, r.never = []string{"example.com/..."}, []ban{{"too heavy", []string{"example.com/sdk"}}}, nil
		})}, list("example.com/sdk"), []string{"lamp must not import example.com/sdk: too heavy"}},
		"a package reached through another": {[]rule{cellar, lamp}, list(module + "/cellar"),
			[]string{"lamp must not reach example.com/ledger (through cellar): lamps keep no books"}},
		"a package reached directly": {[]rule{cellar, without(func(r *rule) { r.allow = []string{"example.com/ledger"} })}, list("example.com/ledger"),
			[]string{"lamp must not reach example.com/ledger: lamps keep no books"}},
		"the first rule decides": {[]rule{cellar, {packages: "lamp", why: "a lamp needs nothing"}, open}, list("example.com/sdk"),
			[]string{"lamp must not import example.com/sdk: a lamp needs nothing", "rule for lamp/... matches no package: remove it"}},
		"a package without a rule": {[]rule{cellar}, list(),
			[]string{"no rule for lamp: add one to imports_test.go"}},
		"a rule without a package": {[]rule{cellar, open, {packages: "attic", why: "it is full"}}, list(module + "/cellar"),
			[]string{"rule for attic matches no package: remove it"}},
		"an allowance that nobody needs": {[]rule{cellar, open}, list("fmt"),
			[]string{"rule for lamp/... allows ./cellar, but no package needs it: remove it"}},
		"a rule without a reason": {[]rule{cellar, without(func(r *rule) { r.why, r.never = "", nil })}, list(module + "/cellar"),
			[]string{"rule for lamp/... lacks a reason"}},
		"a ban without a reason": {[]rule{cellar, without(func(r *rule) { r.deny, r.never = []ban{{"", []string{"net"}}}, nil })}, list(module + "/cellar"),
			[]string{"rule for lamp/... lacks a reason"}},
	} {
		if got := check(c.rules, c.graph); !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"abe/...", "abe", true},
		{"abe/...", "abe/policy", true},
		{"abe/...", "abex", false},
		{"./abe/...", module + "/abe/policy", true},
		{"./client", module + "/client/index", false},
		{"github.com/hyperledger/...", "github.com/hyperledger/fabric-gateway/pkg/client", true},
	} {
		if got := matches(c.pattern, c.path); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}
