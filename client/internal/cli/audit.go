package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) auditCommand() *cobra.Command {
	cmd := parentCommand("audit", "Show who sealed and opened records", sectionPeople,
		a.auditRecordsCommand(), a.auditLogCommand(), a.auditHistoryCommand())
	a.addAt(cmd.PersistentFlags())
	return cmd
}

// auditFlags are the filters that audit commands share.
type auditFlags struct {
	record, actor, since, until string
	limit                       int
}

func (f *auditFlags) addTimes(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.since, "since", "", "start at this `time`: 2026-11-22, 2026-11-22T10:00:00Z, or an age such as 24h or 7d")
	fs.StringVar(&f.until, "until", "", "stop before this `time`")
	fs.IntVar(&f.limit, "limit", 0, "print at most this many rows, oldest first (0 prints all)")
}

// times reads --since and --until.
func (f *auditFlags) times() (since, until string, err error) {
	if f.limit < 0 {
		return "", "", usagef("--limit must not be negative")
	}
	if since, err = ledgerTime("--since", f.since); err != nil {
		return "", "", err
	}
	until, err = ledgerTime("--until", f.until)
	return since, until, err
}

// records is the query of --record, --since and --until.
func (f *auditFlags) records() (q ledger.RecordQuery, err error) {
	if f.record != "" {
		if q.Record, err = recordID(f.record); err != nil {
			return q, err
		}
	}
	q.Since, q.Until, err = f.times()
	return q, err
}

// A versionRow is the output of 'audit records --json' for one version of a record.
type versionRow struct {
	Record     string `json:"record"`
	Version    int    `json:"version"`
	Home       string `json:"home"`
	Author     string `json:"author"`
	CID        string `json:"cid"`
	Commitment string `json:"commitment"`
	Time       string `json:"time"`
	Tx         string `json:"tx"`
}

func (a *app) auditRecordsCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "records",
		Short: "List the versions of records, oldest first",
		Args:  takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			q, err := f.records()
			if err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				rows, err := collect(s.Client.AuditRecords(ctx, q), f.limit)
				if err != nil {
					return auditHint(err)
				}
				return a.printVersions(rows)
			})
		}),
	}
	f.addTimes(cmd)
	cmd.Flags().StringVar(&f.record, "record", "", "list only this record `ID`")
	return cmd
}

func (a *app) printVersions(versions []ledger.RecordVersion) error {
	if a.global.json {
		out := []versionRow{}
		for _, v := range versions {
			out = append(out, versionRow{v.ID, v.Version, v.Home, v.Author, v.CID, v.Commitment, v.Time, v.Tx})
		}
		return a.printJSON(out)
	}
	if len(versions) == 0 {
		a.note("no records match")
		return nil
	}
	t := newTable("TIME", "RECORD", "VERSION", "HOME", "AUTHOR", "CID")
	for _, v := range versions {
		t.row(shortTime(v.Time), v.ID, fmt.Sprint(v.Version), v.Home, v.Author, v.CID)
	}
	return a.printTable(t)
}

// An accessRow is the output of 'audit log --json' for one access entry. Record is empty
// when the target is a scope's key.
type accessRow struct {
	ledger.AccessEntry
	Record string `json:"record"`
}

func (a *app) auditLogCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "log",
		Short: "List access entries (person, record, purpose), oldest first",
		Args:  takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			q := ledger.AccessQuery{}
			var err error
			if q.Since, q.Until, err = f.times(); err != nil {
				return err
			}
			if q.Record, err = accessTarget(f.record); err != nil {
				return err
			}
			if q.Actor, err = actor(f.actor); err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				rows, err := collect(s.Client.AuditAccesses(ctx, q), f.limit)
				if err != nil {
					return auditHint(err)
				}
				return a.printAccesses(rows)
			})
		}),
	}
	f.addTimes(cmd)
	cmd.Flags().StringVar(&f.record, "record", "", "list only this record `ID`, or scope:NAME")
	cmd.Flags().StringVar(&f.actor, "actor", "", "list only this `actor`, as HospitalA/doctor or doctor@HospitalA")
	return cmd
}

func (a *app) printAccesses(entries []ledger.AccessEntry) error {
	if a.global.json {
		out := []accessRow{}
		for _, e := range entries {
			row := accessRow{AccessEntry: e}
			if !strings.HasPrefix(e.Target, ledger.ScopeTarget("")) {
				row.Record = e.Target
			}
			out = append(out, row)
		}
		return a.printJSON(out)
	}
	if len(entries) == 0 {
		a.note("no access entries match")
		return nil
	}
	t := newTable("TIME", "ACTOR", "PURPOSE", "TARGET")
	for _, e := range entries {
		t.row(shortTime(e.Time), e.Actor, e.Purpose, e.Target)
	}
	return a.printTable(t)
}

func (a *app) auditHistoryCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "history --record ID",
		Short: "Show the history of one record, oldest first",
		Args:  takes(0, 1, "one record"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			if len(args) == 1 && f.record == "" {
				f.record = args[0]
			} else if len(args) == 1 {
				return usagef("name the record once, not twice")
			}
			if f.record == "" {
				return usagef("audit history needs --record ID")
			}
			q, err := f.records()
			if err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				events, err := s.Client.AuditHistory(ctx, q)
				if err != nil {
					return auditHint(err)
				}
				if f.limit > 0 && len(events) > f.limit {
					events = events[:f.limit]
				}
				return a.printHistory(events)
			})
		}),
	}
	f.addTimes(cmd)
	cmd.Flags().StringVar(&f.record, "record", "", "the record `ID`")
	return cmd
}

func (a *app) printHistory(events []ledger.HistoryEvent) error {
	if a.global.json {
		return a.printJSON(append([]ledger.HistoryEvent{}, events...)) // never null
	}
	t := newTable("TIME", "EVENT", "ACTOR", "VERSION", "PURPOSE")
	for _, e := range events {
		version := ""
		if e.Version > 0 {
			version = fmt.Sprint(e.Version)
		}
		t.row(shortTime(e.Time), e.Event, e.Actor, version, cmp.Or(e.Purpose, e.Reason))
	}
	return a.printTable(t)
}

// collect returns at most limit rows; 0 is no limit.
func collect[T any](rows iter.Seq2[T, error], limit int) ([]T, error) {
	var all []T
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		if all = append(all, row); len(all) == limit {
			break
		}
	}
	return all, nil
}

// accessTarget reads a record id, or the name of a scope's key on the ledger.
func accessTarget(arg string) (string, error) {
	if arg == "" || strings.HasPrefix(arg, ledger.ScopeTarget("")) {
		return arg, nil
	}
	return recordID(arg)
}

// actor reads a person's name, in the form of the ledger or of the command line.
func actor(arg string) (string, error) {
	if name, org, ok := strings.Cut(arg, "@"); ok && name != "" && org != "" && !strings.Contains(arg, "/") {
		return ledger.Actor(org, name), nil
	}
	if msp, id, ok := strings.Cut(arg, "/"); arg != "" && (!ok || msp == "" || id == "") {
		return "", words.WithHint(usagef("%q is not an actor", arg), "write it as HospitalA/doctor or doctor@HospitalA")
	}
	return arg, nil
}

// auditHint adds advice to an error of the ledger, and takes the transaction's name away.
func auditHint(err error) error {
	if refusal := (*ledger.Error)(nil); errors.As(err, &refusal) {
		err = refusal
	}
	if errors.Is(err, ledger.ErrDenied) {
		return words.WithHint(err, "audit is for the roles auditor, custodian and admin")
	}
	return recordHint(err)
}
