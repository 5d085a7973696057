package cli

import (
	"context"
	"io"
	"os"
)

// An input is standard input that stops waiting when the program is to end. A read of a
// pipe or a terminal cannot be interrupted otherwise, and then the first SIGINT would do
// nothing to a `seal -` whose writer is slow.
type input struct {
	ctx     context.Context
	file    *os.File
	reads   chan read
	waiting bool
	rest    read // what was read and not yet asked for
}

type read struct {
	data []byte
	err  error
}

func newInput(ctx context.Context, f *os.File) *input {
	return &input{ctx: ctx, file: f, reads: make(chan read, 1)}
}

// Read reads ahead by at most one block, which a later Read returns when the context ends
// this one.
func (in *input) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(in.rest.data) == 0 && in.rest.err == nil {
		if !in.waiting {
			in.waiting = true
			go func() {
				block := make([]byte, 64<<10)
				n, err := in.file.Read(block)
				in.reads <- read{block[:n], err}
			}()
		}
		select {
		case in.rest = <-in.reads:
			in.waiting = false
		case <-in.ctx.Done():
			return 0, in.ctx.Err()
		}
	}
	n := copy(p, in.rest.data)
	in.rest.data = in.rest.data[n:]
	if len(in.rest.data) > 0 {
		return n, nil
	}
	err := in.rest.err
	if err != io.EOF { // which stays, while other errors may pass
		in.rest.err = nil
	}
	return n, err
}
