package cli

import (
	"context"
	"io"
	"os"
)

// An input is standard input whose reads end with a context. Otherwise nothing interrupts
// a read of a pipe or a terminal, and the first SIGINT would not stop a `seal -` with a
// slow writer.
type input struct {
	ctx     context.Context
	file    *os.File
	reads   chan read
	waiting bool
	rest    read // read ahead, for the next Read
}

type read struct {
	data []byte
	err  error
}

func newInput(ctx context.Context, f *os.File) *input {
	return &input{ctx: ctx, file: f, reads: make(chan read, 1)}
}

// Read reads at most one block ahead. If the context ends a Read, a later Read returns
// that block.
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
	if err != io.EOF { // io.EOF is final, other errors may be temporary
		in.rest.err = nil
	}
	return n, err
}
