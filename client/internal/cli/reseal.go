package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// resealFlags are the flags of reseal and revoke.
type resealFlags struct {
	policy     policyFlags
	patientKey string
	noPatient  bool
	sealedTo   string
	yes        bool
	job        jobFlags
}

func (f *resealFlags) add(cmd *cobra.Command) {
	f.policy.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.patientKey, "patient-key", "", "the patient's own age `recipient`, instead of the one that the records were sealed to")
	fs.BoolVar(&f.noPatient, "no-patient-key", false, "take the patient's own key away")
	fs.StringVar(&f.sealedTo, "sealed-to", "", "instead of RECORD: all records of your hospital whose policy names this `attribute`, as a job")
	f.job.add(cmd)
	addYes(cmd, &f.yes)
}

// selects reads --sealed-to, which takes the place of records.
func (f *resealFlags) selects(kind string, r client.ResealRequest) (*client.Job, error) {
	switch {
	case f.sealedTo == "" && len(r.IDs) == 0:
		return nil, usagef("which records? name them, or select them with --sealed-to")
	case f.sealedTo == "" && (f.job.dryRun || f.job.rate != 0):
		return nil, usagef("--rate and --dry-run belong to --sealed-to")
	case f.sealedTo == "":
		return nil, nil
	case len(r.IDs) > 0:
		return nil, usagef("name records, or select them with --sealed-to, not both")
	case f.patientKey != "" || f.noPatient:
		return nil, usagef("a patient's key is that of single records")
	case r.Person != "":
		return nil, usagef("--from names a person: leave it out, since --sealed-to seals records again whose attribute was rotated")
	}
	attribute, err := policy.ParseAttribute(f.sealedTo)
	if err != nil {
		return nil, usage(err)
	}
	return &client.Job{Kind: kind, Select: client.Selection{Attribute: attribute.String()}, Policy: r.Policy, Without: r.Without}, nil
}

// request reads the flags. A policy is needed unless optional is set.
func (f *resealFlags) request(a *app, args []string, optional bool) (r client.ResealRequest, err error) {
	r.PatientRecipient, r.DropPatient = f.patientKey, f.noPatient
	if r.IDs, err = recordIDs(args); err != nil {
		return r, err
	}
	if !optional || f.policy.text != "" || f.policy.file != "" {
		r.Policy, err = f.policy.read(a)
	}
	return r, err
}

