package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) eraseCommand() *cobra.Command {
	var r client.EraseRequest
	var yes bool
	var patient, retention string
	var job jobFlags
	var certificate string
	cmd := &cobra.Command{
		Use:   "erase (RECORD... | --patient ID | --retention FILE) --reason CODE",
		Short: "Destroy the keys of records, for good",
		Long: `Erase purges the wrapped keys of records from every hospital's peer. Nobody can open the records any
more, whatever copies of the ciphertext are left. Hospitals then unpin the payloads, and searches no
longer find the records. The ledger keeps its lines about them, and adds who erased them, when, and a
code for the reason.

The consortium names the roles that erase records of their own hospital; by default it is the
custodian. If it asks for two persons, the first call only notes the request, and the records stay.

Each hospital then puts a signed receipt on the ledger. It confirms that its peer has none of the keys,
and says what its node still has of the payload. For a record that was erased before, --certificate
writes the tombstone, the receipts and the certificates that verify them to a file. 'chartseal erase
check' verifies this file without a network.

With --patient, erase finds all records of the hospital that name the patient, also beside others; with
--retention, those whose retention period is over. It opens the envelope of every record of the
hospital to find them. This is a job, which 'chartseal job' shows and resumes. --dry-run lists the
records and changes nothing.

` + reasonList(),
		Example: `  chartseal --user custodian@HospitalA erase 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 --reason CONSENT`,
		GroupID: sectionRecords,
		Args:    takes(0, -1, ""),
		RunE: a.run(func(ctx context.Context, args []string) (err error) {
			if r.IDs, err = recordIDs(args); err != nil {
				return err
			}
			if certificate != "" {
				if len(args) != 1 || r.Reason != "" {
					return usagef("--certificate takes one RECORD that was erased before, and no reason")
				}
				return a.certifyErasure(ctx, r.IDs[0], certificate)
			}
			if r.Reason, err = erasureReason(r.Reason); err != nil {
				return err
			}
			selection := client.Selection{Patient: patient}
			if retention != "" {
				if selection.Retention, err = a.retentionRules(retention); err != nil {
					return err
				}
			}
			switch selects := patient != "" || retention != ""; {
			case patient != "" && retention != "" || selects && len(args) > 0:
				return usagef("name records, or select them with --patient or with --retention")
			case selects:
				return a.startJob(ctx, client.Job{Kind: client.JobErase, Select: selection, Reason: r.Reason}, job, yes)
			case len(args) == 0:
				return usagef("which records? name them, or select them with --patient or with --retention")
			case job.dryRun || job.rate != 0:
				return usagef("--rate and --dry-run belong to --patient and --retention")
			}
			if err := a.confirm(yes, fmt.Sprintf("Destroy the keys of %s for good?", count(len(r.IDs), "record", "records"))); err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				done, err := s.Client.Erase(ctx, r)
				if printErr := a.printErased(done); err == nil {
					err = printErr
				}
				return recordHint(err)
			})
		}),
	}
	cmd.Flags().StringVar(&patient, "patient", "", "all records that name this patient: an `identifier`, or SYSTEM|VALUE")
	cmd.Flags().StringVar(&retention, "retention", "", "all records whose time of keeping is over, by the rules in a `file`")
	cmd.Flags().StringVar(&certificate, "certificate", "", "write the certificate of a record that was erased before to a new `file`")
	cmd.AddCommand(a.eraseCheckCommand())
	job.add(cmd)
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why, a `code` of the list above (required)")
	addYes(cmd, &yes)
	return cmd
}

func reasonList() string {
	var b strings.Builder
	for _, code := range slices.Sorted(maps.Keys(ledger.ErasureReasons)) {
		fmt.Fprintf(&b, "  %-10s %s\n", code, ledger.ErasureReasons[code])
	}
	return strings.TrimRight(b.String(), "\n")
}

func erasureReason(code string) (string, error) {
	code = strings.ToUpper(code)
	if _, known := ledger.ErasureReasons[code]; known {
		return code, nil
	}
	hint := "name one with --reason: " + strings.Join(slices.Sorted(maps.Keys(ledger.ErasureReasons)), ", ")
	if code == "" {
		return "", words.WithHint(usagef("no reason is given"), "%s", hint)
	}
	return "", words.WithHint(usagef("unknown reason %q", code), "%s", hint)
}

func (a *app) printErased(done []client.Erased) error {
	for _, d := range done {
		for _, w := range d.Warnings {
			a.warn("record %s: %s", d.ID, w)
		}
	}
	if a.global.json {
		return a.printJSON(append([]client.Erased{}, done...)) // never null
	}
	if len(done) == 0 {
		return nil
	}
	waiting := 0
	t := newTable("RECORD", "STATE", "REASON", "BY")
	for _, d := range done {
		if d.Erasure == nil {
			waiting++
			t.row(d.ID, "waits for a second person", "", "")
			continue
		}
		by := d.Erasure.Actor
		if d.Erasure.First != nil {
			by = d.Erasure.First.Actor + ", " + by
		}
		t.row(d.ID, "erased", d.Erasure.Reason, by)
	}
	if err := a.printTable(t); err != nil {
		return err
	}
	if waiting > 0 {
		a.note("%s once somebody else erases the same for the same reason", count(waiting, "record is erased", "records are erased"))
	}
	return nil
}
