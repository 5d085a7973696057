package network

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// Logs writes the logs of all processes, or of those that name chooses:
// ORGANISATION/KIND, ORGANISATION or KIND. Each line follows its process's name. With
// follow it goes on with new lines until ctx ends.
//
// Errors:
//   - ErrNotFound if name chooses no process.
func (n *Network) Logs(ctx context.Context, w io.Writer, name string, follow bool) error {
	chosen, err := n.named(name)
	if err != nil {
		return err
	}
	var tails []*tail
	defer func() {
		for _, t := range tails {
			t.file.Close()
		}
	}()
	for _, p := range chosen {
		f, err := os.Open(n.logFile(p))
		if os.IsNotExist(err) {
			continue // never started
		}
		if err != nil {
			return err
		}
		tails = append(tails, &tail{name: p.name(), file: f, reader: bufio.NewReader(f)})
	}
	for {
		for _, t := range tails {
			if err := t.copy(w); err != nil {
				return err
			}
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// A tail reads a log that may still grow.
type tail struct {
	name    string
	file    *os.File
	reader  *bufio.Reader
	partial string // the beginning of a line whose end is not written yet
}

func (t *tail) copy(w io.Writer) error {
	for {
		line, err := t.reader.ReadString('\n')
		t.partial += line
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s | %s", t.name, t.partial); err != nil {
			return err
		}
		t.partial = ""
	}
}
