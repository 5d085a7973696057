package cli

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/client/keys"
	"github.com/chartseal/chartseal/client/session"
)

func (a *app) authorityIssueCommand() *cobra.Command {
	f := newAuthorityFlags()
	var certFile, output string
	cmd := &cobra.Command{
		Use:   "issue --dir DIR --cert FILE -o FILE",
		Short: "Issue attribute keys to somebody who cannot reach the authority's server",
		Long: `Issue does by hand what serve does: it checks an enrolment certificate against the channel's
members and their revocation lists, decides by the rule file, and writes the keys to a file. The
file is as secret as the keys in it. Its owner, and nobody else, can use it: 'chartseal keys
import FILE'.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
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
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			master, mapping, err := a.unlock(f, s.User.Profile.MSP)
			if err != nil {
				return err
			}
			defer master.Destroy()
			issued, err := keys.Issue(ctx, s.Ledger, s.Members, master, mapping, certificate)
			if err != nil {
				return err
			}
			if err := json.NewEncoder(out).Encode(issued); err != nil {
				return fmt.Errorf("write %s: %w", output, err)
			}
			if err := out.Commit(); err != nil {
				return err
			}
			a.note("%d keys for %s are in %s, which only they may have", len(issued.Keys), issued.GID, output)
			if !a.global.json {
				return nil
			}
			rows := []keyRow{}
			for _, k := range issued.Keys {
				rows = append(rows, keyRow{issued.Authority, k.Name, k.Version})
			}
			return a.printJSON(rows)
		}),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&certFile, "cert", "", "PEM `file` with the enrolment certificate of who gets the keys (required)")
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

func (a *app) keysImportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Take attribute keys from a file that an authority issued",
		Args:  takes(1, 1, "one FILE"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			issued, err := a.readIssued(args[0])
			if err != nil {
				return err
			}
			s, err := a.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := keys.Check(ctx, s.Ledger, s.Ledger.Actor(), issued); err != nil {
				return err
			}
			from := issued[0].Attribute().Authority
			if err := session.StoreAttributeKeys(s.User, from, issued); err != nil {
				return err
			}
			rows := []keyRow{}
			for _, k := range issued {
				rows = append(rows, keyRow{from, k.Name(), k.Version()})
			}
			return a.printKeys(rows, true)
		}),
	}
}

// readIssued reads a file that 'authority issue' wrote.
func (a *app) readIssued(path string) ([]*abe.UserKey, error) {
	text, err := a.readText(path, 8<<20)
	if err != nil {
		return nil, err
	}
	issued, err := keys.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s is not a file of issued keys: %w", path, err)
	}
	return issued, nil
}
