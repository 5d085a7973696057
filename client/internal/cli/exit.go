package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/ipfs"
)

// Exit codes. Programs depend on them: they do not change.
const (
	exitDone        = 0
	exitOther       = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitTampered    = 5
	exitUnavailable = 6
)

var (
	errUsage       = errors.New("usage")
	errInterrupted = errors.New("interrupted")
)

// A class is the meaning of the errors that match err.
type class struct {
	err  error
	code string // in JSON; does not change
	exit int
	hint string // advice, unless the error has a better hint
}

const hintTampered = "the stored data is not what the ledger says it is; nothing was released; tell the record's home hospital"

const hintLimit = "let an authority grant one attribute that stands for several, and seal under that"

// classes maps errors to exit codes and hints. The first match decides. So errors that an
// attack causes come before errors that could hide the attack.
var classes = []class{
	{ipfs.ErrDamaged, "tampered", exitTampered,
		"nothing was released; your hospital's IPFS node has lost the record, and no other node that it reaches has it; tell those who run it, or try again when the other hospitals' nodes run"},
	{ledger.ErrTampered, "tampered", exitTampered, hintTampered},
	{abe.ErrTampered, "tampered", exitTampered, hintTampered},
	{abe.ErrNotSatisfied, "not-satisfied", exitDenied,
		"your attribute keys do not meet the policy; 'chartseal keys list' shows what you hold, 'chartseal keys request' asks for more"},
	{ledger.ErrRevoked, "revoked", exitDenied,
		"what you used was withdrawn; ask your hospital's administrator"},
	{ledger.ErrDenied, "denied", exitDenied,
		"your organisation or the role in your certificate does not allow this"},
	{abe.ErrKeyMismatch, "key-mismatch", exitDenied, "get them again with 'chartseal keys request'"},
	{policy.ErrTooLong, "policy-too-long", exitUsage, hintLimit},
	{policy.ErrTooDeep, "policy-too-deep", exitUsage, hintLimit},
	{policy.ErrTooManyAttributes, "policy-too-many-attributes", exitUsage, hintLimit},
	{policy.ErrReuse, "policy-reuse", exitUsage, "write each attribute once, or let an authority grant one attribute that stands for the combination"},
	{errUsage, "usage", exitUsage, ""},
	{ledger.ErrInvalid, "invalid", exitUsage, ""},
	{ledger.ErrErased, "erased", exitNotFound, "its keys were destroyed, so nobody opens it any more; 'chartseal history RECORD' shows the tombstone"},
	{ledger.ErrNotFound, "not-found", exitNotFound, ""},
	{abe.ErrNoKey, "not-found", exitNotFound, "'chartseal policy check' tells which attributes are published"},
	{fs.ErrNotExist, "not-found", exitNotFound, "check the name of the file"},
	{client.ErrUnknownOutcome, "unknown-outcome", exitUnavailable,
		"it may still come into force: look on the ledger with 'chartseal audit records' or search before you repeat it"},
	{client.ErrConflict, "conflict", exitUnavailable, "nothing was written; try again"},
	{ledger.ErrUnavailable, "unavailable", exitUnavailable,
		"a service does not answer; try again, or ask the operator of your hospital's node"},
	{context.DeadlineExceeded, "timeout", exitUnavailable,
		"give it more time with --timeout, or ask the operator of your hospital's node"},
	{errInterrupted, "interrupted", exitOther, ""},
	{ledger.ErrExists, "exists", exitOther, ""},
	{fs.ErrExist, "exists", exitOther, ""},
	{fs.ErrPermission, "permission", exitOther, "check who owns the file and its directory"},
	{syscall.ENOSPC, "disk-full", exitOther, "the disk is full: free some space, or set TMPDIR to a larger disk"},
	{syscall.EDQUOT, "disk-full", exitOther, "your disk quota is used up: free some space"},
}

var otherClass = class{code: "failed", exit: exitOther}

func classify(err error) class {
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c
		}
	}
	return otherClass
}

// usage marks an error as a mistake on the command line and keeps its text.
func usage(err error) error { return ledger.WithKind(err, errUsage) }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// An errorReport is an error as --json prints it.
type errorReport struct {
	Code    string `json:"code"`
	Exit    int    `json:"exit"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// report prints err, which ended cmd, and returns the exit code.
func (a *app) report(cmd *cobra.Command, err error) int {
	c := classify(err)
	hint, lines := c.hint, []string(nil)
	var advised *words.Advised
	if errors.As(err, &advised) {
		if advised.Hint != "" {
			hint = advised.Hint
		}
		lines = advised.Lines
	}
	if hint == "" && c.code == "usage" {
		hint = fmt.Sprintf("see '%s --help'", cmd.CommandPath())
	}
	r := errorReport{Code: c.code, Exit: c.exit, Message: words.OneLine(err.Error()), Hint: hint}
	if a.global.json {
		a.stderrJSON(map[string]errorReport{"error": r})
		return c.exit
	}
	fmt.Fprintf(a.stderr, "chartseal: error: %s\n", r.Message)
	for _, line := range lines {
		fmt.Fprintf(a.stderr, "  %s\n", words.Clean(line))
	}
	if hint != "" {
		fmt.Fprintf(a.stderr, "chartseal: hint: %s\n", words.OneLine(hint))
	}
	return c.exit
}
