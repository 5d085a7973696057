package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/importer"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

type importFlags struct {
	policy  string
	rules   string
	scope   string
	noIndex bool
	split   bool
	jobs    int
	job     string
	report  string
	dryRun  bool
}

// maxJobs keeps an import below 150 MiB of memory: each record that is on its way has
// buffers of about 3 MiB.
const maxJobs = 32

var importHelp = `Import seals every file below a directory, or every line of a bulk export (NDJSON, one FHIR resource
on each line), with up to ` + fmt.Sprint(ledger.MaxNewRecords) + ` records in a transaction. You can stop or kill it at any moment. The
same command then continues: it loses nothing and seals nothing twice. Run later, it seals the new
records. With --split it takes FHIR bundles apart into their resources, and files and batches of HL7 v2
into their messages. It unpacks archives (ZIP, tar, gzip, bzip2), and each file in them is a record.

Import reports each record that it cannot seal, with a reason, and continues with the others; the exit
code is then 1. With --report FILE it writes a line of JSON for every record: its file, record id and
outcome.

A rule file chooses policies. The first rule that matches a record decides. A rule without match takes
the rest. All conditions of a match must hold; of a list, one value must.

  rules:
    - name: psychiatry                  # for messages
      match:
        code: ["icd10:F", "snomed:74732009"]   # as in a search: a code, its beginning, a block
        kind: "fhir:*"                  # kind of record, see 'chartseal keywords'; * and ?
        path: "wards/**/*.json"         # below the directory; ** also crosses directories
        organisation: "General*"        # as the record says
        department: [PSY, Psychiatry]   # as HL7 v2, DICOM, C-CDA and FHIR records say
        confidentiality: [R, V]         # as the record says: U L M N R V, or none without one
      policy: HospitalA:role=psychiatrist
      scope: psychiatry                 # search domain; or no-index: true
      keywords: [inpatient]
      patient-key: age1...              # the patient's own age recipient
    - policy: HospitalA:role=doctor or HospitalB:role=doctor
      incomplete: true                  # also for records that could not be read in full

A record may be damaged, too large or nested too deeply to be read in full. The unread part might
match an earlier rule, so import does not seal the record by a later one: it reports the record as
failed, with the reason. A rule with 'incomplete: true' takes such records all the same.

Try a rule file with --dry-run. It needs no network, and shows the policy of each record.`

func (a *app) importCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import DIR|FILE",
		Short: "Seal a directory tree or a bulk export",
		Long:  importHelp,
		Example: `  chartseal import records/ --policy 'HospitalA:role=doctor or HospitalB:role=doctor'
  chartseal import export.ndjson --policy-file rules.yaml --report import.log
  chartseal import bundles/ --split --policy-file rules.yaml --dry-run`,
		GroupID: sectionRecords,
		Args:    takes(1, 1, "one directory or file"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			job, err := f.newJob(a, args[0])
			if err != nil {
				return err
			}
			if f.dryRun {
				return a.planImport(ctx, job)
			}
			return a.runImport(ctx, job, f)
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.rules, "policy-file", "", "choose policies by the rules in a `file`")
	fs.StringVarP(&f.policy, "policy", "p", "", "the policy, as `TEXT`, of all records, or of those that no rule matches")
	fs.StringVar(&f.scope, "scope", "", "search domain, where a rule names none (default \"consortium\", or from the configuration)")
	fs.BoolVar(&f.noIndex, "no-index", false, "write no index entries, where a rule names no scope")
	fs.BoolVar(&f.split, "split", false, "take FHIR bundles and arrays (JSON) apart into their resources, and HL7 v2 batches into messages")
	fs.IntVar(&f.jobs, "jobs", 8, "`number` of records to read and seal at a time")
	fs.StringVar(&f.job, "job", "", "keep what is done in this `file` (default: one in the wallet for each directory or file)")
	fs.StringVar(&f.report, "report", "", "append a line of JSON for every record to a `file`")
	fs.BoolVar(&f.dryRun, "dry-run", false, "only show the policy, scope and keywords of each record")
	mustFlag(cmd.MarkFlagFilename("policy-file", "yaml", "yml"))
	mustFlag(cmd.MarkFlagFilename("job"))
	mustFlag(cmd.MarkFlagFilename("report"))
	return cmd
}

// newJob checks everything that can be checked without a connection.
func (f *importFlags) newJob(a *app, source string) (*importer.Job, error) {
	switch {
	case f.jobs < 1 || f.jobs > maxJobs:
		return nil, usagef("--jobs %d: a number from 1 to %d", f.jobs, maxJobs)
	case f.noIndex && f.scope != "":
		return nil, usagef("--scope and --no-index contradict each other")
	}
	rules, err := f.readRules(a)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(source)
	if err != nil {
		return nil, err
	}
	j := &importer.Job{Source: abs, Rules: rules, Split: f.split, Jobs: f.jobs, Scope: f.scope}
	if j.Scope == "" && !f.noIndex {
		j.Scope = a.settings.Scope
	}
	return j, nil
}

