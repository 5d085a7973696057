package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
)

const rulesHelp = `The rule file is a list of rules. Each rule grants one attribute under the hospital's own name:

  rules:
    - grant: role={role}              # the value of the certificate attribute 'role' ...
      values: [doctor, nurse]         # ... if it is one of these
    - grant: ward={ward}
      values: ["*"]                   # any value; publish it with 'authority publish --attribute'
    - grant: senior                   # fixed, for everyone whose certificate has both
      when: {role: doctor, grade: consultant}
    - grant: department=cardiology    # a fixed value
      when: {unit: "*"}               # any value, but the attribute must be there
    - grant: visitor=cardiology       # visiting rights: for people of other hospitals
      members: [HospitalB]            # whose CA vouches for role and department; ["*"] is every member
      when: {role: doctor, department: cardiology}
    - grant: board
      holders: [HospitalB/jones]      # for named people, MSPID/enrolment-id
    - grant: clearance={clearance}    # a number, for policies such as HospitalA:clearance>=3
      number: {max: 7}

A rule without members or holders is for the hospital's own people. All conditions of a rule must
hold.`

func (a *app) authorityRulesCommand() *cobra.Command {
	cmd := parentCommand("rules", "Check the attributes that rules grant", "", a.authorityRulesCheckCommand())
	cmd.Long = rulesHelp
	return cmd
}

func (a *app) authorityRulesCheckCommand() *cobra.Command {
	var msp, who string
	var with []string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a rule file and list the attributes it grants",
		Long: `Check reads a rule file and lists the attributes that 'authority publish' would publish. With --holder
it lists instead the attributes of one person, whose certificate has the attributes named with
--with. The exit code is 4 if the rules grant that person nothing.

` + rulesHelp,
		Example: `  chartseal authority rules check rules.yaml --msp HospitalA
  chartseal authority rules check rules.yaml --msp HospitalA --holder HospitalB/jones --with role=doctor`,
		Args: takes(1, 1, "one FILE"),
		RunE: a.run(func(_ context.Context, args []string) error {
			if msp == "" {
				u, err := a.user()
				if err != nil {
					return words.WithHint(err, "or name the authority with --msp")
				}
				msp = u.Profile.MSP
			}
			_, rules, err := readRules(args[0], msp)
			if err != nil {
				return err
			}
			if who == "" && len(with) > 0 {
				return usagef("--with names an attribute of a certificate: name the holder of the certificate with --holder")
			}
			row := rulesRow{Authority: msp, Holder: who, Attributes: append([]string{}, rules.Attributes()...)}
			if who != "" {
				h, err := holder(who, with)
				if err != nil {
					return err
				}
				row.Attributes = append([]string{}, rules.Grant(h, time.Now())...)
			}
			if a.global.json {
				err = a.printJSON(row)
			} else {
				err = a.printLines(row.Attributes)
			}
			if err == nil && who != "" && len(row.Attributes) == 0 {
				return words.WithHint(ledger.Errorf(ledger.ErrDenied, "these rules grant %s nothing", who), "look at members, holders and when of each rule")
			}
			return err
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&msp, "msp", "", "the `MSP` whose authority the rules are for (default: your own)")
	fs.StringVar(&who, "holder", "", "list the attributes of this person, `MSPID/enrolment-id`")
	fs.StringArrayVar(&with, "with", nil, "`name=value` of an attribute in their certificate (repeatable)")
	return cmd
}

// A rulesRow is the output of 'authority rules check --json'.
type rulesRow struct {
	Authority  string   `json:"authority"`
	Holder     string   `json:"holder,omitempty"`
	Attributes []string `json:"attributes"` // that are published, or that the holder gets
}

func holder(who string, with []string) (*authority.Holder, error) {
	msp, id, found := strings.Cut(who, "/")
	if !found || msp == "" || id == "" {
		return nil, usagef("--holder %q: want MSPID/enrolment-id", who)
	}
	h := &authority.Holder{MSP: msp, EnrollmentID: id, Attributes: make(map[string]string)}
	for _, w := range slices.Concat([]string{"hf.EnrollmentID=" + id}, with) {
		name, value, found := strings.Cut(w, "=")
		if !found || name == "" || value == "" {
			return nil, usagef("--with %q: want name=value", w)
		}
		h.Attributes[name] = value
	}
	return h, nil
}
