package network

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// testWait is ample on a machine that is half as fast and busy with other work.
const testWait = 15 * time.Minute

// built is a directory with Chartseal's programs, once [build] has returned.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "chartnet-programs-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// build builds the programs once for all tests.
var build = sync.OnceValue(func() error {
	return buildPrograms(context.Background(), built, []string{"ccbuilder", "chartnet", "chartseal", "chartseal-bench-chaincode", "chartseal-chaincode"})
})

// ownPrograms returns a directory of the test's own with Chartseal's programs.
func ownPrograms(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	programs, err := os.ReadDir(built)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, p := range programs {
		if err := os.Link(filepath.Join(built, p.Name()), filepath.Join(dir, p.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// long skips a test that is not worth its time in make test.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("make test-long runs it")
	}
}

// withoutServices are the options of most networks of tests.
func withoutServices(t *testing.T, programs string) Options {
	return Options{WithoutServices: true, WaitTimeout: testWait, Programs: programs, Progress: testWriter{t}}
}

func testTopology(t *testing.T) *Topology {
	t.Helper()
	d := Default()
	d.Directory, d.Ports = filepath.Join(t.TempDir(), "network"), FreePorts
	d.Watch = false // tests stop servers themselves
	return d
}

// cleanUp removes a network at the end of the test and makes sure that nothing of it
// runs.
func cleanUp(t *testing.T, n *Network) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("\n" + Table(n.Status(context.Background())))
		}
		if err := n.Clean(context.Background()); err != nil {
			t.Errorf("clean: %v", err)
		}
		if left := n.strays(); len(left) > 0 {
			t.Errorf("clean left %v", left)
		}
		if _, err := os.Stat(n.dir); !os.IsNotExist(err) {
			t.Errorf("clean left %s: %v", n.dir, err)
		}
	})
}

// invoke submits a transaction through an organisation's peer and orderer, and waits for
// its commit at the hospitals named.
func (n *Network) invoke(ctx context.Context, org string, endorsers []string, transient, function string, args ...string) error {
	call, err := json.Marshal(object{"function": function, "Args": args})
	if err != nil {
		return err
	}
	flags := n.ordererFlags(org)
	flags[1] = n.address(org, portOrderer)
	for i, f := range flags {
		if f == "--cafile" {
			flags[i+1] = n.tlsRoot(org)
		}
	}
	for _, e := range endorsers {
		flags = append(flags, "--peerAddresses", n.address(e, portPeer), "--tlsRootCertFiles", n.tlsRoot(e))
	}
	if transient != "" {
		flags = append(flags, "--transient", transient)
	}
	_, err = n.peerCommand(ctx, org, append([]string{"chaincode", "invoke", "-C", n.topology.Channel, "-n", n.topology.Chaincode,
		"-c", string(call), "--waitForEvent", "--waitForEventTimeout", n.waitTimeout().String()}, flags...)...)
	return err
}

// createScope is a transaction with private data: its wrapped key must reach a second
// hospital.
func (n *Network) createScope(ctx context.Context, org, name string, endorsers ...string) error {
	envelopes := ledger.PackList([][]byte{[]byte("age-encryption.org/v1\n-> a wrapped key")})
	transient, err := json.Marshal(map[string][]byte{ledger.TransientEnvelopes: envelopes})
	if err != nil {
		return err
	}
	return n.invoke(ctx, org, endorsers, string(transient), ledger.ScopeCreate, name)
}

// scopes asks an organisation's peer for the names of all scopes.
func (n *Network) scopes(ctx context.Context, org string) (string, error) {
	out, err := n.peerCommand(ctx, org, "chaincode", "query", "-C", n.topology.Channel, "-n", n.topology.Chaincode, "-c", `{"Args":["scope:List"]}`)
	if err != nil {
		return "", err
	}
	var all []struct{ Name string }
	if err := json.Unmarshal(out, &all); err != nil {
		return "", fmt.Errorf("scope:List at %s: %w: %s", org, err, out)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return strings.Join(names, " "), nil
}

func wantScopes(t *testing.T, n *Network, org, want string) {
	t.Helper()
	var got string
	err := n.retry(t.Context(), "scopes at "+org, func(ctx context.Context) (err error) {
		if got, err = n.scopes(ctx, org); err == nil && got != want {
			err = fmt.Errorf("%q, want %q", got, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func wantHealthy(t *testing.T, n *Network) {
	t.Helper()
	if all := n.Status(t.Context()); !Healthy(all) {
		t.Errorf("not healthy:\n%s", Table(all))
	}
}

func (n *Network) ipfs(ctx context.Context, org, call string, file []byte) ([]byte, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if file != nil {
		part, err := form.CreateFormFile("file", "file")
		if err != nil {
			return nil, err
		}
		part.Write(file)
	}
	form.Close()
	return n.ipfsCall(ctx, org, call, form.FormDataContentType(), &body)
}

// testWriter shows progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
