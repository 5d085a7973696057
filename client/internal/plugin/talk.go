package plugin

import (
	"errors"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client/internal/settings"
	"github.com/chartseal/chartseal/client/internal/words"
)

// explain returns the messages for an error and its hint, if it has one. Each is one
// line, safe on a terminal.
func explain(err error) (message, hint string) {
	var advised *words.Advised
	var setting *settings.Error
	var syntax *policy.SyntaxError
	switch {
	case errors.As(err, &advised):
		hint = advised.Hint
	case errors.As(err, &setting):
		hint = setting.Hint
	case errors.As(err, &syntax):
		hint = syntax.Hint
	}
	return words.OneLine(err.Error()), words.OneLine(hint)
}

// A saying is an error whose text is one clean line, for the plugin protocol. errors.Is
// still finds the original error.
type saying struct{ err error }

func (s saying) Error() string {
	message, hint := explain(s.err)
	if hint != "" {
		message += "; " + hint
	}
	return message
}

func (s saying) Unwrap() error { return s.err }

func say(err error) error {
	if err == nil {
		return nil
	}
	return saying{err}
}
