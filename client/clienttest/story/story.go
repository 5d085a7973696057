// Package story adds commands to testscript for the stories of the command line.
package story

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// Commands are the values for testscript.Params.Cmds.
var Commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits": exits,
	"field": field,
}

// field copies a value of a JSON file into a variable: field FILE PATH VARIABLE. The path
// joins keys and indices by dots.
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

// exits runs a program and checks its exit code: exits CODE PROGRAM ARGUMENT...
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
