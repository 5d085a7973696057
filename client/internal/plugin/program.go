package plugin

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age/plugin"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/internal/settings"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/trust"
	"github.com/chartseal/chartseal/client/wallet"
)

// A program is one run of the plugin: its streams, environment and arguments.
type program struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	exeDir string // directory of the executable, "" if unknown

	connect connector
	flags   flags
	tell    func(string) // says one line to the user; it never fails
}

type flags struct {
	settings.Flags
	recipient string // policy text
	identity  bool
	recordKey bool
	embed     bool
	version   bool

	machine string // "--age-plugin": the protocol's state machine; only age sets it
}

// Exit codes for a person who runs the program; age only looks at the protocol.
const (
	exitDone  = 0
	exitOther = 1
	exitUsage = 2
)

// Main runs the program of this process and returns its exit code.
func Main() int {
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, connect: connectFabric}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		p.exeDir = filepath.Dir(exe)
	}
	return p.main(os.Args[1:])
}

func connectFabric(u *wallet.User) (trust.Ledger, []trust.Ledger, func(), error) {
	s, err := session.Open(u, session.Options{LedgerOnly: true, Timeouts: fabric.Timeouts{Evaluate: 10 * time.Second}})
	if err != nil {
		return nil, nil, nil, err
	}
	return s.Ledger, s.Witnesses(), func() { s.Close() }, nil
}

func (p *program) main(args []string) int {
	protocol, err := plugin.New(name)
	if err != nil {
		return p.fail(err)
	}
	fs := flag.NewFlagSet("age-plugin-chartseal", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // this package prints errors and help
	protocol.RegisterFlags(fs)
	p.register(fs)
	switch err := p.parse(fs, args); {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(p.stdout, usage)
		return exitDone
	case err != nil:
		return p.fail(err)
	}
	p.flags.machine = fs.Lookup("age-plugin").Value.String()
	if p.flags.machine == "" {
		p.tell = func(message string) {
			fmt.Fprintf(p.stderr, "age-plugin-chartseal: note: %s\n", words.OneLine(message))
		}
		return p.manual()
	}
	return p.speak(protocol)
}

// speak runs the plugin protocol of age.
func (p *program) speak(protocol *plugin.Plugin) int {
	protocol.SetIO(p.stdin, p.stdout, p.stderr)
	protocol.HandleRecipient(p.recipient)
	protocol.HandleIdentity(p.identity)
	protocol.HandleIdentityAsRecipient(p.noRecipient)
	p.tell = func(message string) {
		protocol.DisplayMessage(words.OneLine(message)) // a client that cannot show it goes without
	}
	switch p.flags.machine {
	case "recipient-v1":
		return protocol.RecipientV1()
	case "identity-v1":
		return protocol.IdentityV1()
	}
	return p.fail(&settings.Error{Message: fmt.Sprintf("the protocol %q of age is not known to this version", p.flags.machine)})
}

// fail prints err for the person who ran the program.
func (p *program) fail(err error) int {
	message, hint := explain(err)
	fmt.Fprintf(p.stderr, "age-plugin-chartseal: error: %s\n", message)
	if hint != "" {
		fmt.Fprintf(p.stderr, "age-plugin-chartseal: hint: %s\n", hint)
	}
	var mistake *settings.Error
	var syntax *policy.SyntaxError
	if errors.As(err, &mistake) || errors.As(err, &syntax) || errors.Is(err, policy.ErrReuse) || errors.Is(err, ledger.ErrInvalid) {
		return exitUsage
	}
	return exitOther
}

// settings resolves the acting user and their wallet.
func (p *program) settings() (settings.Settings, error) {
	if path := p.getenv("CHARTSEAL_CONFIG"); p.flags.machine != "" && path != "" && !filepath.IsAbs(path) {
		return settings.Settings{}, relative("CHARTSEAL_CONFIG", path)
	}
	s, err := settings.Resolve(p.flags.Flags, settings.Environment{Getenv: p.getenv, ExeDir: p.exeDir})
	if err != nil {
		return s, err
	}
	if p.flags.machine != "" && s.Wallet != "" && !filepath.IsAbs(s.Wallet) {
		return s, relative(s.WalletFrom, s.Wallet)
	}
	return s, nil
}

// relative refuses a relative path. age runs plugins in the temporary directory, so the
// path would lead elsewhere.
func relative(from, path string) error {
	return &settings.Error{
		Message: fmt.Sprintf("%s is the relative path %s, but age runs plugins in another directory", from, path),
		Hint:    "give an absolute path",
	}
}

// user reads a user from the wallet: the named one or, if named is "", the user of the
// settings.
func (p *program) user(named string) (*wallet.User, error) {
	s, err := p.settings()
	if err != nil {
		return nil, err
	}
	if s.Wallet == "" {
		return nil, &settings.Error{Message: "no wallet is named", Hint: "name its directory with CHARTSEAL_WALLET"}
	}
	w, err := wallet.Open(s.Wallet)
	if err != nil {
		return nil, words.WithHint(err, "the wallet is named by %s; name another with CHARTSEAL_WALLET", s.WalletFrom)
	}
	known, err := w.Users()
	if err != nil {
		return nil, err
	}
	from := "the identity"
	if named == "" {
		named, from = s.User, s.UserFrom
	}
	if named == "" {
		hint := "name yourself with CHARTSEAL_USER"
		if len(known) > 0 {
			hint += ": " + words.List(known)
		}
		return nil, &settings.Error{Message: "who are you? no user is named", Hint: hint}
	}
	u, err := w.User(named)
	if errors.Is(err, ledger.ErrNotFound) {
		if near := words.Suggest(named, known); near != "" && near != named {
			return nil, words.WithHint(err, "did you mean %s? The user is named by %s", near, from)
		}
		return nil, words.WithHint(err, "the user is named by %s", from)
	}
	return u, err
}
