package stage

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench/bare"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

// A Person is a user of the network with a Chartseal connection and bare ones.
type Person struct {
	Name   string // name in the wallet
	User   *wallet.User
	Ledger *fabric.Gateway
	Bare   *bare.Fabric
	Kubo   *bare.Kubo
	Dir    string // the person's own files; removed with the stage

	session *session.Session
	clients int
}

// Person connects a user of the network.
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
	if p.session, err = session.Open(p.User, session.Options{}); err != nil {
		return err
	}
	s.tidy = append(s.tidy, p.session.Close)
	p.Ledger = p.session.Ledger
	if p.Bare, err = bare.ConnectFabric(p.User); err != nil {
		return err
	}
	s.tidy = append(s.tidy, p.Bare.Close)
	// The bare side also collects garbage, and goes to kubo itself.
	node := filepath.Join(s.Dir, "orgs", p.User.Profile.MSP, "ipfs")
	token, err := os.ReadFile(filepath.Join(node, "operator-token"))
	if err != nil {
		return err
	}
	p.Kubo = bare.ConnectKubo(filepath.Join(node, "rpc"), string(token))
	return nil
}

// Client makes a Client with empty caches, like a program that has just started, and with
// an outbox of its own on disk. It asks no witnesses, because the bare side asks none
// either.
func (p *Person) Client() (*client.Client, error) {
	p.clients++
	box, err := outbox.Open(filepath.Join(p.Dir, fmt.Sprint(p.clients)))
	if err != nil {
		return nil, err
	}
	c := p.session.Config()
	c.Outbox, c.Memory, c.Hints, c.Witnesses = box, nil, nil, nil
	return client.New(c)
}
