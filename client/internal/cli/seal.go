package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) sealCommand() *cobra.Command {
	var f sealFlags
	var copies int
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "seal FILE... --policy TEXT",
		Short: "Seal records under a policy",
		Long: fmt.Sprintf(`Seal encrypts each file under the policy, stores the ciphertext on your hospital's IPFS node and
registers it on the ledger. "-" reads standard input. Up to %d files are registered together: all of
them or none.

A search finds a record by its keywords. Seal takes them from the record itself if it knows the
format ('chartseal keywords' shows them), and from --keyword. A keyword may name a field, as in
icd10:I21.4 or date:2020-03-14.

  --index batched   entries wait in your wallet, and are written together with those of other records,
                    so that nobody can tell which of them belong together. Until then a search does
                    not find the record. They are written after %d minutes at the latest, by a process
                    that seal leaves in the background. 'chartseal index' shows and writes them
  --index now       entries are written at once. All members can then tell, for ever, which entries
                    belong to the records of this call, and about how many there are. They cannot
                    tell the keywords
  --index none      no entries: the record is found only by its id`, ledger.MaxNewRecords, int(outbox.DefaultAge.Minutes())),
		Example: `  chartseal seal report.json --policy 'HospitalA:role=doctor or HospitalB:role=doctor'
  chartseal seal scan.dcm --policy-file cardiology.policy --keyword follow-up --json`,
		GroupID: sectionRecords,
		Args:    takes(1, -1, "at least one FILE (or - for standard input)"),
		RunE: a.run(func(ctx context.Context, files []string) error {
			if copies < 0 || copies > ledger.MaxKeepers {
				return usagef("--copies must be from 1 to %d", ledger.MaxKeepers)
			}
			req, err := f.request(a, files)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				f.applyIndex(a, s, &req)
				var stop func()
				req.Progress, stop = a.progress("sealing")
				defer stop()
				sealed, err := s.Client.Seal(ctx, req)
				stop()
				err = a.printBatch(files, sealed, foundBy(req, a.noteWaiting(s, req)), err)
				if err == nil && copies > 0 {
					err = a.awaitCopies(ctx, s, sealed, copies, within)
				}
				return err
			})
		}),
	}
	f.add(cmd)
	cmd.Flags().IntVar(&copies, "copies", 0, "wait until this `many` hospitals say that they keep each record")
	cmd.Flags().DurationVar(&within, "copies-within", time.Minute, "wait this `long` for --copies")
	return cmd
}

func (a *app) amendCommand() *cobra.Command {
	var f sealFlags
	cmd := &cobra.Command{
		Use:   "amend RECORD FILE --policy TEXT",
		Short: "Add a version to a record",
		Long: `Amend seals a file as the next version of a record. Earlier versions stay under their own policies:
whoever could open them still can. Only the hospital that sealed a record can amend it.`,
		Example: `  chartseal amend 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 corrected.json --policy 'HospitalB:role=doctor'`,
		GroupID: sectionRecords,
		Args:    takes(2, 2, "a RECORD and a FILE"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			id, err := recordID(args[0])
			if err != nil {
				return err
			}
			req, err := f.request(a, args[1:])
			if err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				f.applyIndex(a, s, &req)
				var stop func()
				req.Progress, stop = a.progress("sealing")
				defer stop()
				sealed, err := s.Client.Amend(ctx, client.AmendRequest{ID: id, SealRequest: req})
				stop()
				if err != nil {
					return a.amendHint(err)
				}
				row := rowOf(args[1], sealed)
				row.FoundBy = foundBy(req, a.noteWaiting(s, req))
				return a.printSealed([]sealedRow{row})
			})
		}),
	}
	f.add(cmd)
	return cmd
}

func (a *app) sealHint(err error) error {
	switch {
	case errors.Is(err, client.ErrNotFound):
		return words.WithHint(err, "'chartseal policy check' tells which attributes are published, 'chartseal scope list' which scopes there are")
	case errors.Is(err, client.ErrNotSatisfied):
		if hint := a.missingKeys(); hint != "" {
			return words.WithHint(err, "%s", hint)
		}
		return words.WithHint(err, "your attribute keys do not open the scope's key: name another --scope, or use --index none")
	}
	return err
}

func (a *app) amendHint(err error) error {
	switch {
	case errors.Is(err, client.ErrNotFound):
		return words.WithHint(err, "check the record id, the attributes with 'chartseal policy check', the scope with 'chartseal scope list'")
	case errors.Is(err, client.ErrDenied):
		return words.WithHint(err, "only the hospital that sealed a record can amend it")
	}
	return a.sealHint(err)
}

// A sealedRow is the JSON output for one sealed file.
type sealedRow struct {
	File       string   `json:"file"`
	Record     string   `json:"record"`
	Version    int      `json:"version"`
	CID        string   `json:"cid"`
	Commitment string   `json:"commitment"`
	Kind       string   `json:"kind"`
	Size       int64    `json:"size"`   // bytes of the record
	Stored     int64    `json:"stored"` // bytes on IPFS
	Keywords   int      `json:"keywords"`
	Policy     string   `json:"policy"`
	Time       string   `json:"time"`
	Tx         string   `json:"tx"`
	FoundBy    string   `json:"foundBy"` // when a search finds it at the latest; empty if it is never indexed
	Warnings   []string `json:"warnings"`
}

func rowOf(file string, s client.Sealed) sealedRow {
	return sealedRow{
		File: file, Record: s.ID, Version: s.Version, CID: s.CID, Commitment: s.Commitment, Kind: s.Kind, Size: s.Size,
		Stored: s.Stored, Keywords: s.Terms, Policy: s.Policy, Time: s.Time, Tx: s.Tx,
		Warnings: append([]string{}, s.Warnings...), // never null
	}
}

// foundBy is when a search finds the records of a request, given when what waits is due.
func foundBy(r client.SealRequest, due time.Time) string {
	switch {
	case r.Scope == "":
		return ""
	case due.IsZero():
		due = time.Now()
	}
	return due.UTC().Format(time.RFC3339)
}

func (a *app) printSealed(rows []sealedRow) error {
	if a.global.json {
		return a.printJSON(rows)
	}
	t := newTable("RECORD", "VERSION", "SIZE", "KEYWORDS", "KIND", "FILE")
	for _, r := range rows {
		t.row(r.Record, fmt.Sprint(r.Version), bytesText(r.Size), fmt.Sprint(r.Keywords), r.Kind, r.File)
		for _, w := range r.Warnings {
			a.warn("%s: %s", r.File, w)
		}
	}
	return a.printTable(t)
}

// printBatch prints the sealed records. If there are more files than fit into one
// transaction, some may be sealed although there was an error. They are printed too, as
// they are on the ledger.
func (a *app) printBatch(files []string, sealed []client.Sealed, found string, err error) error {
	if err != nil && len(sealed) == 0 {
		return a.sealHint(err)
	}
	rows := make([]sealedRow, len(sealed))
	for i, one := range sealed {
		rows[i] = rowOf(files[i], one)
		rows[i].FoundBy = found
	}
	if printErr := a.printSealed(rows); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err != nil {
		err = words.WithHint(err, "the first %d of %d files are sealed, as printed; seal the others again", len(sealed), len(files))
	}
	return err
}
