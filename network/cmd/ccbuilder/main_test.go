package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProtocol(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(name)
	}
	ours := write("ours/metadata.json", `{"type":"chartseal","label":"x"}`)
	theirs := write("theirs/metadata.json", `{"type":"golang","label":"x"}`)
	broken := write("broken/metadata.json", `{"type":`)
	connections := write("peer/connection.json", `{"address":"127.0.0.1:1"}`)
	output, release := filepath.Join(dir, "output"), filepath.Join(dir, "release")

	for _, c := range []struct {
		phase   string
		args    []string
		peerDir string
		wantErr string
	}{
		{"detect", []string{dir, ours}, "", ""},
		{"detect", []string{dir, theirs}, "", "golang"},
		{"detect", []string{dir, broken}, "", "unexpected end"},
		{"detect", []string{dir, dir}, "", "no such file"},
		{"build", []string{dir, ours, output}, "", "CHARTSEAL_CONNECTION"},
		{"build", []string{dir, ours, output}, ours, "no such file"},
		{"build", []string{dir, ours, output}, connections, ""},
		{"release", []string{output, release}, "", ""},
		{"release", []string{output}, "", "want 2"},
		{"run", []string{output, release}, "", "detect, build or release"},
	} {
		err := run(c.phase, c.args, c.peerDir)
		if c.wantErr == "" && err != nil {
			t.Errorf("%s %v: %v", c.phase, c.args, err)
		}
		if c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)) {
			t.Errorf("%s %v: error %v, want one with %q", c.phase, c.args, err, c.wantErr)
		}
	}

	released := filepath.Join(release, "chaincode", "server", "connection.json")
	data, err := os.ReadFile(released)
	if err != nil || string(data) != `{"address":"127.0.0.1:1"}` {
		t.Errorf("released %q, %v", data, err)
	}
	info, err := os.Stat(released)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("released with mode %v, %v: it holds a key", info.Mode(), err)
	}
}
