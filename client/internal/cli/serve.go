package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/client/keys"
)

// stopTime is how long a stopping server lets requests finish.
const stopTime = 5 * time.Second

// log makes the log of a long-running command: one line an event on stderr, in JSON with
// --json. Errors and names go there, never keys or what is in records.
func (a *app) log() *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if a.global.quiet {
		options.Level = slog.LevelWarn
	}
	if a.global.json {
		return slog.New(slog.NewJSONHandler(a.stderr, options))
	}
	return slog.New(slog.NewTextHandler(a.stderr, options))
}

func (a *app) authorityServeCommand() *cobra.Command {
	f := newAuthorityFlags()
	var listen, certFile, keyFile string
	var limit authority.Limit
	cmd := &cobra.Command{
		Use:   "serve --dir DIR --listen ADDRESS --tls-cert FILE --tls-key FILE",
		Short: "Hand out attribute keys to people of the consortium",
		Long: `Serve answers key requests over mutual TLS until it is stopped. It checks the enrolment
certificate of whoever asks against the channel's members and their revocation lists, decides by
the rule file, and logs who got which attributes and versions, never a key. The same person asking
again gets the same keys; one person may ask --limit-burst times at once and every --limit-every
in the long run. Attributes that are published or rotated meanwhile count at once; rules that were
changed need a restart.`,
		Args: takes(0, 0, ""),
		RunE: a.runUntilStopped(func(ctx context.Context, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if limit.Every <= 0 || limit.Burst <= 0 {
				return usagef("--limit-every and --limit-burst must be greater than zero")
			}
			if _, _, err := net.SplitHostPort(listen); err != nil {
				return withHint(usagef("--listen %q is not an address", listen), "write HOST:PORT, such as 127.0.0.1:7060")
			}
			certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
			if err != nil {
				return withHint(fmt.Errorf("TLS certificate of the server: %w", err), "name its PEM files with --tls-cert and --tls-key")
			}
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
			handler, err := authority.NewServer(authority.Config{
				Master: master, Mapping: mapping, Verifier: authority.NewVerifier(s.Members),
				Versions: keys.Issuable(s.Ledger, master), Log: a.log(), Limit: limit,
			})
			if err != nil {
				return err
			}
			return a.serve(ctx, handler.HTTP(listen, certificate))
		}),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&listen, "listen", "", "`address` to listen on, HOST:PORT (required)")
	fs.StringVar(&certFile, "tls-cert", "", "PEM `file` with the server's TLS certificate, of your MSP's TLS CA (required)")
	fs.DurationVar(&limit.Every, "limit-every", 2*time.Second, "how often one person may ask in the long run")
	fs.IntVar(&limit.Burst, "limit-burst", 20, "how `many` times one person may ask at once")
	fs.StringVar(&keyFile, "tls-key", "", "PEM `file` with its key (required)")
	return cmd
}

// serve runs server until ctx ends, which is no error.
func (a *app) serve(ctx context.Context, server *http.Server) error {
	listener, err := net.Listen("tcp", server.Addr)
	if err != nil {
		return withHint(fmt.Errorf("serve: %w", err), "is another server running at %s?", server.Addr)
	}
	log := a.log()
	log.Info("authority serves", "address", listener.Addr().String())
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(listener, "", "") }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	err = server.Shutdown(stopCtx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	log.Info("authority stopped")
	return err
}
