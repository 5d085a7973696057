package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/network"
)

func (a *app) registerCommand() *cobra.Command {
	var output string
	var renew bool
	cmd := &cobra.Command{
		Use:   "register NAME@ORG [ATTRIBUTE=VALUE]...",
		Short: "Introduce a person to their organisation's CA",
		Long: `Register introduces a person to their organisation's CA, with the attributes that their certificates
will name, and prints the one-time secret with which they run 'chartseal enroll'. With -o the
secret goes to a new file that only you can read, which is there only if the CA took the person.

With --renew the person is registered already, and gets a new secret for new certificates.`,
		Example: `  chartnet register ada@HospitalA role=doctor department=cardiology -o secret
  chartseal enroll ada@HospitalA --secret-file secret

  chartnet register ada@HospitalA --renew -o secret
  chartseal enroll ada@HospitalA --renew --secret-file secret`,
		Args: takes(1, -1, "one NAME@ORG"),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the secret to a new `file` (mode 0600)")
	cmd.Flags().BoolVar(&renew, "renew", false, "give a registered person a new secret; the attributes stay")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		user, org, err := person(args[0])
		if err != nil {
			return err
		}
		attributes, err := parseAttributes(args[1:])
		if err != nil {
			return err
		}
		if renew && len(attributes) > 0 {
			return usagef("--renew keeps the attributes of %s, got %q as well", args[0], args[1:])
		}
		n, err := a.open()
		if err != nil {
			return err
		}
		register := func() (string, error) {
			const enrolments = 2 // one at each of the CA server's two CAs
			if renew {
				return n.Reissue(cmd.Context(), org, user, enrolments)
			}
			return n.Register(cmd.Context(), org, user, attributes, enrolments)
		}
		return a.register(args[0], output, renew, register)
	}
	return cmd
}

// A registeredRow is what 'register --json' prints.
type registeredRow struct {
	User   string `json:"user"`
	Secret string `json:"secret,omitempty"`
	File   string `json:"file,omitempty"` // that holds the secret
}

func (a *app) register(user, output string, renew bool, register func() (secret string, err error)) error {
	row := registeredRow{User: user, File: output}
	if output == "" {
		secret, err := register()
		if err != nil {
			return err
		}
		if !a.json {
			return a.print(secret + "\n")
		}
		row.Secret = secret
		return a.printJSON(row)
	}
	err := createFiles([]string{output}, func() ([][]byte, error) {
		secret, err := register()
		return [][]byte{[]byte(secret + "\n")}, err
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(row)
	}
	if renew {
		a.note("%s has a new secret; next: chartseal enroll %[1]s --renew --secret-file %s", user, output)
		return nil
	}
	a.note("%s is registered; next: chartseal enroll %[1]s --secret-file %s", user, output)
	return nil
}

func parseAttributes(args []string) (map[string]string, error) {
	attributes := map[string]string{}
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		if !found {
			return nil, usagef("%q is not ATTRIBUTE=VALUE, such as role=doctor", arg)
		}
		attributes[name] = value
	}
	return attributes, nil
}

func (a *app) revokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME@ORG",
		Short: "End a person's certificates, in the whole channel",
		Long: `Revoke has the CA revoke a person's certificates and puts its revocation list into the channel's
configuration. When it returns, no peer that runs serves those certificates any more.`,
		Args: takes(1, 1, "one NAME@ORG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			user, org, err := person(args[0])
			if err != nil {
				return err
			}
			n, err := a.open()
			if err != nil {
				return err
			}
			return n.Revoke(cmd.Context(), org, user)
		},
	}
}

func (a *app) certificateCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "certificate ORG HOST...",
		Short: "Get a TLS certificate for another server of an organisation",
		Long: `Certificate makes a TLS certificate, below the root of an organisation's servers, for a server that
chartnet does not run itself, such as another attribute authority. It writes tls-cert.pem and tls-key.pem (mode 0600)
into the directory of -o. HOST is a name or IP address of the server, as its clients write it.`,
		Example: `  chartnet certificate HospitalA authority.hospital-a.example -o authority
  chartseal authority serve --tls-cert authority/tls-cert.pem --tls-key authority/tls-key.pem ...`,
		Args: takes(2, -1, "an organisation and at least one host"),
		RunE: a.on(func(ctx context.Context, n *network.Network, args []string) error {
			cert, key := filepath.Join(output, "tls-cert.pem"), filepath.Join(output, "tls-key.pem")
			err := createFiles([]string{key, cert}, func() ([][]byte, error) {
				pair, err := n.ServerCertificate(args[0], args[1:])
				return [][]byte{pair.Key, pair.Certificate}, err
			})
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(certificateRow{Certificate: cert, Key: key})
			}
			a.note("the certificate is in %s, its key in %s", cert, key)
			return nil
		}),
	}
	cmd.Flags().StringVarP(&output, "output", "o", ".", "`directory` for the two files")
	return cmd
}

// A certificateRow is what 'certificate --json' prints.
type certificateRow struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// createFiles makes private files of what get returns, in that order. It calls get only
// when the files can be written and none exists, for a CA gives a secret or a certificate
// only once. When get fails, no file is left.
func createFiles(names []string, get func() ([][]byte, error)) (err error) {
	files := make([]*os.File, len(names))
	for i, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return &os.PathError{Op: "create", Path: name, Err: os.ErrExist}
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if files[i], err = os.CreateTemp(filepath.Dir(name), ".new-*"); err != nil { // mode 0600
			return fmt.Errorf("write %s: %w", name, err)
		}
		defer os.Remove(files[i].Name())
		defer files[i].Close()
	}
	contents, err := get()
	if err != nil {
		return err
	}
	for i, name := range names {
		_, err := files[i].Write(contents[i])
		if err = errors.Join(err, files[i].Sync()); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := os.Link(files[i].Name(), name); err != nil { // unlike a rename, it never replaces a file
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
