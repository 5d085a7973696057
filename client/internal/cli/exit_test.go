package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
)

// TestExitCodes fixes what other programs depend on.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		exit int
		code string
	}{
		{errors.New("anything"), 1, "failed"},
		{errInterrupted, 1, "interrupted"},
		{client.ErrExists, 1, "exists"},
		{fmt.Errorf("write: %w", syscall.ENOSPC), 1, "disk-full"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, 1, "permission"},
		{usagef("no"), 2, "usage"},
		{ledger.Errorf(ledger.ErrInvalid, "no"), 2, "invalid"},
		{usage(&policy.SyntaxError{Kind: policy.ErrTooLong}), 2, "policy-too-long"},
		{usage(&policy.SyntaxError{Kind: policy.ErrTooDeep}), 2, "policy-too-deep"},
		{usage(&policy.SyntaxError{Kind: policy.ErrTooManyAttributes}), 2, "policy-too-many-attributes"},
		{usage(fmt.Errorf("policy: %w", policy.ErrReuse)), 2, "policy-reuse"},
		{usage(&policy.SyntaxError{}), 2, "usage"},
		{client.ErrNotFound, 3, "not-found"},
		{abe.ErrNoKey, 3, "not-found"},
		{os.ErrNotExist, 3, "not-found"},
		{client.ErrDenied, 4, "denied"},
		{client.ErrRevoked, 4, "revoked"},
		{&abe.NotSatisfiedError{}, 4, "not-satisfied"},
		{client.ErrTampered, 5, "tampered"},
		{abe.ErrTampered, 5, "tampered"},
		{client.ErrUnavailable, 6, "unavailable"},
		{context.DeadlineExceeded, 6, "timeout"},
		{errors.Join(client.ErrUnavailable, client.ErrUnknownOutcome), 6, "unknown-outcome"},
		{errors.Join(client.ErrUnavailable, client.ErrTampered), 5, "tampered"}, // an attacker cannot hide behind a failure
	} {
		wrapped := fmt.Errorf("open record: %w", c.err)
		if got := classify(wrapped); got.exit != c.exit || got.code != c.code {
			t.Errorf("%v: exit %d (%s), want %d (%s)", c.err, got.exit, got.code, c.exit, c.code)
		}
		if got := classify(words.WithHint(wrapped, "do this")); got.exit != c.exit {
			t.Errorf("%v with a hint: exit %d", c.err, got.exit)
		}
	}
}

func TestReport(t *testing.T) {
	hostile := words.WithHint(fmt.Errorf("peer said \x1b[2J\nand more: %w", client.ErrUnavailable), "try\x07 again")
	cmd := &cobra.Command{Use: "chartseal"}

	var talk bytes.Buffer
	if code := (&app{stderr: &talk}).report(cmd, hostile); code != exitUnavailable {
		t.Errorf("exit %d", code)
	}
	want := "chartseal: error: peer said \\x1b[2J and more: unavailable\nchartseal: hint: try\\a again\n"
	if talk.String() != want {
		t.Errorf("got  %q\nwant %q", talk.String(), want)
	}

	talk.Reset()
	a := &app{stderr: &talk}
	a.global.json = true
	a.report(cmd, hostile)
	var got struct{ Error errorReport }
	if err := json.Unmarshal(talk.Bytes(), &got); err != nil || strings.Count(talk.String(), "\n") != 1 {
		t.Fatalf("%q: %v", talk.String(), err)
	}
	if got.Error.Code != "unavailable" || got.Error.Exit != exitUnavailable || got.Error.Hint == "" {
		t.Errorf("%+v", got.Error)
	}
}
