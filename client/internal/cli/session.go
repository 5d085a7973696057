package cli

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/trust"
	"github.com/chartseal/chartseal/client/wallet"
)

// withSession runs do in a session of the user that the settings name.
func (a *app) withSession(do func(*session.Session) error) error {
	return a.session(session.Options{}, do)
}

// withLedger runs do in a session that asks the ledger and opens nothing. It needs no
// attribute keys.
func (a *app) withLedger(do func(*session.Session) error) error {
	return a.session(session.Options{LedgerOnly: true}, do)
}

func (a *app) session(o session.Options, do func(*session.Session) error) error {
	u, err := a.user()
	if err != nil {
		return err
	}
	o.At, o.Batching.Age = a.at, a.settings.IndexWait
	s, err := session.Open(u, o)
	if err != nil {
		return walletHint(err, u)
	}
	defer s.Close() // unsaved hints only cost reads later
	if end, soon := u.Ends(time.Now()); soon {
		a.warn("the certificates of %s end on %s; 'chartseal enroll %[1]s --renew' gets new ones", u, end.UTC().Format(timeText))
	}
	if peer := s.Ledger.PeerMSP(); peer != u.Profile.MSP {
		a.note("asking the peer of %s, which thereby learns which index entries and records this command reads", peer)
	}
	err = peerHint(do(s), u.Profile.MSP)
	if box := s.Config().Outbox; box != nil {
		a.warnDamaged(box)
		a.attend(box, u)
	}
	var changed *trust.RootChangedError
	if errors.As(err, &changed) {
		return errors.Join(rootChanged(err, changed), a.askRoots(s, changed))
	}
	return trustHint(err)
}

// addAt adds --at to a command that reads.
func (a *app) addAt(fs *pflag.FlagSet) {
	fs.StringVar(&a.at, "at", "", "ask the peer of this `organisation` instead of your own, when yours is down; it then sees what your own would")
}

// peerHint tells whose peer does not answer, and how to choose another.
func peerHint(err error, own string) error {
	var advised *words.Advised
	var peer *fabric.PeerError
	if errors.As(err, &advised) || !errors.As(err, &peer) {
		return err
	}
	if peer.MSP != own {
		return words.WithHint(err, "try again, ask those who run the peer of %s, or choose another organisation", peer.MSP)
	}
	return words.WithHint(err, "try again, or ask those who run the peer of %s; commands that read can ask another hospital's peer with --at, "+
		"which then learns what they read", peer.MSP)
}

// trustHint tells whom to ask about statements that cannot be believed.
func trustHint(err error) error {
	var unsigned *trust.UnsignedError
	if errors.As(err, &unsigned) {
		return words.WithHint(err, "tell the operator of %s's authority; nothing was released", unsigned.Member)
	}
	return err
}

// expiredHint tells how to get certificates once the old ones have ended: they cannot
// authenticate their owner any more.
func expiredHint(err error, name, org string) error {
	return words.WithHint(err, "ask the registrar of %[2]s for a new secret ('chartnet register %[1]s@%[2]s --renew -o SECRET'), and run "+
		"'chartseal enroll %[1]s@%[2]s --renew --secret-file SECRET'", name, org)
}

// walletHint adds advice on renewing unusable certificates or keys in the wallet.
func walletHint(err error, u *wallet.User) error {
	var expired *wallet.ExpiredError
	var keys *session.KeysError
	switch {
	case errors.As(err, &expired) && expired.Now.After(expired.To):
		return expiredHint(err, u.Name, u.Profile.MSP)
	case errors.As(err, &keys):
		return words.WithHint(err, "get them again with 'chartseal --user %s keys request'", u)
	}
	return err
}
