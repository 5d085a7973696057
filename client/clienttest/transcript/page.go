// Package transcript runs the commands of a documentation page and compares their output
// with the page.
//
// The commands are in fenced blocks of the language "console". A line that begins with "$
// " is a command. It continues on the next line after a final "\", and on lines that
// begin with "> ". The lines below it, up to the next command, are its output: stdout and
// stderr together, as on a terminal. All blocks of a page form one session of one shell.
//
// [Names] defines the rules of the comparison.
package transcript

import (
	"fmt"
	"strings"
)

// A Page is a Markdown document.
type Page struct {
	lines  []string
	Steps  []Step
	Fences map[string][]int // language of a fenced block to the first lines of such blocks
}

// A Step is a command with its output on the page.
type Step struct {
	Line    int // of the command, counted from 1
	Command string
	Want    []string

	from, to int // range of Want in the page's lines
}

const (
	fence   = "```"
	console = "console"
)

// Parse finds the commands of a page.
func Parse(text string) (*Page, error) {
	p := &Page{lines: strings.Split(text, "\n"), Fences: make(map[string][]int)}
	language, inside := "", false
	for i := 0; i < len(p.lines); i++ {
		line := p.lines[i]
		switch {
		case strings.HasPrefix(line, fence) && inside:
			inside = false
		case strings.HasPrefix(line, fence):
			language, inside = strings.TrimSpace(strings.TrimPrefix(line, fence)), true
			p.Fences[language] = append(p.Fences[language], i+1)
		case inside && language == console:
			if !strings.HasPrefix(line, "$ ") {
				return nil, fmt.Errorf("line %d: output without a command", i+1)
			}
			i = p.step(i)
		}
	}
	if inside {
		return nil, fmt.Errorf("a block of %q is not closed", language)
	}
	return p, nil
}

// step parses the command that begins at the line first, with its output. It returns the
// last line.
func (p *Page) step(first int) (last int) {
	at := func(i int) string {
		if i < len(p.lines) {
			return p.lines[i]
		}
		return fence
	}
	s := Step{Line: first + 1, Command: strings.TrimPrefix(p.lines[first], "$ ")}
	i := first + 1
	for ; ; i++ {
		if more, ok := strings.CutPrefix(at(i), "> "); ok {
			s.Command += "\n" + more
		} else if strings.HasSuffix(at(i-1), `\`) && !strings.HasPrefix(at(i), fence) {
			s.Command += "\n" + at(i)
		} else {
			break
		}
	}
	s.from = i
	for !strings.HasPrefix(at(i), "$ ") && !strings.HasPrefix(at(i), fence) {
		s.Want = append(s.Want, at(i))
		i++
	}
	s.to = i
	p.Steps = append(p.Steps, s)
	return i - 1
}

// Replace returns the page's text with new output for some of its steps.
func (p *Page) Replace(output map[int][]string) string {
	var lines []string
	done := 0
	for i, s := range p.Steps {
		if out, ok := output[i]; ok {
			lines = append(append(lines, p.lines[done:s.from]...), out...)
			done = s.to
		}
	}
	return strings.Join(append(lines, p.lines[done:]...), "\n")
}
