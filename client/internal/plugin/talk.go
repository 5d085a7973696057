package plugin

import (
	"errors"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client/internal/settings"
	"github.com/chartseal/chartseal/client/internal/words"
)

// explain gives an error and its hint, if it has one, in words for people: one line each,
// safe on a terminal.
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

// A saying is an error as one clean line, which is all that the plugin protocol carries.
// It stays what it was for errors.Is.
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
