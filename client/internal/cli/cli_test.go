package cli

import (
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/client/clienttest/story"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chartseal": func() { os.Exit(Main()) }})
}

// TestStories runs the stories that need no network: one file a story, under
// testdata/script. Those on a network are in package e2e.
func TestStories(t *testing.T) {
	commands := maps.Clone(story.Commands)
	commands["person"] = person
	commands["secret"] = secret
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: isolate, Cmds: commands})
}

// isolate keeps the settings of whoever runs the tests out of the stories.
func isolate(env *testscript.Env) error {
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_CONFIG_HOME", "")
	env.Setenv("ESC", "\x1b[2J") // what a hostile text would send to a terminal
	return nil
}
