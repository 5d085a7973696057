package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/wallet"
)

const (
	clockTimeout  = 2 * time.Second
	toleratedSkew = time.Minute
)

// clockHint compares this computer's clock with that of the hospital's CA after a failure
// that a wrong clock can cause: certificates then look expired or not yet valid, and
// peers refuse what was not made at their time.
func (a *app) clockHint(ctx context.Context, err error) error {
	exit := classify(err).exit
	if err == nil || errors.Is(err, errInterrupted) || exit != exitDenied && exit != exitUnavailable && !strings.Contains(err.Error(), "x509: ") {
		return err
	}
	_, org, splitErr := wallet.SplitUser(a.settings.User)
	w, openErr := wallet.Open(a.settings.Wallet)
	if splitErr != nil || openErr != nil {
		return err
	}
	profile, profileErr := w.Profile(org)
	if profileErr != nil || profile.CA == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clockTimeout)
	defer cancel()
	ahead, clockErr := fabric.ClockAhead(ctx, profile.CA)
	if clockErr != nil || ahead.Abs() < toleratedSkew {
		return err
	}
	return words.WithHint(err, "the clock of this computer is %s that of %s's CA: set it, and try again", offset(ahead), org)
}

// offset says how far a clock is ahead or behind, in its two largest units.
func offset(ahead time.Duration) string {
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	m := int(ahead.Abs().Round(time.Minute).Minutes())
	days, hours, minutes := m/(24*60), m/60%24, m%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d days and %d hours %s", days, hours, side)
	case hours > 0:
		return fmt.Sprintf("%d hours and %d minutes %s", hours, minutes, side)
	}
	return fmt.Sprintf("%d minutes %s", minutes, side)
}
