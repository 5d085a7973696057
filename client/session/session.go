// Package session connects a wallet's user to the services of their hospital: the ledger
// at their own peer and at those of other organisations, the IPFS node, and the state
// that the wallet keeps. Its result is a [client.Client] that is ready for use.
//
// Programs read a user from the wallet, [Open] a session, use [Session.Client], and
// [Session.Close] it. A program that only asks the ledger sets [Options.LedgerOnly].
//
// A session makes each connection when it is first used, so Open does not fail because a
// server is down. It reads no flags and no environment, and prints nothing. Its errors
// are typed; a program adds its own advice to them.
package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/ipfs"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/trust"
	"github.com/chartseal/chartseal/client/wallet"
)

// Options refine a session. The zero value suits a program that seals, searches and
// opens.
type Options struct {
	// Timeouts bound calls to the own peer. Zero fields have the defaults of package
	// fabric.
	Timeouts fabric.Timeouts

	// Parallel is [client.Config.Parallel].
	Parallel int

	// At names the organisation whose peer serves the ledger, if it is not the user's
	// own. Its profile must be in the wallet. That peer then sees the user's queries. Use
	// it for reading: it would see which index entries are written, too.
	At string

	// Batching is [client.Config.Batching].
	Batching outbox.Policy

	// LedgerOnly connects to peers only. It reads no attribute keys, and Client and Blobs
	// are nil.
	LedgerOnly bool
}

// witnessTimeout bounds a call to another organisation's peer. It is short, because there
// are other organisations to ask.
const witnessTimeout = 5 * time.Second

// A Session is a user with their hospital's services.
type Session struct {
	User   *wallet.User
	Ledger *fabric.Gateway // at the peer of the user's organisation, or of Options.At
	Client *client.Client  // nil with LedgerOnly
	Blobs  *ipfs.Store     // nil with LedgerOnly, and for organisations without an IPFS node

	witnesses []*fabric.Gateway
	others    []*fabric.Gateway // made by At
	hints     *wallet.Hints
	config    client.Config
}

// Open prepares the connections of a user.
//
// Errors:
//   - [wallet.ExpiredError], which is ErrDenied, if a certificate of the user is not
//     valid now.
//   - [KeysError] if the attribute keys in the wallet cannot be used.
//   - ErrNotFound if the wallet has no profile of the organisation that o.At names.
//   - ErrInvalid if a profile, the certificate or the state in the wallet is damaged.
func Open(u *wallet.User, o Options) (*Session, error) {
	s := &Session{User: u}
	if err := s.open(o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) open(o Options) (err error) {
	reader := s.User
	if o.At != "" {
		if reader, err = s.userAt(o.At); err != nil {
			return err
		}
	}
	if s.Ledger, err = fabric.Connect(reader, o.Timeouts); err != nil {
		return err
	}
	if s.witnesses, err = fabric.Witnesses(reader, fabric.Timeouts{Evaluate: witnessTimeout}); err != nil {
		return err
	}
	if o.LedgerOnly {
		return nil
	}
	s.hints = s.User.Hints()
	s.config = client.Config{Ledger: s.Ledger, Witnesses: s.Witnesses(), Roots: s.User.Profile.Members, Memory: s.User.Memory(), Hints: s.hints, Parallel: o.Parallel, Batching: o.Batching}
	if s.config.Signer, err = trust.NewSigner(s.User.Signer(), s.User.Certificate); err != nil {
		return err
	}
	if s.config.Outbox, err = s.User.Outbox(); err != nil {
		return err
	}
	if node := s.User.Profile.IPFS; node != nil {
		o := ipfs.Options{API: node.API, Token: node.Token}
		if len(node.TLSRoots) > 0 {
			o.TLS = &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{s.User.TLS}}
			o.TLS.RootCAs.AppendCertsFromPEM(node.TLSRoots) // the profile has checked them
		}
		if s.Blobs, err = ipfs.New(o); err != nil {
			return err
		}
		s.config.Blobs = s.Blobs
	}
	if s.config.Identities, err = Identities(s.User); err != nil {
		return err
	}
	s.Client, err = client.New(s.config)
	return err
}

// Config returns the configuration of Client. To make another Client over the same
// connections, change the returned copy.
func (s *Session) Config() client.Config { return s.config }

// Witnesses returns the ledger at the peers of other organisations than Ledger's.
func (s *Session) Witnesses() []trust.Ledger {
	var all []trust.Ledger
	for _, w := range s.witnesses {
		all = append(all, w)
	}
	return all
}

// Trust returns what the user's wallet believes about the channel's members.
func (s *Session) Trust() *trust.Directory {
	return &trust.Directory{Ledger: s.Ledger, Witnesses: s.Witnesses(), Memory: s.User.Memory(), Roots: s.User.Profile.Members}
}

// Members returns the channel's organisations, see [trust.Directory.Members].
func (s *Session) Members(ctx context.Context) ([]authority.MSP, error) {
	return s.Trust().Members(ctx)
}

// At connects the user to the peer of another organisation, whose profile is in the
// wallet. The connection ends with the session.
//
// Errors:
//   - ErrNotFound if the wallet has no profile of the organisation.
func (s *Session) At(organisation string) (*fabric.Gateway, error) {
	there, err := s.userAt(organisation)
	if err != nil {
		return nil, err
	}
	g, err := fabric.Connect(there, fabric.Timeouts{})
	if err == nil {
		s.others = append(s.others, g)
	}
	return g, err
}

func (s *Session) userAt(organisation string) (*wallet.User, error) {
	w, err := wallet.Open(filepath.Dir(s.User.Dir()))
	if err != nil {
		return nil, err
	}
	profile, err := w.Profile(organisation)
	if err != nil {
		return nil, err
	}
	return s.User.At(profile.Peer), nil
}

// SaveHints writes the lengths of index chains to the wallet. Close does so too; a
// long-running program also calls it from time to time. Without the lengths, later
// searches only read more.
func (s *Session) SaveHints() error {
	if s.hints == nil {
		return nil
	}
	return s.hints.Save()
}

// Close saves the session's state to the wallet and ends the connections. The session
// cannot be used afterwards. Close may be called more than once.
func (s *Session) Close() error {
	errs := []error{s.SaveHints()}
	for _, g := range slices.Concat(s.witnesses, s.others) {
		errs = append(errs, g.Close())
	}
	if s.Ledger != nil {
		errs = append(errs, s.Ledger.Close())
	}
	s.witnesses, s.others, s.Ledger, s.hints = nil, nil, nil, nil
	return errors.Join(errs...)
}

// Height returns the largest number of blocks that the own peer or a witness has. Without
// witnesses the own peer alone says it, and a peer that was restored from a copy says too
// little.
//
// Errors:
//   - ErrUnavailable if the own peer or a witness does not answer.
func (s *Session) Height(ctx context.Context) (uint64, error) {
	highest, err := s.Ledger.Height(ctx)
	if err != nil {
		return 0, err
	}
	for _, w := range s.witnesses {
		h, err := w.Height(ctx)
		if err != nil {
			return 0, err
		}
		highest = max(highest, h)
	}
	return highest, nil
}
