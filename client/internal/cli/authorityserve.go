package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/keys"
	"github.com/chartseal/chartseal/client/session"
)

// stopTime bounds how long a stopping server waits for its requests.
const stopTime = 5 * time.Second

// log makes the log of a long-running command: one line on stderr for each event, in JSON
// with --json. It holds errors and names, never keys or contents of records.
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
		Short: "Issue attribute keys to people of the consortium",
		Long: `Serve first signs what this authority has published and not signed, or signed with a certificate
that was revoked since: its public keys and its announcement. If the ledger does not answer, it tries
again until it does.

Serve answers requests for attribute keys over mutual TLS until it is stopped. For each request it
checks the person's enrolment certificate against the channel's members and their revocation lists,
and decides by the rule file. It logs the person and the names and versions of the issued keys,
never a key. A repeated request gets the same keys. A person may send --limit-burst requests at
once, and one every --limit-every after that.

Attributes published or rotated while it runs count at once, and so does a replaced master secret.
After a change of the rules, restart it.`,
		Args: takes(0, 0, ""),
		RunE: a.runUntilStopped(f.checked(func(ctx context.Context, _ []string) error {
			if limit.Every <= 0 || limit.Burst <= 0 {
				return usagef("--limit-every and --limit-burst must be greater than zero")
			}
			if _, _, err := net.SplitHostPort(listen); err != nil {
				return words.WithHint(usagef("--listen %q is not an address", listen), "write HOST:PORT, such as 127.0.0.1:7060")
			}
			certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
			if err != nil {
				return words.WithHint(fmt.Errorf("TLS certificate of the server: %w", err), "name its PEM files with --tls-cert and --tls-key")
			}
			d := authorityDir{f.dir}
			if err := d.require(); err != nil {
				return err
			}
			opened, err := os.Stat(d.masterPath())
			if err != nil {
				return err
			}
			return a.withAuthority(f, func(s *session.Session, m master) error {
				rules, err := f.rules(s.User.Profile.MSP)
				if err != nil {
					return err
				}
				log, verifier := a.log(), authority.NewVerifier(s.Members)
				handler := func(m master) (*authority.Server, error) {
					return authority.NewServer(authority.Config{
						Master: m, Mapping: rules, Verifier: verifier, Versions: keys.Issuable(s.Ledger, m), Log: log, Limit: limit,
					})
				}
				first, err := handler(m)
				if err != nil {
					return err
				}
				server := first.HTTP(listen, certificate)
				server.Handler = &reloader{path: d.masterPath(), log: log, opened: opened, now: first, make: func() (http.Handler, error) {
					m, err := a.reopen(f, s.User.Profile.MSP)
					if err != nil {
						return nil, err
					}
					return handler(m)
				}}
				by, err := signing(s)
				if err != nil {
					return err
				}
				done := a.signPublished(ctx, s, by, m)
				err = a.serve(ctx, "authority", server)
				<-done
				return err
			})
		})),
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&listen, "listen", "", "`address` to listen on, HOST:PORT (required)")
	fs.StringVar(&certFile, "tls-cert", "", "PEM `file` with the server's TLS certificate, from your MSP's TLS CA (required)")
	fs.StringVar(&keyFile, "tls-key", "", "PEM `file` with its key (required)")
	fs.DurationVar(&limit.Every, "limit-every", 2*time.Second, "`interval` at which one person may send requests in the long run")
	fs.IntVar(&limit.Burst, "limit-burst", 20, "`number` of requests that one person may send at once")
	return cmd
}

// signing patience and pause of signPublished.
const (
	signPatience = 5 * time.Second // that a start waits for
	signPause    = 10 * time.Second
)

// signPublished signs what the authority has published and not signed. It returns when
// that is done, or after signPatience, and then goes on until ctx ends. The channel that
// it returns is closed at the end.
func (a *app) signPublished(ctx context.Context, s *session.Session, by keys.Signing, m master) <-chan struct{} {
	log, done := a.log(), make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := signOnce(ctx, s, by, m, log)
			if !errors.Is(err, ledger.ErrUnavailable) {
				if err != nil && ctx.Err() == nil {
					log.Warn("what is published is not signed", "error", err)
				}
				return
			}
			log.Warn("what is published is not signed yet", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(signPause):
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(signPatience):
	}
	return done
}

func signOnce(ctx context.Context, s *session.Session, by keys.Signing, m master, log *slog.Logger) error {
	announced, err := keys.SignAnnouncement(ctx, s.Ledger, by)
	if announced != nil {
		log.Info("signed the announcement", "url", announced.URL, "custodian", announced.Custodian)
	}
	signed, keysErr := keys.Sign(ctx, s.Ledger, by, m)
	if signed > 0 {
		log.Info("signed published keys", "keys", signed)
	}
	return errors.Join(err, keysErr)
}

// serve runs a server until ctx ends, which is no error. Name is for the log.
func (a *app) serve(ctx context.Context, name string, server *http.Server) error {
	listener, err := net.Listen("tcp", server.Addr)
	if err != nil {
		return words.WithHint(fmt.Errorf("serve: %w", err), "is another server running at %s?", server.Addr)
	}
	log := a.log()
	log.Info(name+" serves", "address", listener.Addr().String())
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
	log.Info(name + " stopped")
	return err
}
