package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

// flushWaiting writes what waits in the outbox when it is due, and ends when nothing
// waits. It connects only then, with what the wallet holds at that time.
func (a *app) flushWaiting(ctx context.Context) error {
	u, err := a.user()
	if err != nil {
		return err
	}
	box, err := u.Outbox()
	if err != nil {
		return err
	}
	log := a.log()
	return outbox.Wait{
		Age: a.settings.IndexWait,
		Flush: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, flushTimeout)
			defer cancel()
			return a.withSession(func(s *session.Session) error {
				report, err := s.Client.FlushIndex(ctx, client.FlushOptions{})
				if report.Entries > 0 {
					log.Info("index written", "records", report.Records, "entries", report.Entries, "transactions", report.Transactions)
				}
				return err
			})
		},
		Tell: func(err error) { log.Warn("index not written, trying again", "error", err.Error()) },
	}.Run(ctx, box)
}

// flushTimeout bounds one flush in the background.
const flushTimeout = 5 * time.Minute

// attend starts this program in the background if entries wait in the outbox and no
// process waits to write them. It reports whether one does.
func (a *app) attend(box *outbox.Box, u *wallet.User) bool {
	waits, err := box.Status()
	if err != nil || !waits.Waiting() {
		return false
	}
	if attended, err := box.Attended(); err != nil || attended {
		return attended
	}
	if a.settings.Foreground || a.exe == "" {
		return false
	}
	if err := a.startWaiting(box, u); err != nil {
		a.warn("no process could be started that writes the waiting index entries: %v", err)
		return false
	}
	return true
}

// startTime bounds the start of a process in the background.
const startTime = 10 * time.Second

// startWaiting starts 'index flush --wait' in a session of its own, so that it outlives
// this command and its terminal. It returns once that waits, or has written everything.
func (a *app) startWaiting(box *outbox.Box, u *wallet.User) error {
	dir, err := filepath.Abs(filepath.Dir(u.Dir()))
	if err != nil {
		return err
	}
	output := filepath.Join(u.Dir(), "state", "outbox", "background.log")
	log, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(a.exe, "index", "flush", "--wait", "--user", u.String(), "--wallet", dir)
	cmd.Args[0], cmd.Dir = "chartseal", "/"
	for _, v := range os.Environ() { // not secrets
		if !strings.HasPrefix(v, "CHARTSEAL_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if a.settings.IndexWait > 0 {
		cmd.Env = append(cmd.Env, "CHARTSEAL_INDEX_WAIT="+a.settings.IndexWait.String())
	}
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for limit := time.Now().Add(startTime); time.Now().Before(limit); {
		select {
		case err := <-ended:
			waits, statusErr := box.Status()
			if err == nil && statusErr == nil && waits.Waiting() {
				err = errors.New("it has ended")
			}
			if err != nil {
				return fmt.Errorf("%w, see %s", err, output)
			}
			return nil
		case <-time.After(10 * time.Millisecond):
		}
		if attended, err := box.Attended(); attended || err != nil {
			return err
		}
	}
	return fmt.Errorf("it has not begun after %v, see %s", startTime, output)
}

// noteWaiting starts what writes the batched records that wait, and notes by when a
// search finds them. It returns that time, zero if nothing waits.
func (a *app) noteWaiting(s *session.Session, r client.SealRequest) time.Time {
	if r.Scope == "" || r.Index != index.ModeBatched {
		return time.Time{}
	}
	waits, err := s.Client.IndexStatus()
	if err != nil || waits.Records == 0 {
		return time.Time{}
	}
	due := waits.Due(a.settings.IndexWait)
	attended := a.attend(s.Config().Outbox, s.User)
	what := count(waits.Records, "sealed record waits", "sealed records wait") + " to be indexed in a batch; keyword search finds "
	if waits.Records == 1 {
		what += "it"
	} else {
		what += "them"
	}
	if what += " by " + due.UTC().Format(timeText) + " at the latest"; attended {
		a.note("%s: a process in the background writes what waits", what)
	} else {
		a.note("%s if 'chartseal index flush --every 1m' runs as a service, or else at your next command after that", what)
	}
	return due
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
