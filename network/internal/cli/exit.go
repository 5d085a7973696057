package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/network"
	"github.com/chartseal/chartseal/network/fabricca"
)

// Exit codes. They mean the same as chartseal's, and do not change.
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
	errUnhealthy   = errors.New("not all processes are healthy")
	errFaulty      = errors.New("the doctor has found faults")
)

// A class says what an error that matches err means to the caller.
type class struct {
	err  error
	code string // in JSON; does not change
	exit int
	hint string // what to do, unless the error carries a better hint
}

// classes is the one table from errors to exit codes and hints. The first match decides.
var classes = []class{
	{errInterrupted, "interrupted", exitOther, ""},
	{errUsage, "usage", exitUsage, ""},
	{network.ErrInvalid, "invalid", exitUsage, ""},
	{fabricca.ErrMismatch, "tampered", exitTampered, "the CA answered with another certificate: look at its log with 'chartnet logs ca'"},
	{fabricca.ErrUntrusted, "denied", exitDenied, "another program listens on the CA's port, or the CA's certificate has ended: see 'chartnet status'"},
	{fabricca.ErrDenied, "denied", exitDenied, "look at the CA's log with 'chartnet logs ca'"},
	{fabricca.ErrExists, "exists", exitOther, "choose another name: a name stays taken, even after 'chartnet revoke'"},
	{fabricca.ErrInvalid, "invalid", exitUsage, ""},
	{fabricca.ErrNotFound, "not-found", exitNotFound, "the CA knows a person once 'chartnet register' has named them"},
	{fabricca.ErrUnavailable, "unavailable", exitUnavailable, "'chartnet up' starts what does not run"},
	{network.ErrNoNetwork, "not-found", exitNotFound,
		"bring one up with 'chartnet up' (make up), or name its directory with --dir or CHARTSEAL_NETWORK_DIR"},
	{network.ErrNotFound, "not-found", exitNotFound, ""},
	{errUnhealthy, "unavailable", exitUnavailable, "'chartnet up' starts what does not run, 'chartnet logs' tells why"},
	{errFaulty, "unavailable", exitUnavailable, "the lines below a fault say what mends it; docs/doctor.md says more"},
	{network.ErrUnavailable, "unavailable", exitUnavailable, "'chartnet status' and 'chartnet logs' tell more"},
	{fs.ErrNotExist, "not-found", exitNotFound, "check the name of the file"},
	{fs.ErrExist, "exists", exitOther, "name another file, or move the old one away"},
	{fs.ErrPermission, "permission", exitOther, "check who owns the file and its directory"},
	{syscall.ENOSPC, "disk-full", exitOther, "the disk is full: free some space"},
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

// A usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() []error { return []error{errUsage, e.error} }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// A hintedError has a hint that fits better than the table's.
type hintedError struct {
	error
	hint string
}

func (e hintedError) Unwrap() error { return e.error }

// An errorReport is an error as --json prints it.
type errorReport struct {
	Code    string `json:"code"`
	Exit    int    `json:"exit"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// report tells the user about err, which ended cmd, and returns the exit code.
func (a *app) report(cmd *cobra.Command, err error) int {
	c := classify(err)
	hint := c.hint
	var better hintedError
	if errors.As(err, &better) {
		hint = better.hint
	}
	if hint == "" && c.exit == exitUsage {
		hint = fmt.Sprintf("see '%s --help'", cmd.CommandPath())
	}
	if a.json {
		report := errorReport{Code: c.code, Exit: c.exit, Message: err.Error(), Hint: hint}
		json.NewEncoder(a.stderr).Encode(map[string]errorReport{"error": report})
		return c.exit
	}
	fmt.Fprintf(a.stderr, "chartnet: error: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	if hint != "" {
		fmt.Fprintf(a.stderr, "chartnet: hint: %s\n", hint)
	}
	return c.exit
}
