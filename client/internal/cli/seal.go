package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/chartseal/chartseal/client"
)

// sealFlags are what seal and amend have in common.
type sealFlags struct {
	set        *pflag.FlagSet
	policy     string
	policyFile string
	keywords   []string
	scope      string
	index      string
	noIndex    bool
	patient    string
	patientKey string
	kind       string
}

func (f *sealFlags) addPolicy(cmd *cobra.Command) {
	fs := cmd.Flags()
	f.set = fs
	fs.StringVarP(&f.policy, "policy", "p", "", "the policy, as `TEXT`: 'HospitalA:role=doctor or HospitalB:role=doctor'")
	fs.StringVar(&f.policyFile, "policy-file", "", "read the policy from a `file`")
	mustFlag(cmd.MarkFlagFilename("policy-file"))
}

func (f *sealFlags) add(cmd *cobra.Command) {
	f.addPolicy(cmd)
	fs := cmd.Flags()
	fs.StringArrayVarP(&f.keywords, "keyword", "k", nil, "find it by this `term` too (repeatable)")
	fs.StringVar(&f.scope, "scope", "", "search domain whose members find it (default \"consortium\", or from the configuration)")
	fs.StringVar(&f.index, "index", "", "`when` to write index entries: now, batched or none (default from the configuration, your\norganisation's profile, or batched); now shows all members which entries belong to the record")
	fs.BoolVar(&f.noIndex, "no-index", false, "the same as --index none")
	fs.StringVar(&f.patient, "patient", "", "patient `identifier`, when it is not in the record itself")
	fs.StringVar(&f.patientKey, "patient-key", "", "the patient's own age `recipient` (age1...), who can then open it without attributes")
	fs.StringVar(&f.kind, "kind", "", "`kind` of record, when it is not in the record itself")
}

// request checks everything that can be checked without a connection.
func (f *sealFlags) request(a *app, files []string) (client.SealRequest, error) {
	if err := f.checkIndex(); err != nil {
		return client.SealRequest{}, err
	}
	for _, name := range []string{"scope", "patient", "patient-key", "kind"} { // an unset variable of the shell, most likely
		if flag := f.set.Lookup(name); flag.Changed && flag.Value.String() == "" {
			return client.SealRequest{}, usagef("--%s is empty", name)
		}
	}
	text, err := f.policyText(a)
	if err != nil {
		return client.SealRequest{}, err
	}
	if err := checkPolicy(text); err != nil {
		return client.SealRequest{}, err
	}
	sources, err := a.sources(files)
	if err != nil {
		return client.SealRequest{}, err
	}
	r := client.SealRequest{
		Sources:          sources,
		Policy:           text,
		Scope:            f.scope,
		Keywords:         f.keywords,
		Patient:          f.patient,
		PatientRecipient: f.patientKey,
		Kind:             f.kind,
	}
	return r, nil
}

func (f *sealFlags) policyText(a *app) (string, error) {
	switch {
	case f.policy != "" && f.policyFile != "":
		return "", usagef("give the policy with --policy or with --policy-file, not both")
	case f.policy != "":
		return f.policy, nil
	case f.policyFile != "":
		return a.readText(f.policyFile, 1<<20)
	}
	return "", withHint(usagef("no policy: who may open it?"),
		"name them with --policy, for example --policy 'HospitalB:role=doctor'; 'chartseal policy check' explains a policy")
}

