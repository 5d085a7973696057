package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// A rolledRow is the output of 'scope roll --json'.
type rolledRow struct {
	Name   string `json:"name"`
	Epoch  int    `json:"epoch"`
	Policy string `json:"policy"` // canonical form
}

func (a *app) scopeRollCommand() *cobra.Command {
	var policy policyFlags
	cmd := &cobra.Command{
		Use:   "roll NAME --policy TEXT",
		Short: "Start a new epoch of a search domain, with a new key",
		Long: `Roll makes a new secret key for the scope, under the same policy as before or another one. Records
sealed from now on are found only with the new key. People who satisfy only the former policy, or
have kept the former key, learn nothing of them. Entries written before stay as they are until each
hospital's custodian has run 'chartseal scope compact'.

` + scopePolicies + `

Roll a scope after attribute keys were withdrawn, and from time to time. Only the hospital that made
the scope can roll it.`,
		Example: `  chartseal scope roll consortium --policy ` + scopePolicyExample,
		Args:    takes(1, 1, "one NAME"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			text, err := policy.read(a)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				epoch, canonical, err := s.Client.RollScope(ctx, args[0], text)
				if err != nil {
					return scopeHint(err)
				}
				if a.global.json {
					return a.printJSON(rolledRow{Name: args[0], Epoch: epoch, Policy: canonical})
				}
				a.note("scope %s is at epoch %d, for %s", args[0], epoch, canonical)
				return nil
			})
		}),
	}
	policy.add(cmd)
	return cmd
}

func (a *app) scopeCompactCommand() *cobra.Command {
	o := client.CompactOptions{}
	cmd := &cobra.Command{
		Use:   "compact NAME",
		Short: "Index your hospital's older records again, in the current epoch",
		Long: `Compact opens the envelopes of your hospital's records and indexes those of older epochs of the scope
in the current one. Then it retires the older epochs for your hospital, so that searches get faster
again. It leaves access entries with the purpose RECORDMGT.

It is for the records custodian, who can open all envelopes. You can stop it and run it again at any
time. It retires epochs only some time after the roll, see --settle, as somebody may have begun to
seal before the roll.`,
		Example: `  chartseal --user custodian@HospitalA scope compact consortium`,
		Args:    takes(1, 1, "one NAME"),
		RunE: a.runUntilStopped(func(ctx context.Context, args []string) error {
			return a.withSession(func(s *session.Session) error {
				shown := time.Now()
				o.Progress = func(done int) {
					if time.Since(shown) >= lineEvery {
						shown = time.Now()
						a.note("compacting: looked at %s", count(done, "record", "records"))
					}
				}
				done, err := s.Client.CompactScope(ctx, args[0], o)
				if err != nil {
					return a.compactHint(err, s)
				}
				if len(done.Unopened) > 0 {
					a.warn("%s could not be opened, so older epochs are not retired: %v", count(len(done.Unopened), "record", "records"), done.Unopened[0])
				}
				if a.global.json {
					return a.printJSON(done)
				}
				a.note("looked at %s and indexed %d of them again, in epoch %d of scope %s", count(done.Records, "record", "records"), done.Indexed, done.Epoch, done.Scope)
				if done.Retired < done.Epoch-1 && len(done.Unopened) == 0 {
					a.note("older epochs are not retired yet: run it again %v after the roll", o.Settle)
				}
				return nil
			})
		}),
	}
	cmd.Flags().DurationVar(&o.Settle, "settle", 24*time.Hour, "retire older epochs only after this `time` since the roll")
	return cmd
}

func (a *app) compactHint(err error, s *session.Session) error {
	msp := s.User.Profile.MSP
	switch {
	case errors.Is(err, client.ErrDenied):
		return words.WithHint(err, "compaction is for the records custodian: --user custodian@%s", msp)
	case errors.Is(err, client.ErrNotSatisfied):
		if hint := a.missingKeys(); hint != "" {
			return words.WithHint(err, "%s", hint)
		}
		return words.WithHint(err, "your attribute keys do not open the scope's key: roll it with a policy that admits you, such as '... or %s:role=custodian'", msp)
	}
	return words.WithHint(scopeHint(err), "run it again: it goes on where it stopped")
}

// missingKeys is the hint for somebody who is refused and holds no attribute keys yet.
func (a *app) missingKeys() string {
	u, err := a.user()
	if err != nil {
		return ""
	}
	if held, err := attributeKeys(u); err != nil || len(held) > 0 {
		return ""
	}
	return fmt.Sprintf("%s holds no attribute keys yet: 'chartseal --user %s keys request' asks for them", u, u)
}
