package cli

import (
	"context"
	"fmt"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/ipfs"
	"github.com/chartseal/chartseal/client/wallet"
)

// A session is a user with their hospital's services.
type session struct {
	user      *wallet.User
	ledger    *fabric.Gateway
	witnesses []*fabric.Gateway // the ledger at other organisations' peers
	blobs     *ipfs.Store       // nil for organisations that store no payloads
	hints     *wallet.Hints
	client    *client.Client
}

// connect makes a session of the user that the settings name. Connections are made when
// they are first needed.
func (a *app) connect(context.Context) (*session, error) {
	u, err := a.user()
	if err != nil {
		return nil, err
	}
	s := &session{user: u}
	if err := s.dial(a.parallel); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) dial(parallel int) error {
	var err error
	if err = s.user.Valid(time.Now()); err != nil {
		return withHint(err, "'chartseal enroll %s --renew' gets a new certificate", s.user)
	}
	if s.ledger, err = fabric.Connect(s.user, fabric.Timeouts{}); err != nil {
		return err
	}
	if s.witnesses, err = fabric.Witnesses(s.user, fabric.Timeouts{Evaluate: 5 * time.Second}); err != nil {
		return err
	}
	config := client.Config{Ledger: s.ledger, Memory: s.user.Memory(), Parallel: parallel}
	for _, witness := range s.witnesses {
		config.Witnesses = append(config.Witnesses, witness)
	}
	if config.Outbox, err = s.user.Outbox(); err != nil {
		return err
	}
	s.hints = s.user.Hints()
	config.Hints = s.hints
	if p := s.user.Profile.IPFS; p != nil {
		if s.blobs, err = ipfs.New(ipfs.Options{API: p.API, Token: p.Token}); err != nil {
			return err
		}
		config.Blobs = s.blobs
	}
	if config.Identities, err = identities(s.user); err != nil {
		return err
	}
	s.client, err = client.New(config)
	return err
}

// Close ends the connections.
func (s *session) Close() {
	if s.hints != nil {
		s.hints.Save() // they are only hints: a disk that is full costs reads
	}
	if s.ledger != nil {
		s.ledger.Close()
	}
	for _, witness := range s.witnesses {
		witness.Close()
	}
}

// members are the channel's organisations, as the own peer and another one say.
func (s *session) members(ctx context.Context) ([]authority.MSP, error) {
	return s.ledger.ConfirmedMSPs(ctx, s.witnesses)
}

// identities are what a user can open with: attribute keys, and the custodian's own
// identity.
func identities(u *wallet.User) ([]age.Identity, error) {
	stored, err := attributeKeys(u)
	if err != nil {
		return nil, err
	}
	keys := make([]*abe.UserKey, len(stored))
	for i, k := range stored {
		if keys[i], err = abe.ParseUserKey(k.Key); err != nil {
			return nil, withHint(fmt.Errorf("attribute key of %s: %w", k.Name, err),
				"get the keys again with 'chartseal --user %s keys request'", u)
		}
	}
	attributes, err := abe.NewIdentity(keys)
	if err != nil {
		return nil, err
	}
	own, err := u.Identities()
	if err != nil {
		return nil, err
	}
	return append([]age.Identity{attributes}, own...), nil
}
