package transcript

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	idA = "12117fae7fc5e2d70d304bd19f99a1d3"
	idB = "00000000000000000000000000000001"
	idC = "00000000000000000000000000000002"
)

func TestParse(t *testing.T) {
	p, err := Parse(strings.Join([]string{
		"# Title", "```sh", "$ not this", "```",
		"```console", "$ one \\", "    two", "out", "", "$ cat <<E", "> x", "> E", "```", "text",
		"```console", "$ three", "```",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Line: 6, Command: "one \\\n    two", Want: []string{"out", ""}, from: 7, to: 9},
		{Line: 10, Command: "cat <<E\nx\nE", from: 12, to: 12},
		{Line: 16, Command: "three", from: 16, to: 16},
	}
	if !reflect.DeepEqual(p.Steps, want) {
		t.Errorf("got %+v\nwant %+v", p.Steps, want)
	}
	if got := p.Fences; !reflect.DeepEqual(got, map[string][]int{"sh": {2}, "console": {5, 15}}) {
		t.Errorf("fences %v", got)
	}
	if got := p.Replace(map[int][]string{1: {"a", "b"}, 2: nil}); !strings.Contains(got, "> E\na\nb\n```\ntext") {
		t.Errorf("replaced:\n%s", got)
	}
	for _, bad := range []string{"```console\nout\n```", "```console\n$ x"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was parsed", bad)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		want, got string
		equal     bool
	}{
		{"", "", true},
		{"a", "a\n", true},
		{"a", "b\n", false},
		{"a", "a\nb\n", false},
		{"a\nb", "a\n", false},
		{"a...", "a: anything\n", true},
		{"a\n...\nz", "a\nb\nc\nz\n", true},
		{"a\n...\nz", "a\nz\n", true},
		{"a\n...\nz", "a\nb\n", false},
		{"a\n...", "a\n", true},
		{idA, idB, true},
		{idA + " " + idA, idB + " " + idB, true},
		{idA + " " + idA, idB + " " + idC, false},
		{idA + " " + idB, idC + " " + idC, false},
		{idA, idB[1:], false},
		{"at 2026-11-22T12:01:01Z", "at 2030-01-02T03:04:05Z", true},
		{"on 2025-03-02", "on 2025-03-03", false},
		{"in 9.804s", "in 12s", true},
		{"in 1m2s", "in 12s", true},
		{"in 12 ms", "in 1.5 s", true},
		{"12 stanzas", "13 stanzas", false},
		{"433      1.5 MiB  9.804s  44.2       1641.6", "433  1.5 MiB  12.8s  3.25  99.0", true},
		{"433  1.5 MiB", "433  1.6 MiB", false},
		{"433  1.5 MiB", "434  1.5 MiB", false},
		{"icd10:I21.4", "icd10:I21.5", false},
		{"https://127.0.0.1:17007", "https://127.0.0.1:40007", true},
		{"https://127.0.0.1:17007", "https://127.0.0.2:17007", false},
		{"one  two", "one     two", true},
		{"one two", "one  two", false},
	} {
		var n Names
		if err := n.Match(Lines(c.want), c.got); (err == nil) != c.equal {
			t.Errorf("Match(%q, %q): %v", c.want, c.got, err)
		}
	}
}

func TestNames(t *testing.T) {
	var n Names
	if err := n.Match([]string{"sealed " + idA}, "sealed "+idB+"\n"); err != nil {
		t.Fatal(err)
	}
	if got := n.Command("open " + idA + " " + idC); got != "open "+idB+" "+idC {
		t.Errorf("command %q", got)
	}
	if err := n.Match([]string{"opened " + idA}, "opened "+idC); err == nil {
		t.Error("an id stood for two records")
	}
	if got := n.Show([]string{idA, idB}, idB+" "+idC+"\n"); !slices.Equal(got, []string{idA + " " + idB}) {
		t.Errorf("shown %q", got)
	}
}

func TestShell(t *testing.T) {
	s, err := Start(t.TempDir(), []string{"PATH=/usr/bin:/bin"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command, want string
		status        int
	}{
		{"export X=1; cd /", "", 0},
		{"echo $X; pwd >&2", "1\n/\n", 0},
		{"printf no-newline", "no-newline", 0},
		{"cat", "", 0},
		{"cat <<E\nhere\nE", "here\n", 0},
		{"(exit 3)", "", 3},
		{"sleep 60 &", "", 0},
	} {
		if got, status, err := s.Run(c.command); err != nil || got != c.want || status != c.status {
			t.Errorf("%q: %q, %d, %v", c.command, got, status, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
