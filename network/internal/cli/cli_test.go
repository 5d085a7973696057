package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/network"
	"github.com/chartseal/chartseal/network/fabricca"
)

func newApp(env map[string]string) (a *app, stdout, stderr *strings.Builder) {
	stdout, stderr = new(strings.Builder), new(strings.Builder)
	return &app{stdout: stdout, stderr: stderr, getenv: func(name string) string { return env[name] }, exe: "/opt/chartseal/chartnet"}, stdout, stderr
}

func run(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	a, out, talk := newApp(env)
	code = a.main(t.Context(), args)
	return code, out.String(), talk.String()
}

func TestMistakes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct{ args, want, hint string }{
		{"fly", `unknown command "fly"`, "chartnet --help"},
		{"statsu", `unknown command "statsu", did you mean "status"?`, "chartnet --help"},
		{"--colour up", "colour", "--help"},
		{"up now", `chartnet up takes no arguments, got "now"`, "chartnet up --help"},
		{"status --yaml", "unknown flag: --yaml", "chartnet status --help"},
		{"stop", "chartnet stop needs one name", "chartnet stop --help"},
		{"start A B", `takes only one name, got "B"`, "chartnet start --help"},
		{"doctor", "needs one organisation", "chartnet doctor --help"},
		{"rebuild", "needs one name", "chartnet rebuild --help"},
		{"register", "needs one NAME@ORG", "chartnet register --help"},
		{"register doctor", `"doctor" is not NAME@ORG`, "chartnet register --help"},
		{"register doctor@A role", `"role" is not ATTRIBUTE=VALUE`, "chartnet register --help"},
		{"revoke doctor@", `"doctor@" is not NAME@ORG`, "chartnet revoke --help"},
		{"certificate A", "needs an organisation and at least one host", "chartnet certificate --help"},
		{"logs a b", "takes only one name", "chartnet logs --help"},
	} {
		code, stdout, stderr := run(t, nil, append([]string{"--dir", dir}, strings.Fields(c.args)...)...)
		if code != exitUsage || stdout != "" {
			t.Errorf("%q: exit %d, stdout %q", c.args, code, stdout)
		}
		lines := strings.Split(stderr, "\n")
		if !strings.HasPrefix(lines[0], "chartnet: error: ") || !strings.Contains(lines[0], c.want) ||
			!strings.HasPrefix(lines[1], "chartnet: hint: ") || !strings.Contains(lines[1], c.hint) {
			t.Errorf("%q says\n%s\nwant an error with %q and a hint with %q", c.args, stderr, c.want, c.hint)
		}
	}
}

func TestWithoutNetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	env := map[string]string{"CHARTSEAL_NETWORK_DIR": dir}
	for _, command := range []string{"status", "watch", "logs", "stop HospitalA", "start HospitalA", "doctor HospitalA", "rebuild HospitalA", "register a@HospitalA", "revoke a@HospitalA", "certificate HospitalA localhost"} {
		code, _, stderr := run(t, env, strings.Fields(command)...)
		if code != exitNotFound || !strings.Contains(stderr, dir) || !strings.Contains(stderr, "make up") || !strings.Contains(stderr, "--dir") {
			t.Errorf("%s: exit %d\n%s", command, code, stderr)
		}
	}
	for _, command := range []string{"down", "clean"} {
		if code, _, stderr := run(t, env, command); code != exitDone {
			t.Errorf("%s: exit %d\n%s", command, code, stderr)
		}
	}
	code, stdout, stderr := run(t, env, "status", "--json")
	var report struct{ Error errorReport }
	if err := json.Unmarshal([]byte(stderr), &report); err != nil || code != exitNotFound || report.Error.Exit != code || report.Error.Code != "not-found" || stdout != "" {
		t.Errorf("--json: exit %d, %v, stdout %q, stderr %s", code, err, stdout, stderr)
	}
}

func TestCleanRefusesForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	thesis := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(thesis, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, nil, "--dir", dir, "clean"); code == exitDone || !strings.Contains(stderr, "did not make it") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	if _, err := os.Stat(thesis); err != nil {
		t.Error(err)
	}
}

