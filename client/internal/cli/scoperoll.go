package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
)

// A rolledRow is what 'scope roll --json' prints.
type rolledRow struct {
	Name   string `json:"name"`
	Epoch  int    `json:"epoch"`
	Policy string `json:"policy"` // canonical form
}

func (a *app) scopeRollCommand() *cobra.Command {
	var f sealFlags
	cmd := &cobra.Command{
		Use:   "roll NAME --policy TEXT",
		Short: "Start a new epoch of a search domain, with a new key for those who are still entitled",
		Long: `Roll makes a new secret key for the scope, under a policy that may be another one than before or the
same. What is sealed from now on is found only with the new key: who satisfies only the former
policy, or has kept the former key, learns nothing of it. What was indexed before stays as it was,
until each hospital's custodian has run 'chartseal scope compact'.

Roll a scope after attribute keys were withdrawn, and from time to time. Only the hospital that
made the scope can.`,
		Example: `  chartseal scope roll consortium --policy 'HospitalA:role=doctor or HospitalB:role=doctor'`,
		Args:    takes(1, 1, "one NAME"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			text, err := f.policyText(a)
			if err != nil {
				return err
			}
			if err := checkPolicy(text); err != nil {
				return err
			}
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			row := rolledRow{Name: args[0]}
			if row.Epoch, row.Policy, err = s.Client.RollScope(ctx, args[0], text); err != nil {
				return scopeHint(err)
			}
			if a.global.json {
				return a.printJSON(row)
			}
			a.note("scope %s is at epoch %d, for %s", row.Name, row.Epoch, row.Policy)
			return nil
		}),
	}
	f.addPolicy(cmd)
	return cmd
}

func (a *app) scopeCompactCommand() *cobra.Command {
	o := client.CompactOptions{}
	cmd := &cobra.Command{
		Use:   "compact NAME",
		Short: "Index your hospital's records of older epochs anew in the current one",
		Long: `Compact opens the envelopes of your hospital's records, which leaves access entries with the purpose
RECORDMGT, and indexes those of older epochs of the scope in the current one. When all are, it
retires the older epochs for your hospital, so that searches get faster again. It is for the
records custodian, who can open all envelopes. It can be stopped and run again at any time.

Epochs are retired only when the roll is long ago, see --settle, as someone may have begun to seal
before it.`,
		Example: `  chartseal --user custodian@HospitalA scope compact consortium`,
		Args:    takes(1, 1, "one NAME"),
		RunE: a.runUntilStopped(func(ctx context.Context, args []string) error {
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			done, err := s.Client.CompactScope(ctx, args[0], o)
			switch {
			case errors.Is(err, client.ErrDenied):
				return withHint(err, "compaction is for the records custodian: --user custodian@%s", s.User.Profile.MSP)
			case errors.Is(err, client.ErrNotSatisfied):
				return withHint(err, "your attribute keys do not open the scope's key: roll it with a policy that admits you, such as '... or %s:role=custodian'", s.User.Profile.MSP)
			case err != nil:
				return withHint(scopeHint(err), "run it again: it goes on where it was")
			}
			if len(done.Unopened) > 0 {
				a.warn("%d records could not be opened, so that older epochs are not retired: %v", len(done.Unopened), done.Unopened[0])
			}
			if a.global.json {
				return a.printJSON(done)
			}
			a.note("%d records looked at, %d indexed anew in epoch %d of scope %s", done.Records, done.Indexed, done.Epoch, done.Scope)
			if done.Retired < done.Epoch-1 && len(done.Unopened) == 0 {
				a.note("older epochs are not retired yet: run it again when the roll is %v ago", o.Settle)
			}
			return nil
		}),
	}
	cmd.Flags().DurationVar(&o.Settle, "settle", 24*time.Hour, "retire older epochs only this `long` after the roll")
	return cmd
}
