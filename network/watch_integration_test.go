package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testWatch injures a watched network of North, South and Regulator, and gives no command
// to heal it.
func testWatch(t *testing.T, n *Network, command func(...string) *exec.Cmd) {
	ctx := t.Context()
	signal := func(t *testing.T, p *process, s syscall.Signal) (pid int) {
		t.Helper()
		pid = n.pid(p)
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatalf("%s: %v", p.name(), err)
		}
		return pid
	}
	heals := func(t *testing.T) {
		t.Helper()
		began := time.Now()
		err := n.retry(ctx, "heal", func(ctx context.Context) error {
			if all := n.Status(ctx); !Healthy(all) {
				return errors.New(Table(all))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("healthy after %.1f s", time.Since(began).Seconds())
	}
	write := func(t *testing.T, scope string) {
		t.Helper()
		if err := n.createScope(ctx, "North", scope, "North", "South"); err != nil {
			t.Fatal(err)
		}
	}
	restarted := func(p *process) Restarts {
		if r := n.restarts()[p.name()]; r != nil {
			return *r
		}
		return Restarts{}
	}
	orderer := n.ordererProcess("South")

	t.Run("every server of a hospital is killed", func(t *testing.T) {
		old := map[string]int{}
		for _, p := range n.members("North") {
			old[p.name()] = signal(t, p, syscall.SIGKILL)
		}
		heals(t)
		for _, p := range n.members("North") {
			if r := restarted(p); n.pid(p) == old[p.name()] || r.Count == 0 || r.Reason != "it died" {
				t.Errorf("%s: process %d, was %d, restarts %+v", p.name(), n.pid(p), old[p.name()], r)
			}
		}
		write(t, "after-kills")
	})
	t.Run("an orderer is frozen while the others go on", func(t *testing.T) {
		old := signal(t, orderer, syscall.SIGSTOP)
		write(t, "during-frost")
		if s, err := n.StatusOf(ctx, "South/orderer"); err != nil || n.pid(orderer) == old && Healthy(s) {
			t.Errorf("a frozen orderer: %+v, %v", s, err)
		}
		heals(t)
		if r := restarted(orderer); n.pid(orderer) == old || !strings.Contains(r.Reason, "frozen") {
			t.Errorf("restarts %+v", r)
		}
	})
	t.Run("an orderer answers and gets no block", func(t *testing.T) {
		file := n.org("South", "orderer", "orderer.yaml")
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.isolateOrderer("South"); err != nil {
			t.Fatal(err)
		}
		unlock, err := lockNetwork(n.dir, n.probeTimeout()) // the watcher waits, so that the orderer misses a block
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		signal(t, orderer, syscall.SIGKILL)
		write(t, "without-south")
		unlock()
		await := func(what string, done func() bool) {
			t.Helper()
			err := n.retry(ctx, what, func(context.Context) error {
				if !done() {
					return errors.New(Table(n.Status(ctx)))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		await("an orderer that is behind counts as unhealthy", func() bool {
			s, err := n.StatusOf(ctx, "South/orderer")
			return err == nil && s[0].PID != 0 && !s[0].Healthy && strings.HasPrefix(s[0].Problem, "behind: ")
		})
		await("the metrics say that it is behind", func() bool {
			text, err := os.ReadFile(n.metricsFile())
			return err == nil && strings.Contains(string(text), `chartseal_process_healthy{organisation="South",process="orderer"} 0`) &&
				strings.Contains(string(text), `chartseal_blocks_behind{organisation="South",process="orderer"} `) &&
				!strings.Contains(string(text), `chartseal_blocks_behind{organisation="South",process="orderer"} 0`)
		})
		if err := writeFile(file, good); err != nil { // the next restart helps, as it does after a wedge
			t.Fatal(err)
		}
		heals(t)
		if r := restarted(orderer); !strings.HasPrefix(r.Reason, "behind: ") {
			t.Errorf("restarts %+v", r)
		}
	})
	t.Run("operators stop and start", func(t *testing.T) {
		run := func(words ...string) {
			t.Helper()
			if out, err := command(words...).CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", words, err, out)
			}
		}
		run("stop", "North/authority")
		run("stop", "South")
		down := append(n.members("South"), n.authorityProcess("North"))
		for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // the watcher asks in between
			for _, p := range down {
				if pid := n.pid(p); pid != 0 {
					t.Fatalf("%s runs again as process %d", p.name(), pid)
				}
			}
		}
		run("start", "South")
		run("start", "North/authority")
		heals(t)
	})
	t.Run("the watcher is killed", func(t *testing.T) {
		w := n.watchProcess()
		old := signal(t, w, syscall.SIGKILL)
		if err := n.retry(ctx, "the end of the watcher", func(context.Context) error {
			if n.pid(w) != 0 {
				return errors.New("it runs")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if all := n.Status(ctx); Healthy(all) {
			t.Errorf("without a watcher all is said to be well:\n%s", Table(all))
		}
		for range 2 { // the second one finds it at work
			if out, err := command("start", "South").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		now := n.pid(w)
		if now == 0 || now == old {
			t.Errorf("the watcher is process %d, was %d", now, old)
		}
		out, err := command("watch").CombinedOutput()
		if want := fmt.Sprintf("process %d", now); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("a second watcher: %v, want %q in\n%s", err, want, out)
		}
		heals(t)
	})
}

// isolateOrderer gives an orderer a certificate that the others refuse, from its next
// start. It serves and hears them, and can fetch no block.
func (n *Network) isolateOrderer(org string) error {
	settings := n.ordererSettings(org)
	overlay(settings, object{"General": object{"Cluster": object{
		"ClientCertificate": n.administration(org) + "/client-cert.pem", "ClientPrivateKey": n.administration(org) + "/client-key.pem",
	}}})
	return n.configureFrom("orderer.yaml", n.org(org, "orderer", "orderer.yaml"), settings)
}
