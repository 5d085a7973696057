package cli

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// anyPrime compiles a policy only to see whether and into how many stanzas it can be; any prime over policy.MaxAttributes does.
var anyPrime = big.NewInt(65537)

// parsePolicy reads a policy; a mistake in it is shown with a caret.
func parsePolicy(text string) (*policy.Policy, []*policy.Span, error) {
	p, err := policy.Parse(text)
	if err != nil {
		return nil, nil, policyError(text, err)
	}
	spans, err := p.Spans(anyPrime)
	if err != nil {
		return nil, nil, policyError(text, err)
	}
	return p, spans, nil
}

func checkPolicy(text string) error {
	_, _, err := parsePolicy(text)
	return err
}

func policyError(text string, err error) error {
	talk := &talkError{err: usage(err), hint: "'chartseal policy check --help' shows the language"}
	var at *policy.SyntaxError
	if errors.As(err, &at) {
		talk.lines = strings.Split(at.Caret(text), "\n")
		if at.Hint != "" {
			talk.hint = at.Hint
		}
	}
	return talk
}

// A policyReport is what 'policy check --json' prints.
type policyReport struct {
	Policy      string           `json:"policy"` // canonical form
	Authorities []string         `json:"authorities"`
	Attributes  []attributeCheck `json:"attributes"`
	Stanzas     int              `json:"stanzas"` // how often the key is wrapped
	Sets        [][]string       `json:"sets"`    // smallest sets of attributes that satisfy it
	MoreSets    bool             `json:"moreSets"`
	Users       []userCheck      `json:"users"`
	Ledger      bool             `json:"ledger"` // the attributes were compared with the published ones
}

type attributeCheck struct {
	Name       string `json:"name"`
	Published  *bool  `json:"published"` // null when the ledger was not asked
	Version    int    `json:"version,omitempty"`
	Suggestion string `json:"suggestion,omitempty"`
}

type userCheck struct {
	User      string   `json:"user"`
	Satisfied bool     `json:"satisfied"`
	Held      []string `json:"held"`    // attribute keys in the wallet
	Missing   []string `json:"missing"` // a smallest set that would satisfy the policy together with them
}

// maxSets bounds how many ways to satisfy a policy are listed.
const maxSets = 12

func (a *app) policyCommand() *cobra.Command {
	return group("policy", "Find out what a policy means", groupPeople, a.policyCheckCommand())
}

func (a *app) policyCheckCommand() *cobra.Command {
	var (
		users   []string
		offline bool
		file    string
	)
	cmd := &cobra.Command{
		Use:   "check TEXT",
		Short: "Check a policy and tell who satisfies it",
		Long: `Check prints the canonical form of a policy, which attributes it needs, whether their authorities
have published them, and who satisfies it: the smallest sets of attributes, and which users of the
local wallet hold the keys. Without a network, or with --offline, all but the published attributes
is still answered.

A policy is attributes, MSPID:name or MSPID:name=value, joined by 'and' (binds tighter) and 'or',
grouped by parentheses and by 'k of (...)'; numbers are compared as in HospitalA:clearance>=3. Odd
values are quoted:
HospitalA:ward="intensive care". A '#' starts a comment.

With --user (repeatable) only these users are looked at, and the exit code is 4 if one of them
does not satisfy the policy. It is 2 for text that is not a policy and 3 for attributes that
nobody has published.`,
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
			r := policyReport{Policy: p.String(), Authorities: p.Authorities(), Stanzas: len(spans)}
			if r.Users, err = a.checkUsers(p, users); err != nil {
				return err
			}
			var published map[string]int
			if !offline {
				published = a.publishedAttributes(ctx, users)
			}
			r.fill(p, published)
			if err := a.printPolicy(r); err != nil {
				return err
			}
			return r.verdict(len(users) > 0)
		}),
	}
	fs := cmd.Flags()
	// This --user takes the place of the global one, so that several can be compared. The first is also the identity.
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

