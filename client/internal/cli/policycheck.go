package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) policyCheckCommand() *cobra.Command {
	var (
		users   []string
		offline bool
		file    string
	)
	cmd := &cobra.Command{
		Use:   "check TEXT",
		Short: "Check a policy and show who satisfies it",
		Long: `Check explains a policy before you seal anything under it:

  policy      its canonical form; texts that differ only in spelling have the same one
  stanzas     how often the record's key is wrapped, and the reason if more than once
  attributes  the attributes it names, and whether their authorities have published them
  satisfied   the smallest sets of attributes that satisfy it
  users       the users of the local wallet, and whether their keys satisfy it
  warning     who could bypass the policy (an authority can issue itself every key under its own name),
              and which parts are redundant or unsatisfiable

Without a network, or with --offline, check does not know which attributes are published. Beside the
people that the policy names, two others can open a record: the records custodian of the hospital
that sealed it, and a patient whose key was given.

A policy joins attributes, MSPID:name or MSPID:name=value, with 'and' (binds tighter) and 'or', grouped
by parentheses and by 'k of (...)'. It may compare numbers from 0 to 65535, as in
HospitalA:clearance>=3. Quote odd values: HospitalA:ward="intensive care". A '#' starts a comment. If
an attribute is used twice, chartseal factors it out or splits the policy at 'or'.

With --user (repeatable) check looks only at these users, and the exit code is 4 if one of them does
not satisfy the policy. The code is 2 if the text is not a policy, and 3 if nobody has published one
of its attributes.`,
		Example: `  chartseal policy check 'HospitalA:role=doctor and 2 of (HospitalA:ward=1, HospitalB:ward=2, HospitalC:ward=3)'
  chartseal policy check 'HospitalB:role=doctor' --user doctor@HospitalB --user nurse@HospitalC`,
		Args: takes(0, 1, "one policy TEXT (in quotes)"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			text, err := a.policyArgument(args, file)
			if err != nil {
				return err
			}
			p, spans, err := parsePolicy(text)
			if err != nil {
				return err
			}
			var published map[string]int
			if !offline {
				published = a.publishedAttributes(ctx, users)
			}
			r := newPolicyReport(text, p, spans, published)
			if r.Users, err = a.checkUsers(p, users, published); err != nil {
				return err
			}
			if err := a.printPolicy(r); err != nil {
				return err
			}
			return r.verdict(text, len(users) > 0)
		}),
	}
	fs := cmd.Flags()
	// This --user takes the place of the global one, so that several can be compared. The
	// first is also the identity.
	fs.StringArrayVar(&users, "user", nil, "does `NAME@ORG` satisfy it? (repeatable)")
	fs.BoolVar(&offline, "offline", false, "do not ask the ledger which attributes are published")
	fs.StringVar(&file, "policy-file", "", "read the policy from a `file`")
	return cmd
}

func (a *app) policyArgument(args []string, file string) (string, error) {
	switch {
	case file != "" && len(args) > 0:
		return "", usagef("give the policy as text or with --policy-file, not both")
	case file != "":
		return a.readText(file, policy.MaxText)
	case len(args) == 1:
		return args[0], nil
	}
	return "", usagef("chartseal policy check needs one policy TEXT (in quotes)")
}

// checkUsers checks the attribute keys of users in the wallet: the named ones, or all. A
// key counts if its version is the published one, or if the ledger was not asked.
func (a *app) checkUsers(p *policy.Policy, named []string, published map[string]int) ([]userCheck, error) {
	checks := []userCheck{}
	users := named
	if len(users) == 0 {
		var err error
		if users, err = a.walletUsers(); err != nil {
			return checks, nil // a policy can be checked without a wallet
		}
	}
	for _, user := range users {
		held, err := a.heldVersions(user)
		if err != nil && len(named) > 0 {
			return nil, err
		} else if err != nil {
			a.warn("%v", err)
			continue
		}
		checks = append(checks, checkUser(p, user, held, published))
	}
	return checks, nil
}

func checkUser(p *policy.Policy, user string, held map[string][]int, published map[string]int) userCheck {
	check := userCheck{User: user, Held: slices.Sorted(maps.Keys(held)), Missing: []string{}, Stale: []staleCheck{}}
	if check.Held == nil {
		check.Held = []string{}
	}
	usable := func(name string) bool {
		return held[name] != nil && (published == nil || slices.Contains(held[name], published[name]))
	}
	check.Satisfied = p.Satisfied(usable)
	if check.Satisfied {
		return check
	}
	if missing := p.Missing(usable, 1); len(missing) > 0 {
		check.Missing = missing[0]
	}
	for _, name := range p.Attributes() {
		if held[name] != nil && published[name] > 0 && !usable(name) {
			check.Stale = append(check.Stale, staleCheck{name, held[name], published[name]})
		}
	}
	return check
}

// heldVersions returns, by attribute, the versions of the keys that a user holds, in
// ascending order.
func (a *app) heldVersions(name string) (map[string][]int, error) {
	u, err := a.walletUser(name, "--user")
	if err != nil {
		return nil, err
	}
	keys, err := attributeKeys(u)
	if err != nil {
		return nil, err
	}
	held := make(map[string][]int)
	for _, k := range keys {
		held[k.Name()] = append(held[k.Name()], k.Version())
	}
	for _, versions := range held {
		slices.Sort(versions)
	}
	return held, nil
}

// publishedAttributes asks the ledger as the first of users, if there are any. If it
// cannot ask, it writes a note and returns nil.
func (a *app) publishedAttributes(ctx context.Context, users []string) map[string]int {
	if len(users) > 0 {
		a.settings.User, a.settings.UserFrom = users[0], "--user"
	}
	if a.settings.User == "" {
		a.note("the published attributes were not looked up: no --user to ask the ledger as")
		return nil
	}
	published := make(map[string]int)
	err := a.withLedger(func(s *session.Session) error {
		list, err := s.Ledger.Attributes(ctx)
		for _, attribute := range list {
			published[attribute.Name] = attribute.Version
		}
		return err
	})
	if err != nil {
		a.note("the published attributes were not looked up: %v", err)
		return nil
	}
	return published
}

// verdict returns the error that decides the exit code.
func (r *policyReport) verdict(text string, usersNamed bool) error {
	if len(r.Unknown) > 0 {
		u := r.Unknown[0]
		err := &words.Advised{
			Err:   ledger.Errorf(ledger.ErrNotFound, "line %d, column %d: attribute %s is not published by any authority", u.Line, u.Column, u.Name),
			Hint:  "the authority of its hospital has to publish it before anyone can seal under it",
			Lines: u.caret(text),
		}
		if len(u.Suggestions) > 0 {
			err.Hint = fmt.Sprintf("did you mean %s?", u.Suggestions[0])
		}
		return err
	}
	if !usersNamed {
		return nil
	}
	var refused []string
	for _, u := range r.Users {
		if !u.Satisfied {
			refused = append(refused, u.User)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return words.WithHint(fmt.Errorf("%w by %s", abe.ErrNotSatisfied, strings.Join(refused, ", ")),
		"by the attribute keys in this wallet; 'chartseal --user %s keys request' asks for more", refused[0])
}
