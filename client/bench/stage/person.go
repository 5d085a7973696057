package stage

import (
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench/bare"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/ipfs"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/wallet"
)

// A Person has connections through our client and bare ones.
type Person struct {
	Name   string // of the wallet
	User   *wallet.User
	Ledger *fabric.Gateway
	Blobs  *ipfs.Store
	Bare   *bare.Fabric
	Kubo   *bare.Kubo
	Dir    string // for what the person keeps; removed with the stage

	identities []age.Identity
	clients    int
}

// Person connects somebody of the network.
func (s *Stage) Person(name string) (*Person, error) {
	u, err := s.User(name)
	if err != nil {
		return nil, err
	}
	p := &Person{Name: name, User: u}
	if err := s.connect(p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func (s *Stage) connect(p *Person) (err error) {
	if p.Dir, err = os.MkdirTemp("", "chartseal-bench-"); err != nil {
		return err
	}
	s.tidy = append(s.tidy, func() error { return os.RemoveAll(p.Dir) })
	if p.Ledger, err = fabric.Connect(p.User, fabric.Timeouts{}); err != nil {
		return err
	}
	s.tidy = append(s.tidy, p.Ledger.Close)
	if p.Bare, err = bare.ConnectFabric(p.User); err != nil {
		return err
	}
	s.tidy = append(s.tidy, p.Bare.Close)
	node := p.User.Profile.IPFS
	if p.Blobs, err = ipfs.New(ipfs.Options{API: node.API, Token: node.Token}); err != nil {
		return err
	}
	if p.Kubo, err = bare.ConnectKubo(node.API, node.Token); err != nil {
		return err
	}
	stored, err := p.User.Keys(p.Ledger.Actor())
	if err != nil {
		return err
	}
	var own []*abe.UserKey
	for _, k := range stored {
		key, err := abe.ParseUserKey(k.Key)
		if err != nil {
			return err
		}
		own = append(own, key)
	}
	attributes, err := abe.NewIdentity(own)
	if err != nil {
		return err
	}
	p.identities = []age.Identity{attributes}
	return nil
}

// Client makes a Client with caches of its own, as a program that has just started, and
// an outbox on disk.
func (p *Person) Client() (*client.Client, error) {
	p.clients++
	box, err := outbox.Open(filepath.Join(p.Dir, fmt.Sprint(p.clients)))
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{Ledger: p.Ledger, Blobs: p.Blobs, Identities: p.identities, Outbox: box})
}
