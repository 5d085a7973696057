package words

import "fmt"

// An Advised is an error with advice for its reader. Its text is that of Err.
type Advised struct {
	Err   error
	Hint  string   // advice in one line
	Lines []string // may show the position of a mistake in a text
}

func (e *Advised) Error() string { return e.Err.Error() }

// Unwrap returns the error without the advice.
func (e *Advised) Unwrap() error { return e.Err }

// WithHint gives err a hint. A nil err stays nil.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Advised{Err: err, Hint: fmt.Sprintf(format, args...)}
}