func TestTopology(t *testing.T) {
	code, text, stderr := run(t, nil, "topology")
	if code != exitDone {
		t.Fatal(stderr)
	}
	file := filepath.Join(t.TempDir(), "t.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := network.Load(file); err != nil {
		t.Errorf("the printed topology does not load: %v", err)
	}
	absent := filepath.Join(t.TempDir(), "absent")
	if code, _, stderr := run(t, nil, "--topology", absent, "status"); code != exitNotFound || !strings.Contains(stderr, absent) {
		t.Errorf("absent topology: exit %d\n%s", code, stderr)
	}
	if err := os.WriteFile(file, []byte("hospitals: []\nregulators: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr = run(t, nil, "--topology", file, "up")
	want := "chartnet: error: topology " + file + ": hospitals: 0 given, want 2 to 16\n  regulators: 0 given, want 1 to 4\nchartnet: hint: "
	if code != exitUsage || !strings.HasPrefix(stderr, want) {
		t.Errorf("bad topology: exit %d\n%s\nwant\n%s", code, stderr, want)
	}
}

// TestHelp: every command explains itself, on stdout and without a network.
func TestHelp(t *testing.T) {
	a, _, _ := newApp(nil)
	for _, c := range a.rootCommand().Commands() {
		code, stdout, stderr := run(t, nil, c.Name(), "--help")
		if code != exitDone || !strings.Contains(stdout, "chartnet "+c.Use) || stderr != "" {
			t.Errorf("%s --help: exit %d\n%s%s", c.Name(), code, stdout, stderr)
		}
	}
	code, help, _ := run(t, nil, "--help")
	for _, want := range []string{"--topology file", "register", "CHARTSEAL_NETWORK_DIR", "wallet/tls/ORG.pem", "ports: free"} {
		if code != exitDone || !strings.Contains(help, want) {
			t.Errorf("help does not say %q", want)
		}
	}
	if code, bare, _ := run(t, nil); code != exitDone || bare != help {
		t.Errorf("without a command: exit %d\n%s", code, bare)
	}
}

// TestRegisterOutput: the file is there, whole and private, only if the CA took the
// person; and the CA is not asked if the file could not be written.
func TestRegisterOutput(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "deeper", "secret")
	asked := 0
	taken := func() (string, error) { asked++; return "s3cret", nil }
	refused := func() (string, error) { asked++; return "", fabricca.ErrUnavailable }

	a, stdout, _ := newApp(nil)
	if err := a.register("ada@A", file, false, refused); !errors.Is(err, fabricca.ErrUnavailable) {
		t.Errorf("refused: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) > 0 {
		t.Errorf("a refused registration left %v, %v", entries, err)
	}
	if err := a.register("ada@A", file, false, taken); err != nil || stdout.Len() > 0 {
		t.Errorf("error %v, stdout %q", err, stdout)
	}
	data, err := os.ReadFile(file)
	info, _ := os.Stat(file)
	if err != nil || string(data) != "s3cret\n" || info.Mode() != 0o600 {
		t.Errorf("file %q, %v, %v", data, info.Mode(), err)
	}
	asked = 0
	if err := a.register("bea@A", file, false, taken); !errors.Is(err, os.ErrExist) || asked > 0 {
		t.Errorf("over an existing file: %v; the CA was asked %d times", err, asked)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
	if err := a.register("ada@A", "", false, taken); err != nil || stdout.String() != "s3cret\n" {
		t.Errorf("without a file: %v, stdout %q", err, stdout)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("else"), exitOther},
		{errInterrupted, exitOther},
		{fmt.Errorf("register: %w", fabricca.ErrExists), exitOther},
		{usagef("bad"), exitUsage},
		{network.ErrInvalid, exitUsage},
		{network.ErrNoNetwork, exitNotFound},
		{network.ErrNotFound, exitNotFound},
		{fabricca.ErrNotFound, exitNotFound},
		{fabricca.ErrDenied, exitDenied},
		{fabricca.ErrMismatch, exitTampered},
		{fabricca.ErrUnavailable, exitUnavailable},
		{network.ErrUnavailable, exitUnavailable},
		{errUnhealthy, exitUnavailable},
		{errFaulty, exitUnavailable},
		{hintedError{network.ErrUnavailable, "hint"}, exitUnavailable},
	} {
		if got := classify(c.err).exit; got != c.want {
			t.Errorf("%v: exit %d, want %d", c.err, got, c.want)
		}
	}
}
