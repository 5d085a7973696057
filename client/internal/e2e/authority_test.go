package e2e

import (
	"context"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// TestAuthorityStories runs the stories that put another server in the place of
// HospitalA's authority. They share that place, so no other test runs at the same time,
// and it is given back at the end.
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
		Cmds: storyCommands(t),
		Setup: func(env *testscript.Env) error {
			setupStory(env)
			env.Setenv("AUTHORITY", filepath.Join(filepath.Dir(consortium.Wallet()), "orgs", "HospitalA", "authority"))
			address, err := spare(before.URL)
			env.Setenv("ADDRESS", address)
			return err
		},
	})
}

// spare is an address for another authority beside the one at a URL: ten ports on, in the
// block of ports that is the network's, where it has no server itself. A port that the
// kernel gives could go to an outgoing connection of the network before the authority
// listens.
func spare(authority string) (string, error) {
	u, err := url.Parse(authority)
	if err != nil {
		return "", err
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(u.Hostname(), strconv.Itoa(port+10)), nil
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
