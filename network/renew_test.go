package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRenewal: certificates are replaced while people seal. Then the network is down
// until every certificate has ended, those of the consenters in the channel's
// configuration included. Up brings it back, and people go on, also one whose wallet the
// network does not renew. It takes four minutes, so it is not a part of make test.
func TestRenewal(t *testing.T) {
	renewalTime(t)
	ctx := t.Context()
	topology := testTopology(t)
	n, err := Up(ctx, topology, Options{WaitTimeout: testWait, Programs: ownPrograms(t), Progress: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
	secretFile := filepath.Join(t.TempDir(), "secret")
	password, err := n.Register(ctx, "HospitalA", "ada", map[string]string{"role": "doctor"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	enrolAda := func(flags ...string) {
		t.Helper()
		if err := writeFile(secretFile, []byte(password)); err != nil {
			t.Fatal(err)
		}
		n.mustChartseal(t, "ada", "HospitalA", append([]string{"enroll", "ada@HospitalA"}, flags...)...)
	}
	enrolAda("--secret-file", secretFile)
	n.mustChartseal(t, "ada", "HospitalA", "keys", "request")
	sealed := []string{n.mustSeal(t, "ada", "HospitalA")}

	// With two minutes from now on, the new certificates soon end.
	topology.CertificateLifetime, n.topology.CertificateLifetime = 2*time.Minute, 2*time.Minute
	load := n.startLoad(t, "doctor", "HospitalA")
	if err := n.Renew(ctx, testWriter{t}); err != nil {
		t.Fatal(err)
	}
	renewed := time.Now()
	sealed = append(sealed, load()...)
	// Ada's wait for their end is no longer than that of the others.
	n.topology.CertificateLifetime = time.Minute
	if err := n.refreshCA(ctx, "HospitalA"); err != nil {
		t.Fatal(err)
	}
	if err := n.startAll(ctx, []*process{n.caProcess("HospitalA")}); err != nil {
		t.Fatal(err)
	}
	enrolAda("--renew")
	// Statements that stand are signed with certificates that end.
	n.mustChartseal(t, "authority", "HospitalB", append([]string{"authority", "rotate", "--attribute", "HospitalB:role=doctor"}, n.authorityFlags("HospitalB")...)...)
	n.mustChartseal(t, "custodian", "HospitalB", "scope", "create", "later", "--policy", "HospitalA:role=doctor or HospitalB:role=doctor")
	var last time.Time
	for _, c := range renewable(n.Certificates()) {
		if left := c.NotAfter.Sub(renewed); left > 3*time.Minute || left < -2*time.Minute {
			t.Errorf("%s, %s: not renewed, ends %v", c.Holder, c.Use, c.NotAfter)
		}
		last = maxTime(last, c.NotAfter)
	}
	if end, err := endOf(n.userDir("ada", "HospitalA") + "/cert.pem"); err != nil || end.Sub(renewed) > 3*time.Minute {
		t.Errorf("ada's certificate ends %v, %v", end, err)
	} else {
		last = maxTime(last, end)
	}
	for _, org := range n.organisations() {
		if info, err := n.ordererChannel(ctx, org); err != nil || info.ConsensusRelation != "consenter" {
			t.Errorf("%s/orderer: %+v, %v", org, info, err)
		}
	}

	interruptRenewal(t, n, "HospitalC")
	if err := n.Down(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("waiting %.0f s for the end of all certificates", time.Until(last).Seconds())
	time.Sleep(time.Until(last) + time.Second)
	if due := renewable(n.Due(time.Now())); len(due) != len(renewable(n.Certificates())) {
		t.Errorf("due are %v", due)
	}
	if _, err := n.Register(ctx, "HospitalA", "bea", nil, 2); err == nil || !strings.Contains(err.Error(), "run chartnet renew HospitalA") {
		t.Errorf("register with a registrar that has ended: %v", err)
	}

	topology.CertificateLifetime = Default().CertificateLifetime
	started := time.Now()
	n, err = Up(ctx, topology, Options{WaitTimeout: testWait, Programs: n.Programs(), Progress: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up after %.1f s", time.Since(started).Seconds())
	wantHealthy(t, n)
	if due := n.Due(time.Now()); len(due) > 0 {
		t.Errorf("still due: %v", due)
	}
	for _, p := range n.orderers() {
		if r, _ := n.record(p); hasVariable(r.pid, lenientOrderer) {
			t.Errorf("%s still accepts certificates that have ended", p.name())
		}
	}

	// The hint names two commands, which work.
	_, err = n.chartseal(ctx, "ada", "HospitalA", "search", "anything")
	if err == nil || !strings.Contains(err.Error(), "chartnet register ada@HospitalA --renew") ||
		!strings.Contains(err.Error(), "chartseal enroll ada@HospitalA --renew --secret-file") {
		t.Errorf("hint of a wallet that has ended: %v", err)
	}
	if password, err = n.Reissue(ctx, "HospitalA", "ada", 2); err != nil {
		t.Fatal(err)
	}
	enrolAda("--renew", "--secret-file", secretFile)
	n.mustChartseal(t, "doctor", "HospitalB", "keys", "request")
	sealed = append(sealed, n.mustSeal(t, "ada", "HospitalA"), n.mustSeal(t, "doctor", "HospitalB"))
	later := n.mustSeal(t, "doctor", "HospitalB", "--scope", "later")
	if found := n.mustChartseal(t, "ada", "HospitalA", "search", "renewal", "--scope", "later"); !strings.Contains(found, later) {
		t.Errorf("search found %q, want %s", found, later)
	}
	for i, record := range sealed {
		if i%8 != 0 && i < len(sealed)-2 {
			continue
		}
		for _, reader := range []string{"HospitalA", "HospitalB"} {
			out := filepath.Join(t.TempDir(), "out")
			if _, err := n.chartseal(ctx, "doctor", reader, "open", record, "-o", out); err != nil {
				t.Errorf("open %s: %v", record, err)
			} else if text, err := os.ReadFile(out); err != nil || string(text) != recordText {
				t.Errorf("record %s is %q, %v", record, text, err)
			}
		}
	}
	// Who is revoked stays so: a new secret gets no certificates.
	if err := n.Revoke(ctx, "HospitalA", "ada"); err != nil {
		t.Fatal(err)
	}
	if password, err = n.Reissue(ctx, "HospitalA", "ada", 2); err == nil {
		if err := writeFile(secretFile, []byte(password)); err != nil {
			t.Fatal(err)
		}
		_, err = n.chartseal(ctx, "ada", "HospitalA", "enroll", "ada@HospitalA", "--renew", "--secret-file", secretFile)
	}
	if err == nil {
		t.Error("a revoked person has new certificates")
	}
}

// interruptRenewal leaves a network as a killed renewal does: the configuration has the
// new identity of an orderer, and the orderer does not.
func interruptRenewal(t *testing.T, n *Network, org string) {
	t.Helper()
	ctx := t.Context()
	ca, registrar, err := n.asRegistrar(ctx, org)
	if err != nil {
		t.Fatal(err)
	}
	u := &bringUp{Network: n, say: talk(nil)}
	for _, id := range n.nodes(org) {
		if id.kind == "orderer" {
			err = u.renewIdentity(ctx, org, ca, registrar, id)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	next, err := readIdentity(n.nextIdentity(org), "")
	if err != nil {
		t.Fatal(err)
	}
	err = n.updateChannel(ctx, n.organisations(), func(config object) error {
		return setConsenter(config, org, next.Certificate, next.Certificate)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

const recordText = "a record that outlives certificates"

// seal seals a record for the doctors of two hospitals, and gives its id.
func (n *Network) seal(ctx context.Context, dir, user, org string, flags ...string) (string, error) {
	file := filepath.Join(dir, "record.txt")
	if err := os.WriteFile(file, []byte(recordText), 0o600); err != nil {
		return "", err
	}
	out, err := n.chartseal(ctx, user, org, append([]string{
		"seal", file, "--policy", "HospitalA:role=doctor or HospitalB:role=doctor", "--keyword", "renewal"}, flags...)...)
	if err != nil {
		return "", err
	}
	_, row, _ := strings.Cut(out, "\n")
	id, _, _ := strings.Cut(row, " ")
	if len(id) != 32 {
		return "", fmt.Errorf("seal printed %q", out)
	}
	return id, nil
}

func (n *Network) mustChartseal(t *testing.T, user, org string, args ...string) string {
	t.Helper()
	out, err := n.chartseal(t.Context(), user, org, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (n *Network) mustSeal(t *testing.T, user, org string, flags ...string) string {
	t.Helper()
	id, err := n.seal(t.Context(), t.TempDir(), user, org, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// startLoad has a user seal one record after the other, until the function is called that
// it returns, which gives the acknowledged ones. While the user's own peer restarts,
// sealing may fail.
func (n *Network) startLoad(t *testing.T, user, org string) (stop func() []string) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	var (
		load   sync.WaitGroup
		sealed []string
		failed []error
	)
	load.Go(func() {
		for ctx.Err() == nil {
			id, err := n.seal(ctx, dir, user, org)
			if err == nil {
				sealed = append(sealed, id)
			} else if !errors.Is(err, context.Canceled) {
				failed = append(failed, err)
			}
		}
	})
	return func() []string {
		t.Helper()
		cancel()
		load.Wait()
		t.Logf("under load: %d records sealed, %d attempts failed", len(sealed), len(failed))
		seen := map[string]bool{}
		for _, err := range failed {
			if !seen[err.Error()] {
				t.Log(err)
			}
			seen[err.Error()] = true
		}
		if len(sealed) < 3 {
			t.Errorf("nobody could seal: %v", failed)
		}
		return slices.Clone(sealed)
	}
}

// TestRenewalForLong runs for as long as CHARTSEAL_RENEWAL says: a network with
// certificates of ten minutes, which RenewDue replaces while a doctor seals.
func TestRenewalForLong(t *testing.T) {
	length := renewalTime(t)
	ctx := t.Context()
	topology := testTopology(t)
	topology.CertificateLifetime = 10 * time.Minute
	n, err := Up(ctx, topology, Options{WaitTimeout: testWait, Programs: ownPrograms(t), Progress: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, n)
	load := n.startLoad(t, "doctor", "HospitalA")
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(10 * time.Second) {
		if err := n.RenewDue(ctx, testWriter{t}); err != nil {
			t.Fatal(err)
		}
	}
	sealed := load()
	wantHealthy(t, n)
	for i, record := range sealed {
		if i%20 != 0 {
			continue
		}
		out := filepath.Join(t.TempDir(), "out")
		if _, err := n.chartseal(ctx, "doctor", "HospitalB", "open", record, "-o", out); err != nil {
			t.Errorf("open %s: %v", record, err)
		}
	}
}

// renewalTime returns the time that make test-long gives. Without it, the test is
// skipped.
func renewalTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("CHARTSEAL_RENEWAL")
	if text == "" {
		t.Skip("CHARTSEAL_RENEWAL is not set; make test-long sets it")
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return length
}
