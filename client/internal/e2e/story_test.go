package e2e

import (
	"crypto/rand"
	"maps"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/client/clienttest/story"
)

// TestStories runs the stories in testdata/story on the real network, one file a story.
func TestStories(t *testing.T) {
	buildStoryPrograms(t)
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/story",
		Cmds: storyCommands(t),
		Setup: func(env *testscript.Env) error {
			setupStory(env)
			return nil
		},
	})
}

// storyCommands returns the commands of every story, and the command level.
func storyCommands(t *testing.T) map[string]func(*testscript.TestScript, bool, []string) {
	commands := maps.Clone(story.Commands)
	commands["level"] = func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(awaitLevel(t.Context(), consortium)) }
	return commands
}

// buildStoryPrograms builds the programs that stories use beside chartseal.
func buildStoryPrograms(t *testing.T) {
	t.Helper()
	build := exec.Command("go", "build", "-o", consortium.Programs()+"/", "filippo.io/age/cmd/age", "filippo.io/age/cmd/age-keygen",
		"github.com/chartseal/chartseal/client/cmd/age-plugin-chartseal")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build age and its plugin: %v\n%s", err, out)
	}
}

func setupStory(env *testscript.Env) {
	env.Setenv("PATH", consortium.Programs()+":"+env.Getenv("PATH"))
	env.Setenv("CHARTSEAL_WALLET", consortium.Wallet())
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("CHARTSEAL_BACKGROUND", "no") // a story ends with its last command
	env.Setenv("WORD", "story"+strings.ToLower(rand.Text()))
}
