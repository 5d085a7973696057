package network

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// moduleFixture is a module that stands for an upstream: it has one program, and needs no
// download.
func moduleFixture(t *testing.T) (u upstream, source string) {
	t.Helper()
	t.Setenv("CHARTSEAL_CACHE", t.TempDir())
	root := t.TempDir()
	for name, text := range map[string]string{
		"server/go.mod":               "module example.test/server\n\ngo 1.24\n\nrequire example.test/up v1.2.3\n\nreplace example.test/up => ../up\n",
		"server/go.sum":               "",
		"server/tools.go":             "//go:build tools\n\npackage server\n\nimport _ \"example.test/up/cmd/greet\"\n",
		"up/go.mod":                   "module example.test/up\n\ngo 1.24\n",
		"up/cmd/greet/main.go":        "package main\n\nfunc main() { println(\"hello\") }\n",
		"up/sampleconfig/sample.yaml": "colour: blue\n",
		"broken/go.mod":               "module example.test/broken\n\ngo 1.24\n\nrequire example.test/up v1.2.3\n\nreplace example.test/up => ../up\n",
		"broken/go.sum":               "",
		"broken/tools.go":             "//go:build tools\n\npackage broken\n\nimport _ \"example.test/up/cmd/absent\"\n",
		"unrelated/go.mod":            "module example.test/unrelated\n\ngo 1.24\n",
		"unrelated/go.sum":            "",
		"unrelated/tools.go":          "package unrelated\n",
	} {
		if err := writeFile(filepath.Join(root, name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return upstream{name: "up", module: "example.test/up", samples: []string{"sampleconfig/sample.yaml"}}, filepath.Join(root, "server")
}

func TestBuildOnce(t *testing.T) {
	u, source := moduleFixture(t)
	var said strings.Builder
	dir, err := u.build(t.Context(), source, talk(&said))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"greet", "sample.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(filepath.Base(dir), "up-v1.2.3-go1.") {
		t.Errorf("directory %s does not tell versions", dir)
	}
	if !strings.Contains(said.String(), "building up v1.2.3") || !strings.Contains(said.String(), "built up in") {
		t.Errorf("said %q", said.String())
	}

	said.Reset()
	again, err := u.build(t.Context(), source, talk(&said))
	if err != nil || again != dir || said.Len() != 0 {
		t.Errorf("second build: %s, %v, said %q", again, err, said.String())
	}

	if err := os.WriteFile(filepath.Join(source, "go.sum"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, _, err := u.key(t.Context(), source); err != nil || other == filepath.Base(dir) {
		t.Errorf("changed go.sum: same key %s, %v", other, err)
	}
}

// TestReportsOneAtATime: progress goes to a writer that takes one line at a time, as a
// strings.Builder does. The race detector fails this test when two lines are written at
// once.
func TestReportsOneAtATime(t *testing.T) {
	u, source := moduleFixture(t)
	u.reports = time.Microsecond
	var said strings.Builder
	if _, err := u.build(t.Context(), source, talk(&said)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "built up in") {
		t.Errorf("the last line is %q", last)
	}
	if len(lines) < 3 || !strings.HasPrefix(lines[1], "building up: ") {
		t.Errorf("no report between the first line and the last: %q", lines)
	}
}

func TestBuildFailureLeavesNothing(t *testing.T) {
	u, source := moduleFixture(t)
	broken := filepath.Join(filepath.Dir(source), "broken")
	if _, err := u.build(t.Context(), broken, talk(nil)); err == nil || !strings.Contains(err.Error(), "cmd/absent") {
		t.Errorf("error %v does not name the program", err)
	}
	entries, err := os.ReadDir(filepath.Join(os.Getenv("CHARTSEAL_CACHE"), "servers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			t.Errorf("left %s", e.Name())
		}
	}
	if _, err := u.build(t.Context(), filepath.Join(filepath.Dir(source), "unrelated"), talk(nil)); err == nil {
		t.Error("a module without the upstream was built")
	}
}

func TestBuildsDoNotCollide(t *testing.T) {
	u, source := moduleFixture(t)
	lock := filepath.Join(os.Getenv("CHARTSEAL_CACHE"), "servers", u.name+".lock")
	if err := os.MkdirAll(filepath.Dir(lock), 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := lockFile(lock, false)
	if err != nil {
		t.Fatal(err)
	}
	waiting, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := u.build(context.Background(), source, func(format string, args ...any) {
			if strings.HasPrefix(format, "waiting") {
				close(waiting)
			}
		})
		done <- err
	}()
	select {
	case <-waiting:
	case err := <-done:
		t.Fatalf("did not wait for another's lock: %v", err)
	}
	select {
	case err := <-done:
		t.Fatalf("built under another's lock: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	held.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMissingTools(t *testing.T) {
	u, source := moduleFixture(t)
	t.Setenv("PATH", t.TempDir())
	if _, err := u.build(t.Context(), source, talk(nil)); err == nil ||
		!strings.Contains(err.Error(), "the tool go is missing") || !strings.Contains(err.Error(), "golang-go") {
		t.Errorf("without go: %v", err)
	}
	if err := needTool("gcc", "gcc libc6-dev"); err == nil || !strings.Contains(err.Error(), "Debian package gcc libc6-dev") {
		t.Errorf("without gcc: %v", err)
	}
}

func TestUpNeedsPrograms(t *testing.T) {
	n := &Network{dir: t.TempDir(), state: &state{}, topology: Default()}
	n.topology.ChaincodeProgram = "another-chaincode"
	programs := t.TempDir()
	for _, missing := range []string{"ccbuilder", "another-chaincode", "chartseal"} {
		err := n.adopt(t.Context(), Options{Programs: programs}, serverBinaries{})
		if err == nil || !strings.Contains(err.Error(), "program "+missing+" is not in") || !strings.Contains(err.Error(), "make build") {
			t.Errorf("without %s: %v", missing, err)
		}
		if err := os.WriteFile(filepath.Join(programs, missing), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	bad := Default()
	bad.Hospitals = nil
	if _, err := Up(t.Context(), bad, Options{}); err == nil || errors.Is(err, ErrNoNetwork) {
		t.Errorf("Up with a bad topology: %v", err)
	}
}
