package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client/internal/words"
)

// Sections of the list of commands in the help text.
const (
	sectionRecords  = "records"
	sectionPeople   = "people"
	sectionHospital = "run"
)

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "chartseal",
		Short: "Share sealed medical records between hospitals",
		Long: `chartseal seals medical records, so that only people with the right attributes can open them. It
stores the ciphertext on IPFS. It keeps pointers, an encrypted keyword index and the access log on a
Hyperledger Fabric ledger.`,
		Example: `  chartseal --user doctor@HospitalA seal report.json --policy 'HospitalB:role=doctor'
  chartseal --user doctor@HospitalB search 'icd10:I21.4 and date:2020-03'
  chartseal --user doctor@HospitalB open 4f1a... -o report.json`,
		SilenceErrors: true, // report prints them
		SilenceUsage:  true,
		Args:          onlySubcommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.CompletionOptions.HiddenDefaultCmd = false

	f := root.PersistentFlags()
	f.StringVar(&a.global.User, "user", "", "who you are, `NAME@ORG` (CHARTSEAL_USER)")
	f.StringVar(&a.global.Wallet, "wallet", "", "wallet directory (CHARTSEAL_WALLET)")
	f.StringVar(&a.global.Config, "config", "", "configuration `file` (CHARTSEAL_CONFIG)")
	f.DurationVar(&a.global.Timeout, "timeout", 0, "give up after this long, such as 30s or 5m (CHARTSEAL_TIMEOUT; 0 is no limit)")
	f.BoolVar(&a.global.json, "json", false, "print results and errors as JSON")
	f.BoolVarP(&a.global.quiet, "quiet", "q", false, "no notes, warnings or progress on stderr")
	mustFlag(root.MarkPersistentFlagDirname("wallet"))
	mustFlag(root.RegisterFlagCompletionFunc("user", a.completeUser))

	root.AddGroup(
		&cobra.Group{ID: sectionRecords, Title: "Records:"},
		&cobra.Group{ID: sectionPeople, Title: "People and keys:"},
		&cobra.Group{ID: sectionHospital, Title: "Running a hospital:"},
	)
	root.AddCommand(
		a.sealCommand(), a.amendCommand(), a.searchCommand(), a.openCommand(), a.historyCommand(), a.resealCommand(), a.revokeCommand(), a.eraseCommand(), a.jobCommand(), a.exportCommand(), a.importCommand(), a.keywordsCommand(), a.indexCommand(),
		a.enrollCommand(), a.keysCommand(), a.membersCommand(), a.policyCommand(), a.auditCommand(),
		a.scopeCommand(), a.custodianCommand(), a.authorityCommand(), a.ipfsCommand(), a.keeperCommand("keeper"), a.keeperCommand("replicate"),
		a.versionCommand(),
	)
	return root
}

// A job is the work of a command, after its arguments are checked.
type job func(ctx context.Context, args []string) error

// run wraps a job: the settings are resolved once and the time limit starts.
func (a *app) run(j job) func(*cobra.Command, []string) error {
	return a.runUntilStopped(func(ctx context.Context, args []string) error {
		if a.settings.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, a.settings.Timeout)
			defer cancel()
		}
		return j(ctx, args)
	})
}

// runUntilStopped wraps the job of a server, which has no time limit.
func (a *app) runUntilStopped(j job) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := a.resolve(cmd.Flags()); err != nil {
			return err
		}
		return j(cmd.Context(), args)
	}
}

// parentCommand makes a command that only has subcommands.
func parentCommand(use, short, section string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, GroupID: section,
		Args: onlySubcommands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("%s needs a command: %s", cmd.CommandPath(), strings.Join(childNames(cmd), ", "))
		},
	}
	cmd.AddCommand(children...)
	return cmd
}

func childNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	slices.Sort(names)
	return names
}

// onlySubcommands refuses arguments of a parent command: each is the name of an unknown
// subcommand.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := words.Suggest(args[0], childNames(cmd)); near != "" {
		return usagef("unknown command %q for %q, did you mean %q?", args[0], cmd.CommandPath(), near)
	}
	return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
}

// takes checks the number of arguments; what names them in the message. max < 0 means any
// number.
func takes(min, max int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return usagef("%s needs %s", cmd.CommandPath(), what)
		case max == 0 && len(args) > 0:
			return usagef("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
		case max > 0 && len(args) > max:
			return usagef("%s takes only %s, got %q as well", cmd.CommandPath(), what, args[max])
		}
		return nil
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			v := version()
			if a.global.json {
				return a.printJSON(v)
			}
			return a.printf("chartseal %s (%s, %s)\n", v.Version, v.Revision, v.Go)
		},
	}
}

// A build is the source and compiler of this program.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
}

func version() build {
	b := build{Version: "(devel)", Revision: "unknown revision"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			b.Revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			b.Revision += " with changes"
		}
	}
	return b
}

// completeUser offers the users of the wallet to the shell.
func (a *app) completeUser(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	if err := a.resolve(cmd.Flags()); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	users, _ := a.walletUsers() // without a wallet there is nothing to offer
	return users, cobra.ShellCompDirectiveNoFileComp
}

// asksForJSON reports whether --json is among arguments that could not be parsed.
func asksForJSON(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "--json", "--json=true":
			return true
		case "--":
			return false
		}
	}
	return false
}

// mustFlag is for calls that fail only when a flag is misspelt in this package.
func mustFlag(err error) {
	if err != nil {
		panic(fmt.Sprintf("cli: %v", err))
	}
}

func dirOf(exe string) string {
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return filepath.Dir(exe)
}
