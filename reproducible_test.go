package chartseal_test

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReproducibleBuild builds two programs in two directories with the Makefile, and
// compares the hashes. A plain build, which contains its directory, has to differ: else
// the comparison could not fail.
func TestReproducibleBuild(t *testing.T) {
	const builder, chaincode = "./network/cmd/ccbuilder", "./chaincode/cmd/chartseal-chaincode"
	dirs := []string{copySources(t), copySources(t)}
	build := func(dir string, command ...string) {
		t.Helper()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	same := func(program string) bool {
		t.Helper()
		var hashes [2][sha256.Size]byte
		for i, dir := range dirs {
			binary, err := os.ReadFile(filepath.Join(dir, "build", filepath.Base(program)))
			if err != nil {
				t.Fatal(err)
			}
			hashes[i] = sha256.Sum256(binary)
		}
		return hashes[0] == hashes[1]
	}
	for _, dir := range dirs {
		build(dir, "make", "build", "PROGRAMS="+builder+" "+chaincode)
	}
	for _, program := range []string{builder, chaincode} {
		if !same(program) {
			t.Errorf("make build of %s gives other bytes in another directory", program)
		}
	}
	if testing.Short() {
		t.Skip("make test-long also builds with plain go build, which gives other bytes")
	}
	for _, dir := range dirs {
		build(dir, "go", "build", "-o", "build/", builder)
	}
	if same(builder) {
		t.Error("a plain build gives the same bytes in another directory: this test finds nothing")
	}
}

// copySources copies the committed files that a build needs, and returns the directory.
func copySources(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := exec.Command("git", "ls-files", "-z", "--", "Makefile", "go.mod", "go.sum", "scripts", "abe", "chaincode", "client", "network").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
