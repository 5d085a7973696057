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

// TestAuthorityStories runs the stories that replace HospitalA's authority by another
// server. They share its address, so no other test runs at the same time. The authority
// is restored at the end.
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

// spare returns an address for a second authority. Its port is ten above that of the
// given URL: inside the network's block of ports, but not used by a server. A port from
// the kernel could be taken by an outgoing connection of the network before the authority
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

// announced returns a hospital's announcement of its authority.
func announced(t *testing.T, msp string) ledger.Announcement {
	t.Helper()
	all, err := connect(t, "authority@"+msp).Authorities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.MSP == msp {
			return ledger.Announcement{URL: a.URL, Custodian: a.Custodian, Signature: a.Signature}
		}
	}
	t.Fatalf("%s has announced no authority", msp)
	panic("unreachable")
}
