package benchsearch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/internal/bench/bare"
	"github.com/chartseal/chartseal/client/ipfs"
	"github.com/chartseal/chartseal/client/wallet"
)

// The scope of all that is measured, and who may search and open.
const (
	scope  = "bench"
	policy = "HospitalA:role=doctor or HospitalB:role=doctor or HospitalC:role=nurse"
)

// hospitals is the network, and a person at each of its hospitals.
type hospitals struct {
	o      Options
	people []*person
}

// A person has a connection through our client and a bare one.
type person struct {
	user       *wallet.User
	ledger     *fabric.Gateway
	blobs      *ipfs.Store
	identities []age.Identity
	bare       *bare.Fabric
}

func setUp(ctx context.Context, o Options) (*hospitals, error) {
	h := &hospitals{o: o}
	topology := o.Dir + ".yaml"
	if err := os.MkdirAll(filepath.Dir(topology), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(topology, fmt.Appendf(nil, "directory: %q\nports: free\n", o.Dir), 0o644); err != nil {
		return nil, err
	}
	if err := h.chartnet(ctx, "up"); err != nil {
		return nil, err
	}
	err := h.connect()
	if err == nil {
		err = h.createScope(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, h.tearDown())
	}
	return h, nil
}

func (h *hospitals) chartnet(ctx context.Context, command string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(h.o.Bin, "chartnet"), "--topology", h.o.Dir+".yaml", "--bin", h.o.Bin, command)
	cmd.Stdout, cmd.Stderr = h.o.Out, h.o.Out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("chartnet %s: %w", command, err)
	}
	return nil
}

func (h *hospitals) tearDown() error {
	for _, p := range h.people {
		p.ledger.Close()
		p.bare.Close()
	}
	if h.o.Keep {
		return nil
	}
	return errors.Join(h.chartnet(context.Background(), "clean"), os.Remove(h.o.Dir+".yaml"))
}

func (h *hospitals) walletDir() string { return filepath.Join(h.o.Dir, "wallet") }

func (h *hospitals) connect() error {
	w, err := wallet.Open(h.walletDir())
	if err != nil {
		return err
	}
	for _, name := range []string{"doctor@HospitalA", "doctor@HospitalB", "nurse@HospitalC", "custodian@HospitalA"} {
		p, err := newPerson(w, name)
		if err != nil {
			return err
		}
		h.people = append(h.people, p)
	}
	return nil
}

func newPerson(w *wallet.Wallet, name string) (*person, error) {
	u, err := w.User(name)
	if err != nil {
		return nil, err
	}
	p := &person{user: u}
	if p.ledger, err = fabric.Connect(u, fabric.Timeouts{}); err != nil {
		return nil, err
	}
	if p.bare, err = bare.ConnectFabric(u); err != nil {
		return nil, err
	}
	if p.blobs, err = ipfs.New(ipfs.Options{API: u.Profile.IPFS.API, Token: u.Profile.IPFS.Token}); err != nil {
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

// client makes a Client with caches of its own, as a separate program would have. It writes index entries at once.
func (p *person) client() (*client.Client, error) {
	return client.New(client.Config{Ledger: p.ledger, Blobs: p.blobs, Identities: p.identities})
}

// indexWriter has caches of its own.
func (p *person) indexWriter() *index.Writer {
	return &index.Writer{Store: p.ledger, MSP: p.ledger.MSP(), Hints: &index.MemoryHints{}}
}

func (h *hospitals) createScope(ctx context.Context) error {
	c, err := h.people[3].client()
	if err != nil {
		return err
	}
	_, err = c.CreateScope(ctx, scope, policy)
	return err
}

// members are those who seal and search, one at each hospital.
func (h *hospitals) members() []*person { return h.people[:3] }
