package cli

import (
	"errors"
	"math/big"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client/internal/words"
)

func (a *app) policyCommand() *cobra.Command {
	return parentCommand("policy", "Explain policies", sectionPeople, a.policyCheckCommand(), a.policyExplainCommand())
}

// anyPrime compiles a policy only to check it and to count its stanzas. Any prime above
// policy.MaxAttributes will do.
var anyPrime = big.NewInt(65537)

// parsePolicy reads a policy; a mistake in it is shown with a caret.
func parsePolicy(text string) (*policy.Policy, []*policy.Span, error) {
	p, err := policy.Parse(text)
	if err != nil {
		return nil, nil, policyError(text, err)
	}
	spans, err := p.Spans(anyPrime)
	if err != nil {
		return nil, nil, policyError(text, err)
	}
	return p, spans, nil
}

func checkPolicy(text string) error {
	_, _, err := parsePolicy(text)
	return err
}

func policyError(text string, err error) error {
	talk := &words.Advised{Err: usage(err), Hint: classify(usage(err)).hint}
	var at *policy.SyntaxError
	if errors.As(err, &at) {
		talk.Lines = strings.Split(at.Caret(text), "\n")
		if at.Hint != "" {
			talk.Hint = at.Hint
		}
	}
	if talk.Hint == "" {
		talk.Hint = "'chartseal policy check --help' shows the language"
	}
	return talk
}

// A place is a position in the text of a policy.
type place struct {
	Line   int `json:"line"`
	Column int `json:"column"` // in characters, from 1
}

func placeOf(text string, offset int) place {
	before := text[:min(max(offset, 0), len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return place{strings.Count(before, "\n") + 1, len([]rune(before[start:])) + 1}
}

// caret draws the line of a place, and a "^" under it.
func (p place) caret(text string) []string {
	return strings.Split((&policy.SyntaxError{Line: p.Line, Column: p.Column}).Caret(text), "\n")
}