func (f *importFlags) readRules(a *app) (*importer.Rules, error) {
	rest := importer.Rule{Name: "--policy", Policy: f.policy}
	if f.policy != "" {
		if err := checkPolicy(f.policy); err != nil {
			return nil, err
		}
	}
	if f.rules == "" {
		if f.policy == "" {
			return nil, words.WithHint(usagef("no policy: who may open the records?"),
				"name them with --policy, or choose by rules with --policy-file; 'chartseal import --help' shows an example")
		}
		return importer.OneRule(rest)
	}
	text, err := a.readText(f.rules, 1<<20)
	if err != nil {
		return nil, err
	}
	rules, err := importer.ParseRules([]byte(text))
	if err == nil && f.policy != "" {
		rules, err = rules.Or(rest)
	}
	if err != nil {
		return nil, words.WithHint(fmt.Errorf("%s: %w", f.rules, err), "'chartseal import --help' shows an example of a rule file")
	}
	return rules, nil
}

// planImport prints what each record would get.
func (a *app) planImport(ctx context.Context, job *importer.Job) error {
	out := a.newPlanPrinter()
	job.Report = out.row
	sum, err := job.Plan(ctx)
	if endErr := out.end(); err == nil {
		err = endErr
	}
	if err != nil {
		return err
	}
	a.note("%s would be sealed, %d not; nothing was written", count(sum.Sealed, "record", "records"), sum.Failed+sum.Skipped)
	return importFailures(job.Source, sum)
}

// memoryLimit is above the live memory of an import. Near the limit, the collector works
// harder and garbage does not pile up.
const memoryLimit = 88 << 20

// limitMemory bounds the program's memory, unless GOMEMLIMIT does.
func limitMemory() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// runImport runs the job and prints its result, also if it was interrupted.
func (a *app) runImport(ctx context.Context, job *importer.Job, f importFlags) error {
	limitMemory()
	parallel := max(1, f.jobs/importer.InFlight)
	return a.session(session.Options{Parallel: parallel}, func(s *session.Session) (err error) {
		path, header := f.job, importer.Header{Actor: s.Ledger.Actor(), Source: job.Source, Split: job.Split}
		if path == "" {
			path = journalPath(s.User.Dir(), job.Source)
			if _, statErr := os.Stat(path); errors.Is(statErr, fs.ErrNotExist) {
				path = cmp.Or(importer.FindMoved(filepath.Dir(path), header), path)
			}
		}
		held, err := session.AttributeKeys(s.User)
		if err != nil {
			return err
		}
		if job.Secrets, err = importer.Secrets(held, header, f.job); err != nil {
			return err
		}
		if len(job.Secrets) > 0 {
			header.Secret = job.Secrets[0]
		}
		job.Journal, err = importer.OpenJournal(path, header)
		if errors.Is(err, client.ErrUnavailable) {
			return words.WithHint(err, "wait until the other import has ended; the same command then seals the rest")
		}
		if err != nil {
			return err
		}
		defer job.Journal.Close()
		if f.scope == "" && a.indexMode(s) == index.ModeNone {
			job.Scope = ""
		}
		job.Client, job.Ledger = s.Client, s.Ledger
		job.Flush = func(ctx context.Context, all bool) (int, error) {
			report, err := s.Client.FlushIndex(ctx, client.FlushOptions{All: all})
			return report.Records, err
		}
		job.Reindex = func(ctx context.Context, ids []string) error {
			done, err := s.Client.RebuildIndex(ctx, client.RebuildOptions{IDs: ids, KeepEntries: true})
			if n := len(done.Unopened); n > 0 && err == nil {
				a.warn("%s sealed by an earlier run cannot be opened, so nobody can tell whether the index has all entries", count(n, "record", "records"))
			}
			return err
		}
		out, err := a.newImportPrinter(f.report)
		if err != nil {
			return err
		}
		job.Report, job.Progress = out.row, out.progress
		sum, err := job.Run(ctx)
		if endErr := out.end(sum); err == nil {
			err = endErr
		}
		switch {
		case err == nil:
			return importFailures(job.Source, sum)
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, client.ErrUnavailable):
			return words.WithHint(err, "%s sealed; the same command again goes on from there", count(sum.Sealed+sum.Before, "record is", "records are"))
		}
		return err
	})
}

func importFailures(source string, sum importer.Summary) error {
	if sum.Failed == 0 {
		return nil
	}
	return words.WithHint(fmt.Errorf("import %s: %d of %d could not be sealed", source, sum.Failed, sum.Failed+sum.Sealed+sum.Before),
		"the reasons are above, and a --report file has all of them; the same command tries only these records again")
}

// journalPath is the default path of the job file of a source.
func journalPath(userDir, source string) string {
	name := sha256.Sum256([]byte(source))
	return filepath.Join(userDir, "state", "import", hex.EncodeToString(name[:16]))
}
