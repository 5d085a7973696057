package cli

import (
	"cmp"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// policyFlags name a policy.
type policyFlags struct {
	text string
	file string
}

func (f *policyFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVarP(&f.text, "policy", "p", "", "the policy, as `TEXT`: 'HospitalA:role=doctor or HospitalB:role=doctor'")
	fs.StringVar(&f.file, "policy-file", "", "read the policy from a `file`")
	mustFlag(cmd.MarkFlagFilename("policy-file"))
}

// read returns the text of the policy, and checks its form.
func (f *policyFlags) read(a *app) (text string, err error) {
	switch {
	case f.text != "" && f.file != "":
		return "", usagef("give the policy with --policy or with --policy-file, not both")
	case f.text != "":
		text = f.text
	case f.file != "":
		if text, err = a.readText(f.file, 1<<20); err != nil {
			return "", err
		}
	default:
		return "", words.WithHint(usagef("no policy: who may open it?"),
			"name them with --policy, for example --policy 'HospitalB:role=doctor'; 'chartseal policy check' explains a policy")
	}
	return text, checkPolicy(text)
}

// sealFlags are the flags of seal and amend.
type sealFlags struct {
	set        *pflag.FlagSet
	policy     policyFlags
	keywords   []string
	scope      string
	index      string
	mode       index.Mode // of index
	noIndex    bool
	patient    string
	patientKey string
	kind       string
}

func (f *sealFlags) add(cmd *cobra.Command) {
	f.policy.add(cmd)
	fs := cmd.Flags()
	f.set = fs
	fs.StringArrayVarP(&f.keywords, "keyword", "k", nil, "index the record under this `term` too (repeatable)")
	fs.StringVar(&f.scope, "scope", "", "search domain whose members find the record (default \"consortium\", or from the configuration)")
	fs.StringVar(&f.index, "index", "", "`when` to write index entries: now, batched or none (default from the configuration, your\norganisation's profile, or batched)")
	fs.BoolVar(&f.noIndex, "no-index", false, "the same as --index none")
	fs.StringVar(&f.patient, "patient", "", "patient `identifier`, if the record itself has none")
	fs.StringVar(&f.patientKey, "patient-key", "", "the patient's own age `recipient` (age1...); its key opens the record without attributes")
	fs.StringVar(&f.kind, "kind", "", "`kind` of record, if the record itself has none")
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
	text, err := f.policy.read(a)
	if err != nil {
		return client.SealRequest{}, err
	}
	sources, err := a.sources(files)
	if err != nil {
		return client.SealRequest{}, err
	}
	return client.SealRequest{
		Sources:          sources,
		Policy:           text,
		Scope:            f.scope,
		Keywords:         f.keywords,
		Patient:          f.patient,
		PatientRecipient: f.patientKey,
		Kind:             f.kind,
	}, nil
}

// checkIndex finds contradictions on the command line.
func (f *sealFlags) checkIndex() (err error) {
	if f.mode, err = index.ParseMode(f.index); err != nil {
		return words.WithHint(usagef("--index %q", f.index), "write now, batched or none")
	}
	if f.noIndex && f.mode != "" && f.mode != index.ModeNone {
		return usagef("--index %s and --no-index contradict each other", f.index)
	}
	if f.noIndex {
		f.mode = index.ModeNone
	}
	if f.scope != "" && f.mode == index.ModeNone {
		return usagef("--scope and --index none contradict each other")
	}
	return nil
}

// applyIndex takes the scope and the time of indexing from the command line, then the
// configuration, then the organisation's profile.
func (f *sealFlags) applyIndex(a *app, s *session.Session, r *client.SealRequest) {
	mode := cmp.Or(f.mode, a.indexMode(s), index.ModeBatched)
	if mode == index.ModeNone && f.scope == "" {
		r.Scope = ""
		return
	}
	r.Scope, r.Index = cmp.Or(f.scope, a.settings.Scope), index.ModeBatched
	if mode == index.ModeNow {
		r.Index = index.ModeNow
		if isTerminal(a.stderr) {
			a.note("with --index now all members can tell which index entries belong to these records, and about how many there are, but not their keywords")
		}
	}
}

// indexMode is the mode of the configuration, or else of the organisation's profile.
func (a *app) indexMode(s *session.Session) index.Mode {
	return cmp.Or(a.settings.Index, s.User.Profile.Index)
}