func recordIDs(args []string) (ids []string, err error) {
	for _, arg := range args {
		id, err := recordID(arg)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (a *app) resealCommand() *cobra.Command {
	var f resealFlags
	cmd := &cobra.Command{
		Use:   "reseal (RECORD... --policy TEXT | --sealed-to ATTRIBUTE [--policy TEXT])",
		Short: "Change who can open records",
		Long: `Reseal wraps the keys of records anew, under another policy. It does so for all versions. The payload
stays on IPFS as it is, and the former wrapped keys are purged from every hospital's peer. People who
opened a record before may have kept it, or its key: 'chartseal revoke' also replaces the payload.

Only people of the hospital that sealed a record can reseal it: the author of a version, and the
custodian.

With --sealed-to, reseal finds the hospital's records whose policy names the attribute. It changes
those that were sealed to an earlier key, as after 'chartseal authority rotate', and those that have
another policy than --policy. This is a job, which 'chartseal job' shows and resumes.`,
		Example: `  chartseal --user custodian@HospitalA reseal 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 --policy 'HospitalA:role=doctor'`,
		GroupID: sectionRecords,
		Args:    takes(0, -1, ""),
		RunE: a.run(func(ctx context.Context, args []string) error {
			r, err := f.request(a, args, f.sealedTo != "")
			if err != nil {
				return err
			}
			j, err := f.selects(client.JobReseal, r)
			if err != nil {
				return err
			}
			if j != nil {
				return a.startJob(ctx, *j, f.job, f.yes)
			}
			return a.reseal(ctx, r, "resealed")
		}),
	}
	f.add(cmd)
	return cmd
}

func (a *app) revokeCommand() *cobra.Command {
	var f resealFlags
	var from string
	cmd := &cobra.Command{
		Use:   "revoke (RECORD... | --sealed-to ATTRIBUTE) (--policy TEXT | --from ATTRIBUTE | --from NAME@ORG)",
		Short: "Take access to records away",
		Long: `Revoke seals all versions of records again, with a new key and a new payload. The former wrapped
keys are purged from every hospital's peer, and hospitals unpin the former payloads. So a key that
somebody kept opens nothing that the consortium still stores. Nobody can take back a copy of the
record itself.

  --policy TEXT      replace the policies by this one
  --from ATTRIBUTE   take this attribute out of the policies
  --from NAME@ORG    keep the policies, and seal to the current keys of their attributes. First end
                     the person's attributes at their hospital: its registrar revokes the
                     certificate, then the authority rotates ('chartseal authority rotate')

With --sealed-to, revoke finds the hospital's records whose policy names the attribute. Without one
of the flags above it changes those that were sealed to an earlier key, as after 'chartseal authority
rotate'. This is a job, which 'chartseal job' shows and resumes.`,
		Example: `  chartseal --user custodian@HospitalA revoke 4f1a7c0e9b2d4e5f8a6b3c1d2e0f9a87 --from HospitalB:role=doctor`,
		GroupID: sectionRecords,
		Args:    takes(0, -1, ""),
		RunE: a.run(func(ctx context.Context, args []string) error {
			r, err := f.request(a, args, from != "" || f.sealedTo != "")
			if err != nil {
				return err
			}
			if err := setFrom(&r, from); err != nil {
				return err
			}
			j, err := f.selects(client.JobRevoke, r)
			if err != nil {
				return err
			}
			if j != nil {
				return a.startJob(ctx, *j, f.job, f.yes)
			}
			if err := a.confirm(f.yes, fmt.Sprintf("Replace the keys and payloads of %s?", count(len(r.IDs), "record", "records"))); err != nil {
				return err
			}
			r.NewPayload = true
			return a.reseal(ctx, r, "revoked")
		}),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&from, "from", "", "take access away from the holders of this `attribute`, or from this person, NAME@ORG")
	return cmd
}

func addYes(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}

// setFrom reads --from: an attribute, or a person.
func setFrom(r *client.ResealRequest, from string) (err error) {
	switch {
	case from == "":
	case r.Policy != "":
		return usagef("name the next policy, or from whom to take access, not both")
	case strings.Contains(from, "@"), strings.Contains(from, "/") && !strings.Contains(from, ":"):
		r.Person, err = actor(from)
	default:
		var attribute policy.Attribute
		if attribute, err = policy.ParseAttribute(from); err != nil {
			return words.WithHint(usage(err), "--from takes an attribute such as HospitalB:role=doctor, or a person such as doctor@HospitalB")
		}
		r.Without = attribute.String()
	}
	return err
}

func (a *app) reseal(ctx context.Context, r client.ResealRequest, did string) error {
	return a.withSession(func(s *session.Session) error {
		do := s.Client.Reseal
		if r.NewPayload {
			do = s.Client.Revoke
		}
		done, err := do(ctx, r)
		if printErr := a.printResealed(done, did); err == nil {
			err = printErr
		}
		return resealHint(err)
	})
}

func resealHint(err error) error {
	switch {
	case errors.Is(err, client.ErrNotSatisfied):
		return words.WithHint(err, "only someone who can open a record can seal it again: the author of the version, or the hospital's custodian, with the key in the custodian's wallet")
	case errors.Is(err, client.ErrExists):
		return words.WithHint(err, "'chartseal history RECORD' shows what happened")
	}
	return recordHint(err)
}

func (a *app) printResealed(done []client.Resealed, did string) error {
	warned := make(map[string]bool)
	for _, d := range done {
		for _, w := range d.Warnings {
			if !warned[w] {
				warned[w] = true
				a.warn("%s", w)
			}
		}
	}
	if a.global.json {
		return a.printJSON(append([]client.Resealed{}, done...)) // never null
	}
	if len(done) == 0 {
		return nil
	}
	t := newTable("RECORD", "VERSION", "SEAL", "POLICY")
	for _, d := range done {
		t.row(d.ID, fmt.Sprint(d.Version), fmt.Sprint(d.Seal), d.Policy)
	}
	if err := a.printTable(t); err != nil {
		return err
	}
	a.note("%s %s; the former keys are purged from every hospital's peer", did, count(len(done), "version", "versions"))
	return nil
}
