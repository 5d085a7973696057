// Package cli is the command line of chartseal: it turns flags into calls of package
// client, and results and errors into words for people. It holds no rules about records,
// keys or the ledger.
//
// # Rules of the interface
//
// stdout is data, stderr is talk. What a command is asked for goes to stdout, as aligned
// text or, with --json, as JSON with stable fields. Notes, warnings, errors and progress
// go to stderr; a progress bar is drawn only when stderr is a terminal.
//
// An error is one line, "chartseal: error: ...", and usually one more, "chartseal: hint:
// ...", that says what to do. A mistake inside a policy or a query is shown with a caret
// under its column. With --json the same error is one JSON object on stderr,
// {"error":{"code":...,"exit":...,"message":...,"hint":...}}, and stdout stays empty, so
// that a program can parse stdout as data or not at all.
//
// The exit code is the class of the error; the one table from sentinel errors to codes
// and hints is in exit.go:
//
//	0  done
//	1  another failure
//	2  the command line, or an argument such as a policy, is not valid
//	3  not found: a record, user, attribute, scope or file
//	4  denied, revoked, or the policy is not satisfied
//	5  tampered: stored data does not match what the ledger says of it
//	6  a service is unavailable
//
// A setting is looked for in the flags, then in the environment, then in the
// configuration file, then in the defaults, once, before a command starts; see settings.
//
// Text that comes from records, from other hospitals or from servers is never written to
// a terminal raw: control characters in it are shown escaped.
package cli
