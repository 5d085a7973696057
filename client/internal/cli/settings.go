package cli

import (
	"errors"

	"github.com/spf13/pflag"

	"github.com/chartseal/chartseal/client/internal/settings"
	"github.com/chartseal/chartseal/client/internal/words"
)

// globalFlags are the flags that every command has.
type globalFlags struct {
	settings.Flags
	json  bool
	quiet bool
}

// resolve finds every setting, once, before a command starts.
func (a *app) resolve(flags *pflag.FlagSet) (err error) {
	a.global.ConfigGiven, a.global.TimeoutGiven = flags.Changed("config"), flags.Changed("timeout")
	a.settings, err = settings.Resolve(a.global.Flags, settings.Environment{Getenv: a.getenv, ExeDir: a.exeDir})
	var mistake *settings.Error
	switch {
	case errors.As(err, &mistake) && mistake.Hint != "":
		return words.WithHint(usage(err), "%s", mistake.Hint)
	case errors.As(err, &mistake):
		return usage(err)
	}
	return err
}
