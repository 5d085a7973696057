package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// helpWidth fits the terminals that people have, and the indent of a quoted text.
const helpWidth = 104

// TestHelpWidth keeps the lines of help as long as those of the flags below them.
func TestHelpWidth(t *testing.T) {
	everyCommand((&app{}).rootCommand(), func(c *cobra.Command) {
		for line := range strings.Lines(c.Long) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%s --help has a line of %d characters, at most %d fit: %s", c.CommandPath(), n, helpWidth, line)
			}
		}
	})
}

// TestCommandsExist finds the commands that help, hints and pages of documentation name.
func TestCommandsExist(t *testing.T) {
	root := (&app{}).rootCommand()
	named := 0
	check := func(name, command string) {
		named++
		if word, group := unknownIn(root, command); word != "" {
			t.Errorf("%s names 'chartseal %s': %s has no command %q", name, command, group, word)
		}
	}
	inSource := regexp.MustCompile(`'chartseal ([^']+)'`)
	inPage := regexp.MustCompile("(?m)(?:^\\$ |`)(?:build/)?chartseal ([^`\n]+)")
	short := regexp.MustCompile("`([a-z]+ [a-z]+)[^`\n]*`")
	top := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "build" || entry.Name() == "testdata" || name != top && strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case strings.HasSuffix(name, "_test.go"):
		case strings.HasSuffix(name, ".go"):
			for _, m := range inSource.FindAllStringSubmatch(contents(t, name), -1) {
				check(name, m[1])
			}
		case strings.HasSuffix(name, ".md"):
			for _, m := range inPage.FindAllStringSubmatch(contents(t, name), -1) {
				check(name, m[1])
			}
			for _, m := range short.FindAllStringSubmatch(contents(t, name), -1) {
				// ipfs is also kubo's program.
				if group, _, err := root.Find(strings.Fields(m[1])[:1]); err == nil && group != root && group.HasSubCommands() && group.Name() != "ipfs" {
					check(name, m[1])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if named < 200 {
		t.Errorf("only %d commands were found: the test looks in the wrong place", named)
	}
	if word, _ := unknownIn(root, "--user a@b authority nonsense --dir d"); word != "nonsense" {
		t.Error("the test finds no wrong command")
	}
}

// unknownIn follows a command line to the first word that names no command of a group.
func unknownIn(root *cobra.Command, line string) (word, group string) {
	c := root
	words := strings.Fields(line)
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == "--user" || w == "--wallet":
			i++
			continue
		case !c.HasSubCommands() || !regexp.MustCompile(`^[a-z]+$`).MatchString(w):
			return "", ""
		default:
			next, _, err := c.Find([]string{w})
			if err != nil || next == c {
				return w, c.CommandPath()
			}
			c = next
		}
	}
	return "", ""
}

func everyCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, child := range c.Commands() {
		everyCommand(child, do)
	}
}

func contents(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
