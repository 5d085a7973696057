package cli

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/client/keys"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) authorityIssueCommand() *cobra.Command {
	f := newAuthorityFlags()
	var certFile, output string
	cmd := &cobra.Command{
		Use:   "issue --dir DIR --cert FILE -o FILE",
		Short: "Issue attribute keys to a person who cannot reach the authority's server",
		Long: `Issue does by hand what serve does. It checks an enrolment certificate against the channel's members
and their revocation lists, decides by the rule file, and writes the keys to a file. The file is as
secret as the keys in it. Only the holder of the certificate can use it, with 'chartseal keys import
FILE'.`,
		Args: takes(0, 0, ""),
		RunE: a.run(f.checked(func(ctx context.Context, _ []string) error {
			if certFile == "" || output == "" {
				return usagef("name the certificate with --cert and the new file with -o")
			}
			certificate, err := a.readCertificate(certFile)
			if err != nil {
				return err
			}
			out, err := createFile(output, false)
			if err != nil {
				return err
			}
			defer out.Close()
			return a.withAuthority(f, func(s *session.Session, m master) error {
				rules, err := f.rules(s.User.Profile.MSP)
				if err != nil {
					return err
				}
				issued, err := keys.Issue(ctx, s.Ledger, s.Members, m, rules, certificate)
				if err != nil {
					return err
				}
				if err := json.NewEncoder(out).Encode(issued); err != nil {
					return fmt.Errorf("write %s: %w", output, err)
				}
				if err := out.Commit(); err != nil {
					return err
				}
				a.note("wrote %s to %s; give the file only to %s", count(len(issued.Keys), "key", "keys"), output, issued.GID)
				if !a.global.json {
					return nil
				}
				rows := []keyRow{}
				for _, k := range issued.Keys {
					rows = append(rows, keyRow{issued.Authority, k.Name, k.Version})
				}
				return a.printJSON(rows)
			})
		})),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&certFile, "cert", "", "PEM `file` with the person's enrolment certificate (required)")
	fs.StringVarP(&output, "output", "o", "", "write the keys to this new `file` (required)")
	return cmd
}

func (a *app) readCertificate(path string) (*x509.Certificate, error) {
	text, err := a.readText(path, 1<<20)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, usagef("%s is not a PEM certificate", path)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	return certificate, nil
}
