package cli

import (
	"errors"

	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
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
	s, err := session.Open(u, o)
	if err != nil {
		return walletHint(err, u)
	}
	defer s.Close() // unsaved hints only cost reads later
	return do(s)
}

// walletHint adds advice on renewing unusable certificates or keys in the wallet.
func walletHint(err error, u *wallet.User) error {
	var expired *wallet.ExpiredError
	var keys *session.KeysError
	switch {
	case errors.As(err, &expired):
		return words.WithHint(err, "'chartseal enroll %s --renew' gets a new certificate", u)
	case errors.As(err, &keys):
		return words.WithHint(err, "get them again with 'chartseal --user %s keys request'", u)
	}
	return err
}
