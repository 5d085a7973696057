package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client/internal/words"
)

func (a *app) authoritySplitCommand() *cobra.Command {
	f := newAuthorityFlags()
	var threshold, shares int
	var recipients []string
	var output string
	cmd := &cobra.Command{
		Use:   "split --dir DIR --threshold K --recipient age1... --recipient age1... -o DIRECTORY",
		Short: "Split a backup of the master secret among custodians",
		Long: `Split writes one share of the master secret for each --recipient, and seals it to that recipient. Any
K shares together give the master secret back with 'authority combine'. Fewer shares reveal nothing
about it (Shamir secret sharing). Combine detects a share that is damaged or belongs to another
split (Feldman commitments).

Split puts the rules, which are not secret, beside the shares. The authority works as before. When a
custodian changes, or after 'authority replace', split again and have the old shares destroyed: old
and new shares do not combine.`,
		Example: `  chartseal --user authority@HospitalA authority split --dir authority --identity authority.txt --threshold 2 \
    --recipient age1aaa... --recipient age1bbb... --recipient age1ccc... -o shares`,
		Args: takes(0, 0, ""),
		RunE: a.run(f.checked(func(context.Context, []string) error {
			switch {
			case output == "":
				return usagef("name a directory for the shares with -o")
			case shares != 0 && shares != len(recipients):
				return usagef("%d shares for %d recipients: each share needs a custodian of its own", shares, len(recipients))
			case threshold < 2 || threshold > len(recipients) || len(recipients) > abe.MaxShares:
				return usagef("threshold %d of %d recipients: want 2 or more, and no more than recipients, of which there may be %d", threshold, len(recipients), abe.MaxShares)
			}
			if len(slices.Compact(slices.Sorted(slices.Values(recipients)))) != len(recipients) {
				return usagef("a recipient is named twice: one custodian would hold two shares")
			}
			to, err := parseRecipients(recipients)
			if err != nil {
				return err
			}
			return a.withMaster(f, func(m master) error { return a.split(f, m, threshold, to, output) })
		})),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.IntVar(&threshold, "threshold", 0, "the `number` of shares that give the master secret back, 2 or more (required)")
	fs.IntVar(&shares, "shares", 0, "the `number` of shares (default: one for each recipient)")
	fs.StringArrayVar(&recipients, "recipient", nil, "age `recipient` of one custodian, age1... (repeatable)")
	fs.StringVarP(&output, "output", "o", "", "write the shares into this `directory` (required)")
	return cmd
}

// A splitRow is the output of 'authority split --json'.
type splitRow struct {
	Shares    []string `json:"shares"` // paths, in the order of recipients
	Threshold int      `json:"threshold"`
	Rules     string   `json:"rules"`
}

func (a *app) split(f authorityFlags, m master, threshold int, to []age.Recipient, output string) error {
	rules, err := os.ReadFile(authorityDir{f.dir}.rulesPath())
	if err != nil {
		return fmt.Errorf("rules of the authority: %w", err)
	}
	shares, err := abe.SplitMaster(m, threshold, len(to), rand.Reader)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(output, 0o700); err != nil {
		return err
	}
	row := splitRow{Threshold: threshold, Rules: filepath.Join(output, "rules.yaml")}
	if err := put(row.Rules, rules, false); err != nil {
		return err
	}
	for i, share := range shares {
		sealed, err := abe.SealShare(share, to[i])
		path := filepath.Join(output, fmt.Sprintf("share-%d-of-%d.age", i+1, len(to)))
		if err == nil {
			err = put(path, sealed, false)
		}
		if err != nil { // half a set is of no use, and looks like a whole one
			for _, made := range append(row.Shares, row.Rules) {
				err = errors.Join(err, os.Remove(made))
			}
			return err
		}
		row.Shares = append(row.Shares, path)
	}
	a.note("any %d of these shares give the master secret back; hand each to its custodian", threshold)
	if a.global.json {
		return a.printJSON(row)
	}
	return a.printLines(row.Shares)
}

func (a *app) authorityCombineCommand() *cobra.Command {
	f, with := newAuthorityFlags(), lock{what: "share", prefix: "share-"}
	var rules string
	cmd := &cobra.Command{
		Use:   "combine SHARE... --dir DIR --rules FILE --share-identity FILE...",
		Short: "Make the authority's directory again from custodians' shares",
		Long: `Combine opens shares with the identities named with --share-identity, computes the master secret and
writes it to the directory, encrypted as 'authority init' does (--passphrase-file, --identity or
--recipient). It never replaces a master secret.

Custodians can keep their own keys at home. Each seals their share again, to a key made only for
this purpose: age -d -i custodian.txt share-1-of-3.age | age -a -r age1PURPOSE...`,
		Example: `  chartseal --user authority@HospitalA authority combine share-1-of-3.age share-3-of-3.age \
    --share-identity one.txt --share-identity three.txt --rules rules.yaml --dir authority --identity authority.txt`,
		Args: takes(1, -1, "at least one SHARE"),
		RunE: a.run(f.checked(func(_ context.Context, args []string) error {
			if len(with.identities) == 0 {
				return usagef("what opens the shares? name age identity files with --share-identity")
			}
			if rules == "" {
				return usagef("which rules? name the rule file with --rules")
			}
			return a.rebuild(f, rules, func() (master, error) { return a.combine(args, with) }, "the split")
		})),
	}
	f.addNew(cmd)
	fs := cmd.Flags()
	fs.StringArrayVar(&with.identities, "share-identity", nil, "age identity `file` that opens a share (repeatable)")
	fs.StringVar(&rules, "rules", "", "take the rules from this YAML `file` (required)")
	return cmd
}

func (a *app) combine(paths []string, with lock) (master, error) {
	identities, err := a.readIdentities(with.identities)
	if err != nil {
		return nil, err
	}
	var shares []*abe.MasterShare
	for _, path := range paths {
		sealed, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		share, err := abe.OpenShare(sealed, identities...)
		if err != nil {
			return nil, opened(err, path, with)
		}
		shares = append(shares, share)
	}
	if have, need := len(shares), shares[0].Threshold(); have < need {
		return nil, words.WithHint(usagef("%d of the %d shares that are needed", have, need), "ask more custodians; fewer shares tell nothing")
	}
	m, err := abe.CombineMaster(shares)
	if errors.Is(err, abe.ErrTampered) || err == nil {
		return m, err
	}
	return nil, usage(err)
}
