package network

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPatchedOrderer aborts a view of SmartBFT while its decision is delivered. The
// module as it is delivers nothing afterwards: the orderer is wedged. With our patch it
// goes on. The other tests in the same file are about other faults that we patch.
func TestPatchedOrderer(t *testing.T) {
	root, err := sourceRoot()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(root, "network", "servers", "fabric")
	ours, err := os.ReadFile(filepath.Join("testdata", "smartbft_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/hyperledger-labs/SmartBFT"
	copies, modfile, err := fabric.patched(t.Context(), source, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(copies) != 2 || copies[module] == "" || copies[fabric.module] == "" {
		t.Fatalf("patched are %v", copies)
	}
	bft := filepath.Join(copies[module], "internal", "bft")
	theirs, err := filepath.Glob(filepath.Join(bft, "*_test.go")) // their libraries are not in our go.sum
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range theirs {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(bft, "wedge_test.go"), ours, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() (output string, err error) {
		t.Helper()
		out, err := fabric.goCommand(t.Context(), source, "test", "-count=1", "-modfile", modfile, "-run", "TestAbortedWhileDelivering|TestRefusedRequest|TestRestartedOneBehind|TestLogWithoutAnchor",
			module+"/internal/bft").CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err != nil {
		t.Errorf("with our patch: %v\n%s", err, out)
	}

	long(t)
	original, err := fabric.moduleDir(t.Context(), source, module)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"internal/bft/controller.go", "internal/bft/view.go", "pkg/wal/writeaheadlog.go"} {
		text, err := os.ReadFile(filepath.Join(original, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copies[module], name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run()
	for _, want := range []string{"wedged", "proposed although", "at sequence 14, it synchronised 0 times", "unreadable log"} {
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("without our patch: %v, want %q in\n%s", err, want, out)
		}
	}
}

// TestPatchRefused: a patch is for one file. Another version of it stops the build.
func TestPatchRefused(t *testing.T) {
	const text = "one two two"
	if _, err := (patch{Module: "m", File: "f", SHA256: strings.Repeat("0", 64)}).apply([]byte(text)); err == nil || !strings.Contains(err.Error(), "is not the file") {
		t.Errorf("another file: %v", err)
	}
	sum := sha256.Sum256([]byte(text))
	for _, old := range []string{"two", "three"} {
		p := patch{Module: "m", File: "f", SHA256: hex.EncodeToString(sum[:])}
		p.Replace = append(p.Replace, struct {
			Old string `yaml:"old"`
			New string `yaml:"new"`
		}{old, "x"})
		if _, err := p.apply([]byte(text)); err == nil || !strings.Contains(err.Error(), "times") {
			t.Errorf("%q: %v", old, err)
		}
	}
	if all, err := readPatches(t.TempDir()); err != nil || all != nil {
		t.Errorf("without patches: %v, %v", all, err)
	}
}
