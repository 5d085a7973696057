package e2e

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/client/clienttest/transcript"
	"github.com/chartseal/chartseal/network"
)

var update = flag.Bool("update", false, "write what the commands print into the pages of documentation")

// notRun lists the pages with shell commands that no test runs, with the reason.
var notRun = map[string]string{
	"README.md":                 "make demo runs before the page; make test runs this test",
	"docs/age.md":               "go install fetches age; the test has built it",
	"docs/bench-abe.md":         "a benchmark",
	"docs/benchmarks.md":        "benchmarks",
	"docs/benchmarks-search.md": "a benchmark",
	"docs/noon.md":              "a benchmark",
	"docs/SECURITY.md":          "it clones a public repository",
}

// Pages show these values in place of the machine's own.
const (
	shownClone   = "/home/ada/chartseal"
	shownAddress = "127.0.0.1:7060" // free for a server that a page starts
)

// TestWalkthroughs runs the commands of the README after "make demo", and those of each
// page in docs/ after "make up". It compares their output with the page. With -update it
// writes the output into the page.
func TestWalkthroughs(t *testing.T) {
	buildStoryPrograms(t)
	w := newWalk(t)
	pages, err := filepath.Glob(filepath.Join(w.clone, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("README.md", func(t *testing.T) { w.run(t, "README.md", "make demo") })
	for _, path := range pages {
		name := "docs/" + filepath.Base(path)
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := exec.LookPath("openssl"); err != nil && name == "docs/verify.md" {
				t.Skip("this page needs openssl")
			}
			if testing.Short() && (name == "docs/authority.md" || name == "docs/network.md") {
				t.Skip("this page makes a network of its own; make test-long runs it")
			}
			w.run(t, name, "make up")
		})
	}
}

// A walk holds the state that all pages share.
type walk struct {
	clone string
	env   []string
	names *strings.Replacer // replaces the machine's own names in output
	free  string            // address in place of shownAddress
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	clone := filepath.Dir(consortium.Programs())
	free, err := spare(announced(t, "HospitalA").URL)
	if err != nil {
		t.Fatal(err)
	}
	return &walk{
		clone: clone,
		env:   environment("XDG_CONFIG_HOME="+t.TempDir(), "PATH="+os.Getenv("PATH")+":"+agePrograms(t)),
		names: strings.NewReplacer(clone, shownClone, free, shownAddress),
		free:  free,
	}
}

// run runs the commands of one page, after the command that the page assumes.
func (w *walk) run(t *testing.T, name, first string) {
	path := filepath.Join(w.clone, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page, err := transcript.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, language := range []string{"sh", "bash", "shell"} {
		if at := page.Fences[language]; len(at) > 0 && notRun[name] == "" {
			t.Errorf("%s:%d: no test runs these commands: make it a block of console, or say in notRun why", name, at[0])
		}
	}
	if len(page.Steps) == 0 {
		return
	}
	w.tidyUp(t)
	shell, err := transcript.Start(w.clone, w.env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shell.Close() })
	w.do(t, shell, `make() { command make --no-print-directory -o build "$@"; }`) // layOut has already built the programs
	w.do(t, shell, first+" >&2")

	var names transcript.Names
	changes := make(map[int][]string)
	for i, step := range page.Steps {
		command := strings.ReplaceAll(names.Command(step.Command), shownAddress, w.free)
		output, status := w.do(t, shell, command)
		if status != 0 {
			t.Errorf("%s:%d: exit status %d; if it should be, say so: $ %s; echo \"exit $?\"\n%s", name, step.Line, status, step.Command, output)
		}
		output = w.names.Replace(output)
		if err := names.Match(step.Want, output); err != nil {
			changes[i] = names.Show(step.Want, output)
			if !*update {
				t.Errorf("%s:%d: $ %s\n%v\nall of it:\n%s", name, step.Line, step.Command, err, output)
			}
		}
	}
	if *update && len(changes) > 0 {
		if err := os.WriteFile(path, []byte(page.Replace(changes)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// do runs a command and then waits until all peers have its writes, like a person who
// types slowly.
func (w *walk) do(t *testing.T, shell *transcript.Shell, command string) (output string, status int) {
	t.Helper()
	begin := time.Now()
	stop := time.AfterFunc(5*time.Minute, func() { shell.Close() })
	defer stop.Stop()
	output, status, err := shell.Run(command)
	if err != nil {
		t.Fatalf("$ %s: %v\n%s", command, err, output)
	}
	t.Logf("%6.2f s  $ %s", time.Since(begin).Seconds(), command)
	for _, n := range w.networks(t) {
		if err := awaitLevel(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	return output, status
}

// networks returns the consortium and the networks that a page has made.
func (w *walk) networks(t *testing.T) []*network.Network {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(w.clone, "build", "*", "network.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*network.Network
	for _, file := range found {
		n, err := network.Open(filepath.Dir(file))
		if errors.Is(err, network.ErrNoNetwork) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// tidyUp removes the files and networks of a page at its end.
func (w *walk) tidyUp(t *testing.T) {
	t.Helper()
	before := w.files(t)
	t.Cleanup(func() {
		for _, file := range w.files(t) {
			if slices.Contains(before, file) {
				continue
			}
			if n, err := network.Open(file); err == nil {
				if err := n.Clean(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			}
			if err := os.RemoveAll(file); err != nil {
				t.Error(err)
			}
		}
	})
}

// files lists the files that a page may create in the clone.
func (w *walk) files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*", "build/*"} {
		found, err := filepath.Glob(filepath.Join(w.clone, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// agePrograms returns a directory with age and age-keygen.
func agePrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"age", "age-keygen"} {
		if err := os.Symlink(filepath.Join(consortium.Programs(), name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
