package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "See who sealed and opened what", groupPeople,
		a.auditRecordsCommand(), a.auditLogCommand(), a.auditHistoryCommand())
}

// auditFlags are the filters that audit commands share.
type auditFlags struct {
	record, actor, since, until string
	limit                       int
}

func (f *auditFlags) addTimes(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.since, "since", "", "from this `time` on: 2026-11-22, 2026-11-22T10:00:00Z, or ago, as 24h or 7d")
	fs.StringVar(&f.until, "until", "", "before this `time`")
	fs.IntVar(&f.limit, "limit", 0, "print at most this many rows, oldest first (0 is all)")
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

func (f *auditFlags) recordFilter() (string, error) {
	if f.record == "" {
		return "", nil
	}
	return recordID(f.record)
}

// A versionRow is what 'audit records --json' prints for one version of a record.
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

// An accessRow is what 'audit log --json' prints for one access entry. Record is empty
// when the target is a scope's key.
type accessRow struct {
	ledger.AccessEntry
	Record string `json:"record"`
}

func (a *app) auditRecordsCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "records",
		Short: "List the versions of records, oldest first",
		Args:  takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			var q ledger.RecordQuery
			var err error
			if q.Since, q.Until, err = f.times(); err != nil {
				return err
			}
			if q.Record, err = f.recordFilter(); err != nil {
				return err
			}
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			rows, err := collect(f.limit, func(bookmark string) ([]ledger.RecordVersion, string, error) {
				q.Bookmark, q.PageSize = bookmark, ledger.MaxPageSize
				page, err := s.Ledger.AuditRecords(ctx, q)
				return page.Versions, page.Bookmark, err
			})
			if err != nil {
				return auditHint(err)
			}
			if a.global.json {
				out := []versionRow{}
				for _, v := range rows {
					out = append(out, versionRow{v.ID, v.Version, v.Home, v.Author, v.CID, v.Commitment, v.Time, v.Tx})
				}
				return a.printJSON(out)
			}
			if len(rows) == 0 {
				a.note("no records match")
				return nil
			}
			t := newTable("TIME", "RECORD", "VERSION", "HOME", "AUTHOR", "CID")
			for _, v := range rows {
				t.row(shortTime(v.Time), v.ID, fmt.Sprint(v.Version), v.Home, v.Author, v.CID)
			}
			return a.printTable(t)
		}),
	}
	f.addTimes(cmd)
	cmd.Flags().StringVar(&f.record, "record", "", "only this record `ID`")
	return cmd
}

func (a *app) auditLogCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "log",
		Short: "List the access entries: who asked for what, and why, oldest first",
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
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			rows, err := collect(f.limit, func(bookmark string) ([]ledger.AccessEntry, string, error) {
				q.Bookmark, q.PageSize = bookmark, ledger.MaxPageSize
				page, err := s.Ledger.AuditAccesses(ctx, q)
				return page.Entries, page.Bookmark, err
			})
			if err != nil {
				return auditHint(err)
			}
			if a.global.json {
				out := []accessRow{}
				for _, e := range rows {
					row := accessRow{AccessEntry: e}
					if !strings.HasPrefix(e.Target, ledger.ScopeTarget("")) {
						row.Record = e.Target
					}
					out = append(out, row)
				}
				return a.printJSON(out)
			}
			if len(rows) == 0 {
				a.note("no access entries match")
				return nil
			}
			t := newTable("TIME", "ACTOR", "PURPOSE", "TARGET")
			for _, e := range rows {
				t.row(shortTime(e.Time), e.Actor, e.Purpose, e.Target)
			}
			return a.printTable(t)
		}),
	}
	f.addTimes(cmd)
	cmd.Flags().StringVar(&f.record, "record", "", "only this record `ID`, or scope:NAME")
	cmd.Flags().StringVar(&f.actor, "actor", "", "only this `actor`, as HospitalA/doctor or doctor@HospitalA")
	return cmd
}

func (a *app) auditHistoryCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "history --record ID",
		Short: "Tell what happened to one record, in order of time",
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
			id, err := f.recordFilter()
			if err != nil {
				return err
			}
			since, until, err := f.times()
			if err != nil {
				return err
			}
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := s.Ledger.AuditHistory(ctx, id)
			if err != nil {
				return auditHint(err)
			}
			rows := []ledger.HistoryEvent{}
			for _, e := range all {
				if e.Time >= since && (until == "" || e.Time < until) && (f.limit == 0 || len(rows) < f.limit) {
					rows = append(rows, e)
				}
			}
			if a.global.json {
				return a.printJSON(rows)
			}
			t := newTable("TIME", "EVENT", "ACTOR", "VERSION", "PURPOSE")
			for _, e := range rows {
				version := ""
				if e.Version > 0 {
					version = fmt.Sprint(e.Version)
				}
				t.row(shortTime(e.Time), e.Event, e.Actor, version, e.Purpose)
			}
			return a.printTable(t)
		}),
	}
	f.addTimes(cmd)
	cmd.Flags().StringVar(&f.record, "record", "", "the record `ID`")
	return cmd
}

// collect reads pages until the last one, or until there are limit rows. The result is
// never nil.
func collect[T any](limit int, page func(bookmark string) ([]T, string, error)) ([]T, error) {
	all := []T{}
	for bookmark := ""; ; {
		rows, next, err := page(bookmark)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if limit > 0 && len(all) >= limit {
			return all[:limit], nil
		}
		if next == "" || next == bookmark {
			return all, nil
		}
		bookmark = next
	}
}

// accessTarget reads a record id or the name of a scope's key on the ledger.
func accessTarget(arg string) (string, error) {
	if arg == "" || strings.HasPrefix(arg, ledger.ScopeTarget("")) {
		return arg, nil
	}
	return recordID(arg)
}

// actor reads a person as the ledger names them, or as the command line does.
func actor(arg string) (string, error) {
	if name, org, ok := strings.Cut(arg, "@"); ok && name != "" && org != "" && !strings.Contains(arg, "/") {
		return ledger.Actor(org, name), nil
	}
	if msp, id, ok := strings.Cut(arg, "/"); arg != "" && (!ok || msp == "" || id == "") {
		return "", withHint(usagef("%q is not an actor", arg), "write it as HospitalA/doctor or doctor@HospitalA")
	}
	return arg, nil
}

func auditHint(err error) error {
	if errors.Is(err, ledger.ErrDenied) {
		return withHint(err, "audit is for the roles auditor, custodian and admin")
	}
	return recordHint(err)
}
