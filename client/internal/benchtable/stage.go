package benchtable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/internal/bench"
	"github.com/chartseal/chartseal/client/internal/bench/bare"
	"github.com/chartseal/chartseal/client/ipfs"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/wallet"
)

// The scope of the development network, and who may open what is sealed.
const (
	scope      = "consortium"
	policyText = "HospitalA:role=doctor or HospitalB:role=doctor"
)

// A stage is a network, and two doctors at its hospitals.
type stage struct {
	tidy []func() error
	a, b *person
}

// A person has connections through our client and bare ones.
type person struct {
	user       *wallet.User
	ledger     *fabric.Gateway
	blobs      *ipfs.Store
	identities []age.Identity
	bare       *bare.Fabric
	kubo       *bare.Kubo
	dir        string // for outboxes
	n          int
}

func (r *run) up(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(r.Dir), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(r.topology(), fmt.Appendf(nil, "directory: %q\nports: free\n", r.Dir), 0o644); err != nil {
		return err
	}
	r.tidy = append(r.tidy, func() error { return os.Remove(r.topology()) },
		func() error { return r.chartnet(context.Background(), "clean") })
	if err := r.chartnet(ctx, "clean"); err != nil { // what an interrupted run has left
		return err
	}
	start := time.Now()
	if err := r.chartnet(ctx, "up"); err != nil {
		return err
	}
	row := bench.Just("network up from nothing, servers and programs built", "s", time.Since(start).Seconds())
	row.Require(row.Ours <= 10, "at most 10 s")
	r.report.Add(row)
	return r.connect()
}

func (r *run) topology() string { return r.Dir + ".yaml" }

func (r *run) chartnet(ctx context.Context, command string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(r.Bin, "chartnet"), "--topology", r.topology(), "--bin", r.Bin, command)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("chartnet %s: %w\n%s", command, err, out)
	}
	return nil
}

// tearDown undoes, the newest first.
func (s *stage) tearDown() error {
	var errs []error
	for i := len(s.tidy) - 1; i >= 0; i-- {
		errs = append(errs, s.tidy[i]())
	}
	s.tidy = nil
	return errors.Join(errs...)
}

func (r *run) connect() error {
	w, err := wallet.Open(filepath.Join(r.Dir, "wallet"))
	if err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		to   **person
	}{{"doctor@HospitalA", &r.a}, {"doctor@HospitalB", &r.b}} {
		if *p.to, err = r.person(w, p.name); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (s *stage) person(w *wallet.Wallet, name string) (*person, error) {
	u, err := w.User(name)
	if err != nil {
		return nil, err
	}
	p := &person{user: u}
	if p.dir, err = os.MkdirTemp("", "chartseal-bench-"); err != nil {
		return nil, err
	}
	s.tidy = append(s.tidy, func() error { return os.RemoveAll(p.dir) })
	if p.ledger, err = fabric.Connect(u, fabric.Timeouts{}); err != nil {
		return nil, err
	}
	s.tidy = append(s.tidy, p.ledger.Close)
	if p.bare, err = bare.ConnectFabric(u); err != nil {
		return nil, err
	}
	s.tidy = append(s.tidy, p.bare.Close)
	if p.blobs, err = ipfs.New(ipfs.Options{API: u.Profile.IPFS.API, Token: u.Profile.IPFS.Token}); err != nil {
		return nil, err
	}
	if p.kubo, err = bare.ConnectKubo(u.Profile.IPFS.API, u.Profile.IPFS.Token); err != nil {
		return nil, err
	}
	stored, err := u.Keys(p.ledger.Actor())
	if err != nil {
		return nil, err
	}
	var own []*abe.UserKey
	for _, k := range stored {
		key, err := abe.ParseUserKey(k.Key)
		if err != nil {
			return nil, err
		}
		own = append(own, key)
	}
	attributes, err := abe.NewIdentity(own)
	if err != nil {
		return nil, err
	}
	p.identities = []age.Identity{attributes}
	return p, nil
}

// client makes a Client with caches of its own, as a program that has just started, and an outbox on disk.
func (p *person) client() (*client.Client, error) {
	p.n++
	box, err := outbox.Open(filepath.Join(p.dir, fmt.Sprint(p.n)))
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{Ledger: p.ledger, Blobs: p.blobs, Identities: p.identities, Outbox: box})
}

// note is a FHIR resource of about 4 KiB.
func note(n int) client.Source {
	text := fmt.Sprintf(`{"resourceType":"Observation","id":"%d","subject":{"reference":"Patient/%d"},"code":{"coding":[{"system":"http://loinc.org","code":"%d-4"}]},"issued":"2025-%02d-%02dT10:00:00Z","note":[{"text":"%s"}]}`,
		n, n%50, 1000+n%97, n%12+1, n%28+1, strings.Repeat("finding ", 475))
	return client.ReaderSource(fmt.Sprintf("observation-%d.json", n), strings.NewReader(text))
}
