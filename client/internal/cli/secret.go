package cli

import (
	"bytes"
	"fmt"
	"io"

	"golang.org/x/term"

	"github.com/chartseal/chartseal/client/internal/words"
)

// maxSecret is the largest passphrase or enrolment secret that is read.
const maxSecret = 4096

// A secretSource is the source of a secret: a file, an environment variable or the
// terminal. A secret is never an argument, because other users of the machine can see
// arguments.
type secretSource struct {
	what string // for messages, such as "enrolment secret"
	flag string // the flag that names a file
	file string // its value; "-" is standard input
	env  string // environment variable, "" for none
	new  bool   // a new secret; the terminal asks for it twice
}

// secret reads a secret without the line end that editors leave at its end.
func (a *app) secret(s secretSource) ([]byte, error) {
	if s.file != "" {
		text, err := a.readText(s.file, maxSecret)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.what, err)
		}
		return s.checked([]byte(text))
	}
	if s.env != "" {
		if value := a.getenv(s.env); value != "" {
			return s.checked([]byte(value))
		}
	}
	in, ok := a.stdin.(*input)
	if !ok || !term.IsTerminal(int(in.file.Fd())) {
		hint := "name a file with " + s.flag
		if s.env != "" {
			hint += ", or set " + s.env
		}
		return nil, words.WithHint(usagef("no %s, and no terminal to ask for it", s.what), "%s", hint)
	}
	first, err := a.ask(in, s.what+": ")
	if err != nil || !s.new {
		return first, err
	}
	second, err := a.ask(in, s.what+" again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, usagef("the two are not equal")
	}
	return s.checked(first)
}

func (s secretSource) checked(text []byte) ([]byte, error) {
	text = bytes.TrimRight(text, "\r\n")
	if len(text) == 0 {
		return nil, usagef("the %s is empty", s.what)
	}
	return text, nil
}

// ask reads a line from the terminal without echo. If the program is stopped before that,
// it turns the echo on again.
func (a *app) ask(in *input, prompt string) ([]byte, error) {
	terminal := int(in.file.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, fmt.Errorf("read from the terminal: %w", err)
	}
	io.WriteString(a.stderr, prompt)
	typed := make(chan read, 1)
	go func() {
		line, err := term.ReadPassword(terminal)
		typed <- read{line, err}
	}()
	var line read
	select {
	case line = <-typed:
	case <-in.ctx.Done():
		term.Restore(terminal, before)
		line.err = in.ctx.Err()
	}
	io.WriteString(a.stderr, "\n")
	if line.err != nil {
		return nil, fmt.Errorf("read from the terminal: %w", line.err)
	}
	return line.data, nil
}
