// Package cli is the command line of chartseal. It turns flags into calls of package
// client, and results and errors into text for people. It holds no rules about records,
// keys or the ledger.
//
// # Rules of the interface
//
// Results go to stdout, as aligned text or, with --json, as JSON with stable fields.
// Notes, warnings, errors and progress go to stderr. A progress bar is drawn only if
// stderr is a terminal.
//
// An error is one line, "chartseal: error: ...", usually followed by a line of advice,
// "chartseal: hint: ...". A caret marks the column of a mistake in a policy or a query.
// With --json the same error is one JSON object on stderr,
// {"error":{"code":...,"exit":...,"message":...,"hint":...}}, and stdout stays empty, so
// that a program can parse stdout as data or not at all.
//
// The exit code is the class of the error. The table in exit.go maps sentinel errors to
// codes and hints:
//
//	0  done
//	1  another failure
//	2  the command line, or an argument such as a policy, is not valid
//	3  not found: a record, user, attribute, scope or file
//	4  denied, revoked, or the policy is not satisfied
//	5  tampered: stored data does not match what the ledger says of it
//	6  a service is unavailable
//
// Settings come from the flags, then the environment, then the configuration file, then
// the defaults. They are resolved once, before a command starts; see package settings.
//
// Text from records, other hospitals or servers is never written raw to a terminal: its
// control characters are escaped.
package cli
