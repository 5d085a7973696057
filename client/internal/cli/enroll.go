package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/wallet"
)

// An enrolledRow is the output of 'enroll --json'.
type enrolledRow struct {
	User     string `json:"user"`
	Dir      string `json:"dir"`
	NotAfter string `json:"notAfter"`
}

func (a *app) enrollCommand() *cobra.Command {
	var caURL, secretFile string
	var renew bool
	cmd := &cobra.Command{
		Use:   "enroll NAME@ORG",
		Short: "Get certificates from your organisation's CA",
		Long: `Enroll makes your keys in the wallet, and your organisation's Fabric CA certifies them. The wallet must
hold the organisation's profile (ORG.yaml). The registrar gives you a one-time secret: enroll takes it
from --secret-file, from CHARTSEAL_SECRET or from the terminal. Keys never leave this machine.

Enroll does not overwrite a user. --renew makes new keys and gets new certificates for them. The CA
accepts your present certificate for that, or a new secret once the certificate has ended. Attribute
keys and everything else in the wallet stay.`,
		Example: `  chartseal enroll doctor@HospitalA --secret-file secret.txt
  chartseal enroll doctor@HospitalA --renew
  chartseal enroll doctor@HospitalA --renew --secret-file secret.txt`,
		GroupID: sectionPeople,
		Args:    takes(0, 1, "one NAME@ORG"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			name := a.settings.User
			if len(args) == 1 {
				name = args[0]
			}
			if name == "" {
				return usagef("chartseal enroll needs one NAME@ORG")
			}
			a.settings.User = name
			w, err := a.openWallet()
			if err != nil {
				return err
			}
			certify := a.enroll
			if renew {
				certify = a.renew
			}
			credentials, err := certify(ctx, w, name, caURL, secretSource{
				what: "enrolment secret", flag: "--secret-file", file: secretFile, env: "CHARTSEAL_SECRET"})
			if err != nil {
				return err
			}
			if err := w.Save(name, credentials); err != nil {
				return err
			}
			u, err := w.User(name)
			if err != nil {
				return err
			}
			until := u.Certificate.NotAfter.UTC().Format(timeText)
			if a.global.json {
				return a.printJSON(enrolledRow{User: u.String(), Dir: u.Dir(), NotAfter: until})
			}
			a.note("%s is enrolled until %s; next: chartseal --user %s keys request", u, until, u)
			return nil
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&caURL, "ca-url", "", "https `address` of the CA, instead of the one in the organisation's profile")
	fs.StringVar(&secretFile, "secret-file", "", "read the enrolment secret from a `file`; - is standard input")
	fs.BoolVar(&renew, "renew", false, "get new certificates for an enrolled user")
	return cmd
}

func (a *app) enroll(ctx context.Context, w *wallet.Wallet, name, caURL string, from secretSource) (wallet.Credentials, error) {
	switch _, err := w.User(name); {
	case err == nil:
		return wallet.Credentials{}, words.WithHint(ledger.Errorf(ledger.ErrExists, "%s is enrolled already", name), "--renew gets new certificates")
	case !errors.Is(err, ledger.ErrNotFound):
		return wallet.Credentials{}, err
	}
	return a.certify(ctx, w, name, caURL, func() ([]byte, error) { return a.secret(from) })
}

// certify gets certificates with a secret of the registrar.
func (a *app) certify(ctx context.Context, w *wallet.Wallet, name, caURL string, ask func() ([]byte, error)) (wallet.Credentials, error) {
	var none wallet.Credentials
	id, org, err := wallet.SplitUser(name)
	if err != nil {
		return none, err
	}
	profile, err := w.Profile(org)
	if errors.Is(err, ledger.ErrNotFound) {
		return none, words.WithHint(err, "ask the registrar of %s for its profile, and put it into the wallet as %s.yaml", org, org)
	} else if err != nil {
		return none, err
	}
	if profile.CA == nil {
		return none, words.WithHint(ledger.Errorf(ledger.ErrInvalid, "the profile of %s names no CA", org), "certificates of %s come from elsewhere", org)
	}
	ca := *profile.CA
	if caURL != "" {
		ca.URL = caURL
	}
	secret, err := ask()
	if err != nil {
		return none, err
	}
	credentials, err := fabric.Enroll(ctx, &ca, id, string(secret))
	if errors.Is(err, ledger.ErrDenied) {
		err = words.WithHint(err, "is it the right secret, and not used up? The registrar of %s can give a new one", org)
	}
	return credentials, err
}

// renew gets new certificates with the present ones, or with a new secret if they are of
// no use any more, or if --secret-file names one. A secret in the environment may be that
// of the first enrolment, so it is used only if it has to be.
func (a *app) renew(ctx context.Context, w *wallet.Wallet, name, caURL string, from secretSource) (wallet.Credentials, error) {
	u, err := a.walletUser(name, "the command line")
	if err == nil {
		err = u.Valid(time.Now())
	}
	if err == nil && from.file == "" {
		return fabric.Renew(ctx, u)
	}
	// A renewal that was interrupted leaves a key that belongs to no certificate.
	var expired *wallet.ExpiredError
	if err != nil && !errors.As(err, &expired) && !errors.Is(err, ledger.ErrInvalid) {
		return wallet.Credentials{}, err
	}
	if expired != nil && expired.Now.Before(expired.From) {
		return wallet.Credentials{}, err
	}
	secret, missing := a.secret(from)
	if id, org, splitErr := wallet.SplitUser(name); err != nil && missing != nil && splitErr == nil {
		return wallet.Credentials{}, expiredHint(err, id, org)
	}
	return a.certify(ctx, w, name, caURL, func() ([]byte, error) { return secret, missing })
}
