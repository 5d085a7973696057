package emr

import (
	"context"
	"errors"
	"io"
)

// A Sink extracts from a record while other code reads it. Write the record to the sink,
// for example by [io.TeeReader], then call Close. A Sink is not safe for concurrent use.
type Sink struct {
	pipe *io.PipeWriter
	done chan Document
	idle bool
}

var errEnough = errors.New("nothing more to extract")

// NewSink starts an extraction. It stops early once ctx has ended. Always call Close.
func NewSink(ctx context.Context) *Sink {
	r, w := io.Pipe()
	s := &Sink{pipe: w, done: make(chan Document, 1)}
	go func() {
		doc, _ := Extract(ctx, r) // its only error is that of ctx: the pipe has none
		r.CloseWithError(errEnough)
		s.done <- doc
	}()
	return s
}

// Write takes the next bytes of the record. It never fails. It costs nothing once the
// extraction needs no more.
func (s *Sink) Write(p []byte) (int, error) {
	if !s.idle {
		if _, err := s.pipe.Write(p); err != nil {
			s.idle = true
		}
	}
	return len(p), nil
}

// Close ends the record and returns its facts. Call it once.
func (s *Sink) Close() Document {
	s.pipe.Close()
	return <-s.done
}
