package e2e

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/story"
)

// TestAuthorityStories runs the stories that put another server in the place of HospitalA's authority. They share that
// place, so no other test runs at the same time, and it is given back at the end.
func TestAuthorityStories(t *testing.T) {
	buildStoryPrograms(t)
	authority := connect(t, "authority@HospitalA")
	before := announced(t, "HospitalA")
	t.Cleanup(func() {
		if err := authority.Announce(context.WithoutCancel(t.Context()), before); err != nil {
			t.Errorf("give HospitalA its authority back: %v", err)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/authority",
		Cmds: story.Commands,
		Setup: func(env *testscript.Env) error {
			setupStory(env)
			env.Setenv("AUTHORITY", filepath.Join(filepath.Dir(consortium.Wallet()), "orgs", "HospitalA", "authority"))
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Setenv("ADDRESS", listener.Addr().String())
			return listener.Close()
		},
	})
}

// announced is what a hospital has announced of its authority.
func announced(t *testing.T, msp string) ledger.Announcement {
	t.Helper()
	all, err := connect(t, "authority@"+msp).Authorities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.MSP == msp {
			return ledger.Announcement{URL: a.URL, Custodian: a.Custodian}
		}
	}
	t.Fatalf("%s has announced no authority", msp)
	panic("unreachable")
}
