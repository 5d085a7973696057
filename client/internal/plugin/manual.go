package plugin

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/internal/settings"
	"github.com/chartseal/chartseal/client/internal/words"
)

const usage = `age-plugin-chartseal lets the age tool seal to a policy and open with the attribute keys of a wallet.
It prints recipients and identities for age. When age meets one of them, it starts this program by itself.

  age-plugin-chartseal --recipient POLICY [--embed-keys]   print a recipient, age1chartseal1...
  age-plugin-chartseal --identity                          print an identity, AGE-PLUGIN-CHARTSEAL-1...
  age-plugin-chartseal --record-key < METADATA             print the identity that opens one record's payload
  age-plugin-chartseal --version | --help

  --recipient POLICY   seal to everyone who satisfies POLICY, such as 'HospitalA:role=doctor and HospitalB:ward=3'.
                       Each time, the public keys are looked up on the ledger, as the user
  --embed-keys         look up the public keys now and put them into the recipient. It then needs no wallet
                       and no ledger, and does not notice when an authority rotates a key
  --identity           refer to the user in the wallet; the attribute keys stay in the wallet
  --record-key         read the JSON inside an envelope and print its identity, which is a secret
  --user NAME@ORG      your name in the wallet (CHARTSEAL_USER)
  --wallet DIR         wallet directory (CHARTSEAL_WALLET)
  --config FILE        configuration file (CHARTSEAL_CONFIG)

Examples:
  age -r "$(age-plugin-chartseal --recipient 'HospitalA:role=doctor')" -o note.age note.txt
  age-plugin-chartseal --identity --user doctor@HospitalA > doctor.txt
  age -d -i doctor.txt note.age
  age -d -j chartseal note.age                             as the user that CHARTSEAL_USER names

A patient opens an envelope sealed to their own age key, and then its payload:
  age -d -i key.txt envelope.age | age-plugin-chartseal --record-key > record-key.txt
  age -d -i record-key.txt payload.age | head -c SIZE > record      SIZE is in record-key.txt
`

// maxLine is the longest line that age reads from a recipients file.
const maxLine = 8 << 10

func (p *program) register(fs *flag.FlagSet) {
	f := &p.flags
	fs.StringVar(&f.recipient, "recipient", "", "")
	fs.BoolVar(&f.identity, "identity", false, "")
	fs.BoolVar(&f.recordKey, "record-key", false, "")
	fs.BoolVar(&f.embed, "embed-keys", false, "")
	fs.BoolVar(&f.version, "version", false, "")
	fs.StringVar(&f.User, "user", "", "")
	fs.StringVar(&f.Wallet, "wallet", "", "")
	fs.StringVar(&f.Config, "config", "", "")
}

// parse reads the arguments and refuses those that contradict each other.
func (p *program) parse(fs *flag.FlagSet, args []string) error {
	mistake := func(format string, args ...any) error {
		return &settings.Error{Message: fmt.Sprintf(format, args...), Hint: "see age-plugin-chartseal --help"}
	}
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return mistake("%v", err)
	}
	if fs.NArg() > 0 {
		return mistake("%q is not understood; is the policy in quotes?", fs.Arg(0))
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	p.flags.ConfigGiven = given["config"]
	var modes []string
	for _, m := range []string{"age-plugin", "recipient", "identity", "record-key", "version"} {
		if given[m] {
			modes = append(modes, "--"+m)
		}
	}
	switch {
	case len(modes) == 0:
		return mistake("nothing to do: age starts this program by itself; run it with --recipient or --identity")
	case len(modes) > 1:
		return mistake("%s do not go together", strings.Join(modes, " and "))
	case p.flags.embed && !given["recipient"]:
		return mistake("--embed-keys goes with --recipient")
	}
	return nil
}

// manual runs the command of a person, not of age.
func (p *program) manual() int {
	var out string
	var err error
	switch {
	case p.flags.version:
		out = "age-plugin-chartseal " + version() + "\n"
	case p.flags.identity:
		out, err = p.printIdentity()
	case p.flags.recordKey:
		out, err = p.printRecordKey()
	default:
		out, err = p.printRecipient()
	}
	if err == nil {
		_, err = io.WriteString(p.stdout, out)
	}
	if err != nil {
		return p.fail(err)
	}
	return exitDone
}

func (p *program) printRecipient() (string, error) {
	text := p.flags.recipient
	parsed, err := policy.Parse(text)
	if err != nil {
		var at *policy.SyntaxError
		if errors.As(err, &at) {
			for line := range strings.Lines(at.Caret(text)) {
				fmt.Fprintf(p.stderr, "  %s\n", words.OneLine(line))
			}
		}
		return "", err
	}
	ref := &recipientRef{policy: parsed}
	if _, err := sealedTo(parsed); err != nil { // refuse an unusable policy here, not when age seals
		return "", err
	}
	if p.flags.embed {
		if ref.keys, err = p.lookUp(ref); err != nil {
			return "", err
		}
	}
	out := ref.String() + "\n"
	if len(out) > maxLine {
		p.tell(fmt.Sprintf("the recipient has %d bytes, and age -R reads lines of at most %d: give it with -r", len(out)-1, maxLine))
	}
	return out, nil
}

func (p *program) printIdentity() (string, error) {
	u, err := p.user("")
	if err != nil {
		return "", err
	}
	id, err := attributeIdentity(u)
	if err != nil {
		return "", err
	}
	held := "none yet: run chartseal --user " + u.String() + " keys request"
	if names := id.Attributes(); len(names) > 0 {
		held = strings.Join(names, ", ")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, with the attribute keys in their wallet; this file holds no secret\n", u)
	fmt.Fprintf(&b, "# attributes when this was written: %s\n", words.OneLine(held))
	fmt.Fprintf(&b, "%s\n", identityRef{user: u.String()})
	return b.String(), nil
}

// printRecordKey prints the identity for the metadata of an envelope. The author of the
// envelope chose its texts. So no text is part of a command to copy, and no text can end
// its comment line.
func (p *program) printRecordKey() (string, error) {
	text, err := io.ReadAll(io.LimitReader(p.stdin, ledger.MaxEnvelope+1))
	if err != nil {
		return "", fmt.Errorf("read metadata: %w", err)
	}
	if bytes.HasPrefix(text, []byte("age-encryption.org/")) || bytes.HasPrefix(text, []byte("-----BEGIN AGE")) {
		return "", &settings.Error{
			Message: "the envelope is still sealed",
			Hint:    "age -d -i key.txt envelope.age | age-plugin-chartseal --record-key > record-key.txt",
		}
	}
	m, err := envelope.ParseMetadata(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintf(&b, "# %s\n", words.OneLine(fmt.Sprintf(format, args...)))
	}
	line("SECRET: opens the payload of record %s version %d", m.Record, m.Version)
	line("payload: %s", m.CID)
	line("name: %s; media type: %s; sealed by %s on %s", m.Name, m.MediaType, m.Author, m.Sealed.UTC().Format("2006-01-02 15:04 MST"))
	line("open it:     age -d -i record-key.txt payload.age | head -c %d > record", m.Size)
	line("compare:     sha256sum record")
	line("must be:     %s", hex.EncodeToString(m.SHA256))
	fmt.Fprintf(&b, "%s\n", identityRef{recordKey: m.Key})
	return b.String(), nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
