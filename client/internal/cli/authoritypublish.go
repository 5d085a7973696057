package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/keys"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/trust"
)

func (a *app) authorityPublishCommand() *cobra.Command {
	f := newAuthorityFlags()
	var announcement ledger.Announcement
	var attributes []string
	var skipCheck bool
	cmd := &cobra.Command{
		Use:   "publish --dir DIR --url URL",
		Short: "Announce the authority and publish its attributes on the ledger",
		Long: `Publish puts three things on the ledger: the authority's address, the recipient of the hospital's
records custodian, and the public key of every attribute that the rule file can grant. Sealers take
the keys from there. All of it is signed with your enrolment key: clients refuse what the hospital's
authority or administrator has not signed. Publish does not change keys that are published already,
but it signs those that have no valid signature. To publish an attribute of a wildcard rule, name it
with --attribute.

Publish first asks the server at --url for its name, as people will when they request keys. Its TLS
certificate must be from your organisation's TLS CA. If you publish before the server runs, skip
this check with --skip-url-check.`,
		Example: `  chartseal --user authority@HospitalA authority publish --dir authority --identity authority.txt \
    --url https://authority.hospital-a.example:7060 --custodian age1...`,
		Args: takes(0, 0, ""),
		RunE: a.run(f.checked(func(ctx context.Context, _ []string) error {
			if announcement.URL == "" {
				return usagef("where is the authority? name its https address with --url")
			}
			if err := keys.CheckURL(announcement.URL); err != nil {
				return words.WithHint(err, "name the address at which people of all hospitals reach the server, such as https://authority.hospital-a.example:7060")
			}
			return a.withPublisher(f, func(s *session.Session, m master) error {
				names, err := f.published(s.User.Profile.MSP, attributes)
				if err != nil {
					return err
				}
				if !skipCheck {
					if err := reach(ctx, s, announcement.URL); err != nil {
						return err
					}
				}
				return a.publish(ctx, s, m, f, announcement, names)
			})
		})),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&announcement.URL, "url", "", "https `address` at which people reach the authority (required)")
	fs.BoolVar(&skipCheck, "skip-url-check", false, "do not ask the server at --url first; it may not run yet")
	fs.StringVar(&announcement.Custodian, "custodian", "", "age `recipient` of the hospital's records custodian (default: the one announced before)")
	fs.StringArrayVar(&attributes, "attribute", nil, "also publish this attribute, `MSPID:name=value` (repeatable)")
	return cmd
}

// published lists the attributes to publish: those that the rules name, and further ones
// that the rules cover.
func (f *authorityFlags) published(msp string, further []string) ([]string, error) {
	rules, err := f.rules(msp)
	if err != nil {
		return nil, err
	}
	names := rules.Attributes()
	for _, name := range further {
		if !rules.Covers(name) {
			return nil, words.WithHint(usagef("no rule of this authority grants %s", name), "add a rule to %s first", authorityDir{f.dir}.rulesPath())
		}
		names = append(names, name)
	}
	return names, nil
}

// reach asks the authority's server for its name.
func reach(ctx context.Context, s *session.Session, url string) error {
	members, err := s.Members(ctx)
	if err != nil {
		return err
	}
	own := slices.IndexFunc(members, func(m authority.MSP) bool { return m.ID == s.User.Profile.MSP })
	if own < 0 {
		return ledger.Errorf(ledger.ErrDenied, "%s is not a member of the channel", s.User.Profile.MSP)
	}
	err = keys.Reach(ctx, url, members[own], enrolmentTLS(s.User))
	switch {
	case errors.Is(err, ledger.ErrUnavailable):
		return words.WithHint(err, "start 'chartseal authority serve' first, or publish with --skip-url-check; nothing was published")
	case err != nil:
		return words.WithHint(err, "'authority serve' must use a TLS certificate of your organisation that names this host; nothing was published")
	}
	return nil
}

// signing returns how the user signs what their authority publishes.
func signing(s *session.Session) (by keys.Signing, err error) {
	by.Trust = s.Trust()
	by.Signer, err = trust.NewSigner(s.User.Signer(), s.User.Certificate)
	return by, err
}

func (a *app) publish(ctx context.Context, s *session.Session, m master, f authorityFlags, announcement ledger.Announcement, names []string) error {
	by, err := signing(s)
	if err != nil {
		return err
	}
	announced, err := keys.Announce(ctx, s.Ledger, by, announcement)
	if err != nil {
		return err
	}
	published, err := keys.Publish(ctx, s.Ledger, by, m, names)
	if err != nil {
		return masterHint(err, f.dir)
	}
	signed, err := keys.Sign(ctx, s.Ledger, by, m)
	if err != nil {
		return masterHint(err, f.dir)
	}
	if signed > 0 {
		a.note("%s of an earlier release, or of a revoked signer, now signed", count(signed, "key is", "keys are"))
	}
	if a.global.json {
		return a.printJSON(publishedRow{Authority: s.Ledger.MSP(), Announced: announced, Published: append([]string{}, published...)})
	}
	a.note("%d attributes of %s are published, %d of them now", len(names), s.Ledger.MSP(), len(published))
	return a.printLines(published)
}

// A publishedRow is the output of 'authority publish --json'.
type publishedRow struct {
	Authority string   `json:"authority"`
	Announced bool     `json:"announced"` // by this call
	Published []string `json:"published"` // by this call
}
