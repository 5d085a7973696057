package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
)

// readText reads a small text file; "-" is stdin.
func (a *app) readText(path string, limit int64) (string, error) {
	r := a.stdin
	if path != "-" {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return "", usagef("%s is a directory", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(b)) > limit {
		return "", usagef("%s is larger than %s", path, bytesText(limit))
	}
	return string(b), nil
}

// sources turns file arguments into sources, and refuses files that cannot be read.
func (a *app) sources(files []string) ([]client.Source, error) {
	var sources []client.Source
	for i, file := range files {
		if file == "-" {
			if slices.Contains(files[:i], "-") {
				return nil, usagef("standard input (-) can be sealed only once")
			}
			sources = append(sources, client.ReaderSource("stdin", a.stdin))
			continue
		}
		s := client.FileSource(file)
		switch err := s.Check(); {
		case errors.Is(err, client.ErrNotFound):
			return nil, words.WithHint(err, "check the name of the file")
		case errors.Is(err, client.ErrInvalid):
			return nil, words.WithHint(err, "name files one by one, or those of a directory as %s", filepath.Join(file, "*"))
		case err != nil:
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, nil
}