// readText reads a small text file; "-" is stdin.
func (a *app) readText(path string, limit int64) (string, error) {
	r := a.stdin
	if path != "-" {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return "", usagef("%s is a directory", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(b)) > limit {
		return "", usagef("%s is larger than %s", path, bytesText(limit))
	}
	return string(b), nil
}

// sources turns file arguments into sources and refuses what cannot be read.
func (a *app) sources(files []string) ([]client.Source, error) {
	var sources []client.Source
	for i, file := range files {
		if file == "-" {
			if slices.Contains(files[:i], "-") {
				return nil, usagef("standard input (-) can be sealed only once")
			}
			sources = append(sources, client.ReaderSource("stdin", a.stdin))
			continue
		}
		s := client.FileSource(file)
		switch err := s.Check(); {
		case errors.Is(err, client.ErrNotFound):
			return nil, withHint(err, "check the name of the file")
		case errors.Is(err, client.ErrInvalid):
			return nil, withHint(err, "name files one by one, or those of a directory as %s", filepath.Join(file, "*"))
		case err != nil:
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, nil
}

// A sealedRow is what --json prints for one sealed file.
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
	Warnings   []string `json:"warnings"`
}

func rowOf(file string, s client.Sealed) sealedRow {
	return sealedRow{
		File: file, Record: s.ID, Version: s.Version, CID: s.CID, Commitment: s.Commitment, Kind: s.Kind, Size: s.Size,
		Stored: s.Stored, Keywords: s.Terms, Policy: s.Policy, Time: s.Time, Tx: s.Tx,
		Warnings: append([]string{}, s.Warnings...), // never null
	}
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

// printBatch prints what was sealed. Of more files than fit into one transaction some may
// be sealed although there was an error; they are printed as well, since they are on the
// ledger.
func (a *app) printBatch(files []string, sealed []client.Sealed, err error) error {
	if err != nil && len(sealed) == 0 {
		return sealHint(err)
	}
	rows := make([]sealedRow, len(sealed))
	for i, one := range sealed {
		rows[i] = rowOf(files[i], one)
	}
	if printErr := a.printSealed(rows); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err != nil {
		err = withHint(err, "the first %d of %d files are sealed, as printed; seal the others again", len(sealed), len(files))
	}
	return err
}

func (a *app) sealCommand() *cobra.Command {
	var f sealFlags
	cmd := &cobra.Command{
		Use:   "seal FILE... --policy TEXT",
		Short: "Seal records so that only those who meet a policy open them",
		Long: `Seal encrypts each file under the policy, stores the ciphertext on your hospital's IPFS node and
registers it on the ledger. "-" reads standard input. Keywords come from the record itself where
its format is known (see 'chartseal keywords'), and from --keyword, which may also name a field,
as in icd10:I21.4 or date:2020-03-14. Up to 100 files are registered together, all or none.

With --index batched, index entries wait in your wallet for those of other records, so that nobody
can tell which of them belong together; the records are found by their keywords when all are
written ('chartseal index' shows and writes what waits). With --index now they are written at once:
all members can tell, for ever, which entries belong to the records of this call, and about how
many keywords these have; not which. With --index none records are found only by their id.`,
		Example: `  chartseal seal report.json --policy 'HospitalA:role=doctor or HospitalB:role=doctor'
  chartseal seal scan.dcm --policy-file cardiology.policy --keyword follow-up --json`,
		GroupID: groupRecords,
		Args:    takes(1, -1, "at least one FILE (or - for standard input)"),
		RunE: a.run(func(ctx context.Context, files []string) error {
			req, err := f.request(a, files)
			if err != nil {
				return err
			}
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			f.applyIndex(a, s, &req)
			var stop func()
			req.Progress, stop = a.progress("sealing")
			defer stop()
			sealed, err := s.Client.Seal(ctx, req)
			stop()
			a.noteWaiting(s, req)
			return a.printBatch(files, sealed, err)
		}),
	}
	f.add(cmd)
	return cmd
}

func sealHint(err error) error {
	switch {
	case errors.Is(err, client.ErrNotFound):
		return withHint(err, "'chartseal policy check' tells which attributes are published, 'chartseal scope list' which scopes there are")
	case errors.Is(err, client.ErrNotSatisfied):
		return withHint(err, "your attribute keys do not open the scope's key: name another --scope, or use --index none")
	}
	return err
}

func (a *app) amendCommand() *cobra.Command {
	var f sealFlags
	cmd := &cobra.Command{
		Use:   "amend RECORD FILE --policy TEXT",
		Short: "Add a version to a record",
		Long: `Amend seals a file as the next version of a record. Earlier versions stay readable to those whom
their own policies name. Only the hospital that sealed the record may amend it.`,
		GroupID: groupRecords,
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
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			f.applyIndex(a, s, &req)
			var stop func()
			req.Progress, stop = a.progress("sealing")
			defer stop()
			sealed, err := s.Client.Amend(ctx, client.AmendRequest{ID: id, SealRequest: req})
			stop()
			if errors.Is(err, client.ErrNotFound) {
				return withHint(err, "check the record id, the attributes with 'chartseal policy check', the scope with 'chartseal scope list'")
			} else if errors.Is(err, client.ErrDenied) {
				return withHint(err, "only the hospital that sealed a record amends it")
			} else if err != nil {
				return sealHint(err)
			}
			a.noteWaiting(s, req)
			return a.printSealed([]sealedRow{rowOf(args[1], sealed)})
		}),
	}
	f.add(cmd)
	return cmd
}
