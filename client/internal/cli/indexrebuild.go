package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) indexRebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild",
		Short: "Make missing index entries of your records again",
		Long: `Rebuild is for a wallet that was lost, damaged or restored from an older copy. Index entries that
waited in its outbox are then missing, and nobody finds their records by keyword. Rebuild lists the
records on the ledger that you have sealed, opens their envelopes, looks their keywords up in the
index, and writes the entries that are missing. Each envelope leaves an access entry with the purpose
RECORDMGT.

It examines the current version of each record. You may interrupt it and run it again.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withSession(func(s *session.Session) error {
				shown := time.Now()
				done, err := s.Client.RebuildIndex(ctx, client.RebuildOptions{Progress: func(r client.Rebuilt) {
					if time.Since(shown) > 5*time.Second {
						shown = time.Now()
						a.note("%d records examined, %d indexed", r.Records, r.Indexed)
					}
				}})
				if err != nil {
					return words.WithHint(err, "%s examined so far; run it again", count(done.Records, "record is", "records are"))
				}
				if n := len(done.Unopened); n > 0 {
					a.warn("%s not examined, such as %s: you cannot open the envelope, or it does not verify", count(n, "record was", "records were"), done.Unopened[0])
				}
				for _, scope := range done.Scopes {
					a.warn("records of scope %s were not indexed: you cannot search it in its current epoch; run 'chartseal keys request', then rebuild again", scope)
				}
				if a.global.json {
					return a.printJSON(done)
				}
				a.note("examined %s: %s of %s were missing and are written", count(done.Records, "record", "records"),
					count(done.Entries, "entry", "entries"), count(done.Indexed, "record", "records"))
				return nil
			})
		}),
	}
}

// warnDamaged tells of outbox files that were set aside because they were damaged.
func (a *app) warnDamaged(box *outbox.Box) {
	damaged, err := box.Damaged()
	if err != nil {
		return // the command tells
	}
	for _, path := range damaged {
		a.warn("the outbox was damaged, and is set aside in %s: records sealed before may not be found until 'chartseal index rebuild' has run", path)
	}
}
