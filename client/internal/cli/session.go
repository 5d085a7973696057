package cli

import (
	"context"
	"errors"

	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

// connect opens a session of the user that the settings name.
func (a *app) connect(context.Context) (*session.Session, error) {
	u, err := a.user()
	if err != nil {
		return nil, err
	}
	s, err := session.Open(u, session.Options{Parallel: a.parallel})
	return s, walletHint(err, u)
}

// walletHint says how to renew what is in the wallet and cannot be used any more.
func walletHint(err error, u *wallet.User) error {
	var expired *wallet.ExpiredError
	var keys *session.KeysError
	switch {
	case errors.As(err, &expired):
		return withHint(err, "'chartseal enroll %s --renew' gets a new certificate", u)
	case errors.As(err, &keys):
		return withHint(err, "get them again with 'chartseal --user %s keys request'", u)
	}
	return err
}
