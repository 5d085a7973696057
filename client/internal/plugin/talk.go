package plugin

import (
	"errors"
	"fmt"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/client/internal/settings"
	"github.com/chartseal/chartseal/client/internal/words"
)

// A hinted error also says what to do about it.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

func withHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// explain gives an error and its hint, if it has one, in words for people: one line each,
// safe on a terminal.
func explain(err error) (message, hint string) {
	var h *hinted
	var setting *settings.Error
	var syntax *policy.SyntaxError
	switch {
	case errors.As(err, &h):
		hint = h.hint
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
