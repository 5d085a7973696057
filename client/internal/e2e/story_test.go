package e2e

import (
	"crypto/rand"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/client/internal/story"
)

// TestStories runs the stories of testdata/story: one file a story, on the real network.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/story",
		Cmds: story.Commands,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", consortium.Programs()+":"+env.Getenv("PATH"))
			env.Setenv("CHARTSEAL_WALLET", consortium.Wallet())
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("WORD", "story-"+rand.Text())
			return nil
		},
	})
}
