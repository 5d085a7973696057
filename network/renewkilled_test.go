package network

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestRenewalKilled kills a renewal at each of its steps. The next renewal, or up, leaves
// every server with its new certificate, and every orderer in the channel.
func TestRenewalKilled(t *testing.T) {
	renewalTime(t)
	ctx := t.Context()
	programs, topology := ownPrograms(t), testTopology(t)
	n, err := Up(ctx, topology, withoutServices(t, programs))
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
	for i, c := range []struct {
		after string // the step that has just ended
		delay time.Duration
	}{
		{"", 150 * time.Millisecond},
		{"", 600 * time.Millisecond},
		{"new certificates", 0},
		{"new certificates", 500 * time.Millisecond},
		{"restart of HospitalB", 100 * time.Millisecond},
		{"restart of Regulator", 300 * time.Millisecond},
		{"restart of Regulator", 2 * time.Second},
		{"identity of ", 0},
		{"identity of ", time.Second},
	} {
		t.Run(fmt.Sprintf("%v after %q", c.delay, c.after), func(t *testing.T) {
			began := time.Now()
			killAfter(t, exec.Command(filepath.Join(programs, "chartnet"), "--dir", n.dir, "--wait-timeout", testWait.String(), "renew"), c.after, c.delay)
			t.Logf("killed; unfinished: %v", n.unfinished())
			var err error
			if i%2 == 0 {
				err = n.RenewDue(ctx, testWriter{t})
			} else {
				_, err = Up(ctx, topology, withoutServices(t, programs))
			}
			if err != nil {
				t.Fatal(err)
			}
			wantHealthy(t, n)
			if due := renewable(n.Due(time.Now())); len(due) > 0 || n.unfinished() {
				t.Errorf("due are %v, unfinished: %v", due, n.unfinished())
			}
			for _, org := range n.organisations() {
				if info, err := n.ordererChannel(ctx, org); err != nil || info.ConsensusRelation != "consenter" {
					t.Errorf("%s/orderer: %+v, %v", org, info, err)
				}
			}
			t.Logf("good again after %.1f s", time.Since(began).Seconds())
		})
	}
	wantScopes(t, n, "HospitalA", "")
}
