package cli

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	shared "github.com/chartseal/chartseal/client/internal/settings"
)

// settings are what flags, environment, configuration file and defaults together say, in
// this order of precedence.
type settings struct {
	user    string // NAME@ORG; "" when nothing names one
	wallet  string
	scope   string // where seal and search work when they are not told
	index   string // when to index, "" when nothing says
	timeout time.Duration

	userFrom   string // where user comes from, for messages
	walletFrom string
}

// resolve finds every setting once, where all programs of this module look.
func (a *app) resolve(flags *pflag.FlagSet) (settings, error) {
	s, err := shared.Resolve(shared.Flags{
		User: a.global.user, Wallet: a.global.wallet, Config: a.global.config, Timeout: a.global.timeout,
		ConfigGiven: flags.Changed("config"), TimeoutGiven: flags.Changed("timeout"),
	}, shared.Environment{Getenv: a.getenv, ExeDir: a.exeDir})
	var mistake *shared.Error
	switch {
	case errors.As(err, &mistake) && mistake.Hint != "":
		return settings{}, withHint(usage(err), "%s", mistake.Hint)
	case errors.As(err, &mistake):
		return settings{}, usage(err)
	case err != nil:
		return settings{}, err
	}
	return settings{user: s.User, wallet: s.Wallet, scope: s.Scope, index: s.Index, timeout: s.Timeout, userFrom: s.UserFrom, walletFrom: s.WalletFrom}, nil
}