// checkUsers looks at the attribute keys of users in the wallet: those named, or all.
func (a *app) checkUsers(p *policy.Policy, named []string) ([]userCheck, error) {
	checks := []userCheck{}
	users := named
	if len(users) == 0 {
		var err error
		if users, err = a.walletUsers(); err != nil {
			return checks, nil // a policy can be checked without a wallet
		}
	}
	for _, user := range users {
		held, err := a.heldAttributes(user)
		if err != nil && len(named) > 0 {
			return nil, err
		} else if err != nil {
			a.warn("%v", err)
			continue
		}
		check := userCheck{User: user, Held: held, Missing: []string{}}
		check.Satisfied = p.Satisfied(policy.Holding(held...))
		if missing := p.Missing(policy.Holding(held...), 1); len(missing) > 0 {
			check.Missing = missing[0]
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// publishedAttributes asks the ledger, with the first of users as identity if there are any. It returns nil when that
// cannot be done, which is said but is no failure.
func (a *app) publishedAttributes(ctx context.Context, users []string) map[string]int {
	if len(users) > 0 {
		a.set.user, a.set.userFrom = users[0], "--user"
	}
	if a.set.user == "" {
		a.note("the published attributes were not looked up: no --user to ask the ledger as")
		return nil
	}
	s, err := a.connect(ctx)
	if err != nil {
		a.note("the published attributes were not looked up: %v", err)
		return nil
	}
	defer s.Close()
	list, err := s.ledger.Attributes(ctx)
	if err != nil {
		a.note("the published attributes were not looked up: %v", err)
		return nil
	}
	published := make(map[string]int, len(list))
	for _, attribute := range list {
		published[attribute.Name] = attribute.Version
	}
	return published
}

func (r *policyReport) fill(p *policy.Policy, published map[string]int) {
	r.Ledger = published != nil
	names := make([]string, 0, len(published))
	for name := range published {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range p.Attributes() {
		check := attributeCheck{Name: name}
		version, ok := published[name]
		if r.Ledger {
			check.Published, check.Version = &ok, version
			if !ok {
				check.Suggestion = nearest(name, names)
			}
		}
		r.Attributes = append(r.Attributes, check)
	}
	sets, complete := p.MinimalSets(maxSets)
	r.Sets, r.MoreSets = sets, !complete
}

// verdict is the error that decides the exit code.
func (r *policyReport) verdict(usersNamed bool) error {
	for _, check := range r.Attributes {
		if check.Published != nil && !*check.Published {
			err := ledger.Errorf(ledger.ErrNotFound, "attribute %s is not published by any authority", check.Name)
			if check.Suggestion != "" {
				return withHint(err, "did you mean %s?", check.Suggestion)
			}
			return withHint(err, "the authority of its hospital has to publish it before anyone can seal under it")
		}
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
	return withHint(fmt.Errorf("%w by %s", abe.ErrNotSatisfied, strings.Join(refused, ", ")),
		"by the attribute keys in this wallet; 'chartseal --user %s keys request' asks for more", refused[0])
}

func (a *app) printPolicy(r policyReport) error {
	if a.global.json {
		return a.printJSON(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "policy      %s\n", clean(r.Policy))
	fmt.Fprintf(&b, "stanzas     %d\n", r.Stanzas)
	label := "attributes"
	for _, c := range r.Attributes {
		state := ""
		switch {
		case c.Published == nil:
		case *c.Published:
			state = fmt.Sprintf("  (published, version %d)", c.Version)
		case c.Suggestion != "":
			state = fmt.Sprintf("  (NOT PUBLISHED; did you mean %s?)", c.Suggestion)
		default:
			state = "  (NOT PUBLISHED)"
		}
		fmt.Fprintf(&b, "%-11s %s%s\n", label, clean(c.Name), clean(state))
		label = ""
	}
	label = "satisfied"
	for _, set := range r.Sets {
		fmt.Fprintf(&b, "%-11s by %s\n", label, clean(strings.Join(set, " and ")))
		label = ""
	}
	switch {
	case len(r.Sets) == 0:
		fmt.Fprintf(&b, "%-11s by nobody\n", label)
	case r.MoreSets:
		fmt.Fprintf(&b, "%-11s and in more ways\n", "")
	}
	label = "users"
	for _, u := range r.Users {
		if u.Satisfied {
			fmt.Fprintf(&b, "%-11s yes  %s\n", label, clean(u.User))
		} else {
			fmt.Fprintf(&b, "%-11s no   %s, lacks %s\n", label, clean(u.User), clean(strings.Join(u.Missing, " and ")))
		}
		label = ""
	}
	return a.printf("%s", b.String())
}
