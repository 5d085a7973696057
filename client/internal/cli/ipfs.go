package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/ipfs/proxy"
)

func (a *app) ipfsCommand() *cobra.Command {
	return parentCommand("ipfs", "Let your hospital's people reach its IPFS node", sectionHospital, a.ipfsServeCommand())
}

func (a *app) ipfsServeCommand() *cobra.Command {
	var c proxy.Config
	var tokenFile, collectTokenFile, collectAt, peopleFile, listen, certFile, keyFile string
	cmd := &cobra.Command{
		Use:   "serve --socket PATH --token-file FILE --people FILE --revoked FILE --listen ADDRESS --tls-cert FILE --tls-key FILE",
		Short: "Serve the IPFS node to people who show a certificate",
		Long: `Serve stands before your hospital's kubo node until it is stopped. It takes the TLS certificates that
your CA gave to people, forwards the calls by which chartseal adds and reads payloads, and refuses all
others: people remove no pins, collect no garbage and do not stop the node. A person on the revocation
list is refused from the next request on.

Let kubo's own API listen on a Unix socket in a private directory, as kubo serves metrics and profiles
to everybody who reaches it. The token needs no other calls than add, cat, block/get, block/put,
block/stat, dag/import, p2p/close, p2p/forward, pin/add, pin/ls and swarm/peers. Replace the revocation
list in one step whenever your CA has a new one; serve reads it again by itself.

With a token for repo/gc, serve has kubo remove the blocks that no pin keeps, once a day at a moment
in which nobody stores. Do not let kubo do that itself, as with 'ipfs daemon --enable-gc': it takes
blocks that are being sealed, and one slow upload would keep everybody waiting.`,
		Args: takes(0, 0, ""),
		RunE: a.runUntilStopped(func(ctx context.Context, _ []string) error {
			if _, _, err := net.SplitHostPort(listen); err != nil {
				return words.WithHint(usagef("--listen %q is not an address", listen), "write HOST:PORT, such as 127.0.0.1:7070")
			}
			certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
			if err != nil {
				return words.WithHint(fmt.Errorf("TLS certificate of the server: %w", err), "name its PEM files with --tls-cert and --tls-key")
			}
			if c.Token, err = nodeToken(tokenFile); err != nil {
				return err
			}
			at, err := time.Parse("15:04", collectAt)
			if err != nil {
				return words.WithHint(usagef("--collect-at %q is no time of day", collectAt), "write hours and minutes, such as 03:00")
			}
			if collectTokenFile != "" {
				if c.CollectToken, err = nodeToken(collectTokenFile); err != nil {
					return err
				}
			}
			if c.People, err = os.ReadFile(peopleFile); err != nil {
				return words.WithHint(fmt.Errorf("the people's root certificate: %w", err), "name its PEM file with --people")
			}
			c.Log = a.log()
			p, err := proxy.New(c)
			if err != nil {
				return err
			}
			if c.CollectToken != "" {
				go p.CollectDaily(ctx, time.Duration(at.Hour())*time.Hour+time.Duration(at.Minute())*time.Minute)
			}
			return a.serve(ctx, "ipfs proxy", p.HTTP(listen, certificate))
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&c.Socket, "socket", "", "`path` of the Unix socket of kubo's API (required)")
	fs.StringVar(&tokenFile, "token-file", "", "`file` with a token of kubo's API (required)")
	fs.StringVar(&collectTokenFile, "collect-token-file", "", "`file` with a token for repo/gc; without it nothing is collected")
	fs.StringVar(&collectAt, "collect-at", "03:00", "`time` of day at which garbage is collected, HH:MM")
	fs.StringVar(&peopleFile, "people", "", "PEM `file` with the root of your people's TLS certificates (required)")
	fs.StringVar(&c.Revoked, "revoked", "", "PEM `file` with your CA's revocation list (required)")
	fs.StringVar(&listen, "listen", "", "`address` to listen on, HOST:PORT (required)")
	fs.StringVar(&certFile, "tls-cert", "", "PEM `file` with the server's TLS certificate (required)")
	fs.StringVar(&keyFile, "tls-key", "", "PEM `file` with its key (required)")
	return cmd
}

// nodeToken reads a token of kubo's API.
func nodeToken(file string) (string, error) {
	token, err := proxy.ReadToken(file)
	if err != nil && !errors.Is(err, ledger.ErrInvalid) {
		err = words.WithHint(fmt.Errorf("the token of the IPFS node: %w", err), "name its file with --token-file")
	}
	return token, err
}
