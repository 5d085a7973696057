// Package cli is the command line of chartnet: it turns flags into calls of package
// network, and results and errors into words for people.
//
// It follows the rules of chartseal's command line (client/internal/cli). stdout is data,
// stderr is talk. An error is "chartnet: error: ..." and usually "chartnet: hint: ...",
// or one JSON object with --json. The exit codes are those of chartseal; the one table
// from errors to codes and hints is in exit.go.
//
// A new command is a function that makes a cobra.Command, and a line in rootCommand.
package cli
