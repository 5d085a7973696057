package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) indexCommand() *cobra.Command {
	return parentCommand("index", "Show and write the index entries that wait in your wallet", sectionRecords,
		a.indexStatusCommand(), a.indexFlushCommand(), a.indexRebuildCommand())
}

// An outboxRow is the output of 'index status --json'.
type outboxRow struct {
	Records int    `json:"records"`
	Entries int    `json:"entries"`
	Sent    int    `json:"sent"`
	Pending int    `json:"pending"`
	Oldest  string `json:"oldest"` // empty when nothing waits
	Due     string `json:"due"`    // when it is written at the latest; empty when nothing waits

	Attended bool `json:"attended"` // a process waits until then; otherwise the next command after that writes it
}

func (a *app) indexStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Count the index entries that wait",
		Long: `Status counts the sealed records that wait in your wallet's outbox, and their index entries. "Sent"
counts entries whose transaction has no known outcome yet. "Pending" counts records that may or may
not be on the ledger. The next flush settles both. "Attended" tells whether a process of yours waits
to write them when they are due. Status needs no network.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(context.Context, []string) error {
			u, err := a.user()
			if err != nil {
				return err
			}
			box, err := u.Outbox()
			if err != nil {
				return err
			}
			waits, err := box.Status()
			if err != nil {
				return err
			}
			a.warnDamaged(box)
			row := outboxRow{Records: waits.Records, Entries: waits.Entries, Sent: waits.Sent, Pending: waits.Pending}
			if !waits.Oldest.IsZero() {
				row.Oldest = waits.Oldest.Format(time.RFC3339)
				row.Due = waits.Due(a.settings.IndexWait).Format(time.RFC3339)
			}
			if row.Attended, err = box.Attended(); err != nil {
				return err
			}
			if a.global.json {
				return a.printJSON(row)
			}
			t := newTable("RECORDS", "ENTRIES", "SENT", "PENDING", "OLDEST", "DUE", "ATTENDED")
			t.row(fmt.Sprint(row.Records), fmt.Sprint(row.Entries), fmt.Sprint(row.Sent), fmt.Sprint(row.Pending), row.Oldest, row.Due, yesNo(row.Attended))
			return a.printTable(t)
		}),
	}
}

// A flushRow is the output of 'index flush --json'.
type flushRow struct {
	Records      int `json:"records"`
	Entries      int `json:"entries"`
	Dummies      int `json:"dummies"`
	Transactions int `json:"transactions"`
	Collisions   int `json:"collisions"` // transactions that were made anew, because somebody else indexed the same keywords
	Dropped      int `json:"dropped"`    // records that never came on the ledger
}

func (a *app) indexFlushCommand() *cobra.Command {
	var all, cover, wait bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "flush",
		Short: "Write the index entries that wait",
		Long: fmt.Sprintf(`Flush writes the index entries that are due: those of records sealed with --index now, those whose
transaction has no known outcome, and all others once %d records wait or the oldest has waited %v.
It writes the entries of all records together, in random order, in transactions of %d entries, or of
two or four times as many if there are many. Dummies fill the last transaction.

With --all it writes every entry, even if few records wait. If only one record waits, the time of the
transaction tells which entries are its own, as with 'seal --index now'.

With --wait it waits until entries are due, writes them, and ends when nothing waits any more. Every
command that leaves entries behind starts one in the background, unless one is running. Its output is
in the file background.log beside the outbox in your wallet. It ends with the machine; your next
command starts it again. With "background: no" in the configuration, or CHARTSEAL_BACKGROUND=no, no
command starts one. "index-wait: 5m", or CHARTSEAL_INDEX_WAIT, is how long a record waits for others.

With --every it runs until it is stopped, and flushes at intervals: run it as a service where records
are sealed all the time. With --cover as well, it writes a transaction of dummies whenever nothing is
due, so that nobody can tell when entries are.`,
			outbox.DefaultRecords, outbox.DefaultAge, outbox.DefaultSize),
		Example: `  chartseal index flush --all
  chartseal index flush --every 5m --cover`,
		Args: takes(0, 0, ""),
	}
	fs := cmd.Flags()
	fs.BoolVar(&all, "all", false, "write all entries, even if few records wait")
	fs.BoolVar(&wait, "wait", false, "wait until entries are due, write them, and end when nothing waits")
	fs.DurationVar(&every, "every", 0, "run until stopped, and flush at this `interval`")
	fs.BoolVar(&cover, "cover", false, "with --every: write dummies when there is nothing to write")
	once := a.run(func(ctx context.Context, _ []string) error { return a.flushOnce(ctx, all) })
	daemon := a.runUntilStopped(func(ctx context.Context, _ []string) error { return a.flushEvery(ctx, every, all, cover) })
	waiting := a.runUntilStopped(func(ctx context.Context, _ []string) error { return a.flushWaiting(ctx) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case cmd.Flags().Changed("every") && every < time.Second:
			return usagef("--every must be at least 1s")
		case cover && every == 0:
			return usagef("--cover needs --every")
		case wait && (all || every > 0):
			return usagef("--wait goes with neither --all nor --every")
		case wait:
			return waiting(cmd, args)
		case every > 0:
			return daemon(cmd, args)
		}
		return once(cmd, args)
	}
	return cmd
}

func (a *app) flushOnce(ctx context.Context, all bool) error {
	return a.withSession(func(s *session.Session) error {
		report, err := s.Client.FlushIndex(ctx, client.FlushOptions{All: all})
		if err != nil {
			return words.WithHint(err, "nothing is lost: unwritten entries stay in the outbox; flush again")
		}
		if a.global.json {
			return a.printJSON(flushRow{
				Records: report.Records, Entries: report.Entries, Dummies: report.Dummies, Transactions: report.Transactions,
				Collisions: report.Collisions, Dropped: report.Dropped,
			})
		}
		if report.Entries == 0 {
			a.note("nothing is due")
			return nil
		}
		a.note("wrote %s of %s to the index, in %s", count(report.Entries, "entry", "entries"),
			count(report.Records, "record", "records"), count(report.Transactions, "transaction", "transactions"))
		return nil
	})
}

func (a *app) flushEvery(ctx context.Context, every time.Duration, all, cover bool) error {
	return a.withSession(func(s *session.Session) error {
		log := a.log()
		log.Info("index flushes", "every", every.String())
		if done, err := s.Config().Outbox.Attend(); err != nil {
			return err
		} else if done != nil {
			defer done()
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			report, err := s.Client.FlushIndex(ctx, client.FlushOptions{All: all})
			if err == nil && cover && report.Transactions == 0 {
				err = s.Client.CoverIndex(ctx)
			}
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				log.Warn("index not written, trying again", "error", err.Error())
			case report.Entries > 0:
				log.Info("index written", "records", report.Records, "entries", report.Entries, "transactions", report.Transactions)
			}
			s.SaveHints() // on a full disk, missing hints only cost reads
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// writeDueEntries writes due entries of earlier commands, before a command that reads. A
// failure is only a warning. Under --at the entries keep waiting, so that another
// organisation's peer does not see them.
func (a *app) writeDueEntries(ctx context.Context, s *session.Session) {
	if s.Ledger.PeerMSP() != s.User.Profile.MSP {
		return
	}
	waits, err := s.Client.IndexStatus()
	if err == nil && waits != (outbox.Status{}) {
		_, err = s.Client.FlushIndex(ctx, client.FlushOptions{Leave: true})
	}
	if err != nil && ctx.Err() == nil {
		a.warn("index entries of sealed records still wait in the outbox: %v", err)
	}
}
