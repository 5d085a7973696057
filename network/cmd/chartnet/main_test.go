package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/network"
)

func runCommand(t *testing.T, env map[string]string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, talk strings.Builder
	err = run(t.Context(), args, func(name string) string { return env[name] }, &out, &talk)
	return out.String(), talk.String(), err
}

func TestMistakes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct{ args, want string }{
		{"", "no command"},
		{"fly", `unknown command "fly"`},
		{"--colour up", "colour"},
		{"up now", "1 arguments, want 0 to 0"},
		{"status --yaml", "unknown flag --yaml"},
		{"stop", "0 arguments, want 1 to 1"},
		{"start A B", "2 arguments"},
		{"register", "0 arguments"},
		{"register doctor", "not NAME@ORGANISATION"},
		{"register doctor@A role", "not ATTRIBUTE=VALUE"},
		{"logs a b", "2 arguments"},
	} {
		_, _, err := runCommand(t, nil, append([]string{"--dir", dir}, strings.Fields(c.args)...)...)
		var mistake usageError
		if !errors.As(err, &mistake) || !strings.Contains(err.Error(), c.want) || hint(err) == "" {
			t.Errorf("%q: error %v, want a usage error with %q", c.args, err, c.want)
		}
	}
}

func TestWithoutNetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	env := map[string]string{"CHARTSEAL_NETWORK_DIR": dir}
	for _, command := range []string{"status", "logs", "stop HospitalA", "start HospitalA", "register a@HospitalA"} {
		_, _, err := runCommand(t, env, strings.Fields(command)...)
		if !errors.Is(err, network.ErrNoNetwork) || !strings.Contains(err.Error(), dir) || !strings.Contains(hint(err), "make up") {
			t.Errorf("%s: %v", command, err)
		}
	}
	for _, command := range []string{"down", "clean"} {
		if _, _, err := runCommand(t, env, command); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
}

func TestCleanRefusesForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	thesis := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(thesis, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runCommand(t, nil, "--dir", dir, "clean"); err == nil || !strings.Contains(err.Error(), "did not make it") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(thesis); err != nil {
		t.Error(err)
	}
}

func TestTopologyIsTheDefault(t *testing.T) {
	text, _, err := runCommand(t, nil, "topology")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "t.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := network.Load(file); err != nil {
		t.Errorf("the printed topology does not load: %v", err)
	}
	_, _, err = runCommand(t, nil, "--topology", filepath.Join(t.TempDir(), "absent"), "status")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent topology: %v", err)
	}
	help, _, err := runCommand(t, nil, "--help")
	if err != nil || !strings.Contains(help, "-topology FILE") || !strings.Contains(help, "register NAME@ORGANISATION") {
		t.Errorf("help: %v\n%s", err, help)
	}
}
