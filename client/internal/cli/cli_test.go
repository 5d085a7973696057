package cli

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chartseal": func() { os.Exit(Main()) }})
}

// TestStories runs the stories that need no network: one file a story, under testdata/script.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: isolate, Cmds: commands})
}

// TestNetworkStories runs the stories of testdata/script/network against a running development network, whose wallet
// CHARTSEAL_TEST_WALLET names. The project's integration test starts a network and runs this.
func TestNetworkStories(t *testing.T) {
	wallet := os.Getenv("CHARTSEAL_TEST_WALLET")
	if wallet == "" {
		t.Skip("CHARTSEAL_TEST_WALLET names no wallet of a running network")
	}
	if _, err := os.Stat(wallet); err != nil {
		t.Fatalf("CHARTSEAL_TEST_WALLET: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script/network",
		Cmds: commands,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CHARTSEAL_WALLET", wallet)
			env.Setenv("WORD", "story"+strings.ToLower(rand.Text())) // a keyword that only this story uses
			return isolate(env)
		},
	})
}

// isolate keeps the settings of whoever runs the tests out of the stories.
func isolate(env *testscript.Env) error {
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_CONFIG_HOME", "")
	env.Setenv("ESC", "\x1b[2J") // what a hostile text would send to a terminal
	return nil
}

// commands are what the stories use beyond testscript's own.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":  exits,
	"field":  field,
	"person": person,
}

// field puts a value out of a JSON file into a variable: field FILE PATH VARIABLE. The path has keys and indices, joined by dots.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: field FILE PATH VARIABLE")
	}
	var value any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &value); err != nil {
		ts.Fatalf("field: %s: %v", args[0], err)
	}
	for _, step := range strings.Split(args[1], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				ts.Fatalf("field: no element %s of %s in %s", step, args[1], args[0])
			}
			value = v[i]
		default:
			value = nil
		}
	}
	if value == nil {
		ts.Fatalf("field: no %s in %s", args[1], args[0])
	}
	ts.Setenv(args[2], fmt.Sprint(value))
}

// exits runs a program and requires an exact exit code: exits CODE PROGRAM ARGUMENT...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT...")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("exits: %q is not an exit code", args[0])
	}
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("exits: %v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
