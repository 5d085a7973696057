package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/trust"
)

func (a *app) membersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "members",
		Short: "List the consortium's members and the root certificates that you trust",
		Long: `Members lists the organisations of the channel. For each it prints the SHA-256 of its root
certificates, since when your wallet trusts them, and whether the organisation's profile in your
wallet names them. Signatures of a member count only under these roots.

If a member has other roots now than your wallet trusts, every command that needs them stops. See
'chartseal members accept'.`,
		GroupID: sectionPeople,
		Args:    onlySubcommands,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withLedger(func(s *session.Session) error {
				_, err := s.Members(ctx)
				if changed := new(trust.RootChangedError); err != nil && !errors.As(err, &changed) {
					return err
				}
				if printErr := a.printMembers(s); printErr != nil {
					return printErr
				}
				return err
			})
		}),
	}
	cmd.AddCommand(a.membersAcceptCommand())
	return cmd
}

// A memberRow is a line of 'members --json'.
type memberRow struct {
	Member  string   `json:"member"`
	Roots   []string `json:"roots"`           // SHA-256
	Since   string   `json:"since,omitempty"` // when the wallet pinned them
	Profile bool     `json:"profile"`         // the profile names them
}

func (a *app) printMembers(s *session.Session) error {
	pinned, err := s.Trust().PinnedMembers()
	if err != nil {
		return err
	}
	rows := []memberRow{}
	t := newTable("MEMBER", "ROOT (SHA-256)", "SINCE", "IN PROFILE")
	for _, m := range pinned {
		row := memberRow{Member: m.MSP, Profile: m.Named}
		if !m.Pinned.IsZero() {
			row.Since = m.Pinned.Format(time.RFC3339)
		}
		for _, root := range m.Roots {
			row.Roots = append(row.Roots, root.String())
			named := "no"
			if m.Named {
				named = "yes"
			}
			since := "-"
			if row.Since != "" {
				since = shortTime(row.Since)
			}
			t.row(m.MSP, root.String(), since, named)
		}
		rows = append(rows, row)
	}
	if a.global.json {
		return a.printJSON(rows)
	}
	return a.printTable(t)
}

func (a *app) membersAcceptCommand() *cobra.Command {
	var texts []string
	cmd := &cobra.Command{
		Use:   "accept MEMBER --root SHA256",
		Short: "Trust the new root certificates of a member",
		Long: `Accept makes your wallet trust the root certificates that a member has now. First ask the member for
the SHA-256 of its root certificate, by telephone or on paper, and not through this network: whoever
controls two members' peers could show you a root of their own. Certificates below the former roots
stay valid.`,
		Example: `  chartseal members accept HospitalB --root 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`,
		Args:    takes(1, 1, "one MEMBER"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			if len(texts) == 0 {
				return usagef("which roots? name their SHA-256 with --root")
			}
			var roots []ledger.CertificateID
			for _, text := range texts {
				root, err := ledger.ParseCertificateID(text)
				if err != nil {
					return usage(err)
				}
				roots = append(roots, root)
			}
			return a.withLedger(func(s *session.Session) error {
				if err := s.Trust().AcceptRoots(ctx, args[0], roots); err != nil {
					return acceptHint(err)
				}
				a.note("your wallet trusts the roots of %s", args[0])
				return nil
			})
		}),
	}
	cmd.Flags().StringArrayVar(&texts, "root", nil, "`SHA-256` of a root certificate, 64 hexadecimal digits (repeatable: name all of the member's roots)")
	return cmd
}

func acceptHint(err error) error {
	if errors.Is(err, ledger.ErrTampered) {
		return words.WithHint(err, "the member's roots on the channel are not what you were told: ask the member again; nothing was changed")
	}
	return err
}

// rootChanged explains a changed root, and how to accept it.
func rootChanged(err error, changed *trust.RootChangedError) error {
	command := "chartseal members accept " + changed.Member
	lines := []string{}
	for _, root := range changed.Known {
		lines = append(lines, "trusted: "+root.String())
	}
	for _, root := range changed.Now {
		lines = append(lines, "now:     "+root.String())
		command += " --root " + root.String()
	}
	return &words.Advised{Err: err, Lines: lines, Hint: fmt.Sprintf("ask %s on another way than this network whether it has renewed its root; if it has: %s", changed.Member, command)}
}

// askRoots asks a person at a terminal whether to accept changed roots. The default is
// no. The command that failed stays failed.
func (a *app) askRoots(s *session.Session, changed *trust.RootChangedError) error {
	in, ok := a.stdin.(*input)
	if a.global.json || !ok || !isTerminal(in.file) || !isTerminal(a.stderr) {
		return nil
	}
	fmt.Fprintf(a.stderr, "%s has other root certificates than your wallet trusts.\n", changed.Member)
	for _, root := range changed.Known {
		fmt.Fprintf(a.stderr, "  trusted: %s\n", root)
	}
	for _, root := range changed.Now {
		fmt.Fprintf(a.stderr, "  now:     %s\n", root)
	}
	fmt.Fprintf(a.stderr, "Has %s told you, on another way than this network, that this is its root? [y/N] ", changed.Member)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(line), "y") {
		return nil
	}
	if err := s.Trust().AcceptRoots(context.Background(), changed.Member, changed.Now); err != nil {
		return acceptHint(err)
	}
	a.note("your wallet trusts the roots of %s; run the command again", changed.Member)
	return nil
}
