package cli

import (
	"errors"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

// openWallet opens the wallet that the settings name.
func (a *app) openWallet() (*wallet.Wallet, error) {
	if a.settings.Wallet == "" {
		return nil, words.WithHint(usagef("no wallet is named"), "name its directory with --wallet or CHARTSEAL_WALLET; a network started with DIR=dir has it in dir/wallet")
	}
	w, err := wallet.Open(a.settings.Wallet)
	if err != nil {
		return nil, words.WithHint(err, "the wallet is named by %s; name another with --wallet or CHARTSEAL_WALLET; a network started with DIR=dir has it in dir/wallet", a.settings.WalletFrom)
	}
	return w, nil
}

// user reads the user that the settings name. It does not check that their certificates
// are still valid.
func (a *app) user() (*wallet.User, error) {
	if a.settings.User == "" {
		err := usagef("who are you? no user is named")
		if w, openErr := a.openWallet(); openErr == nil {
			if known, _ := w.Users(); len(known) > 0 {
				return nil, words.WithHint(err, "name yourself with --user or CHARTSEAL_USER: %s", words.List(known))
			}
		}
		return nil, words.WithHint(err, "name yourself with --user NAME@ORG or CHARTSEAL_USER")
	}
	return a.walletUser(a.settings.User, a.settings.UserFrom)
}

// walletUser reads a user. from is the source of the name, for hints.
func (a *app) walletUser(name, from string) (*wallet.User, error) {
	if _, _, err := wallet.SplitUser(name); err != nil {
		return nil, words.WithHint(err, "the user is named by %s", from)
	}
	w, err := a.openWallet()
	if err != nil {
		return nil, err
	}
	u, err := w.User(name)
	switch {
	case err == nil:
		return u, nil
	case errors.Is(err, ledger.ErrNotFound):
		if known, _ := w.Users(); words.Suggest(name, known) != "" {
			return nil, words.WithHint(err, "did you mean %s? The user is named by %s", words.Suggest(name, known), from)
		}
		return nil, words.WithHint(err, "enrol with 'chartseal enroll %s', or name another user; this one is named by %s", name, from)
	case errors.Is(err, ledger.ErrDenied):
		return nil, words.WithHint(err, "the wallet holds secrets: keep others out of it")
	}
	return nil, err
}

// walletUsers lists the users in the wallet.
func (a *app) walletUsers() ([]string, error) {
	w, err := a.openWallet()
	if err != nil {
		return nil, err
	}
	return w.Users()
}

// attributeKeys reads the attribute keys of a user.
func attributeKeys(u *wallet.User) ([]*abe.UserKey, error) {
	keys, err := session.AttributeKeys(u)
	return keys, walletHint(err, u)
}
