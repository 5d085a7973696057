package cli

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/chartseal/chartseal/client/internal/words"
)

// confirm asks a person at a terminal whether to do what cannot be undone. Without a
// terminal, and with --json, the command needs --yes.
func (a *app) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	in, ok := a.stdin.(*input)
	if a.global.json || !ok || !isTerminal(in.file) || !isTerminal(a.stderr) {
		return words.WithHint(usagef("this cannot be undone, and there is no terminal to ask"), "say --yes if you mean it")
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(line), "y") {
		return errInterrupted
	}
	return nil
}
