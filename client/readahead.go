package client

import (
	"errors"
	"io"
)

// readAhead encrypts in its own goroutine while the store takes the chunks that are
// ready, up to four of 256 KiB.
type readAhead struct {
	filled chan chunk
	empty  chan []byte // nil for one that is not made yet
	size   int         // of a buffer
	quit   chan struct{}
	now    chunk
	rest   []byte
	total  int64 // bytes read
}

type chunk struct {
	data []byte
	err  error
}

const (
	aheadBuffers = 4
	aheadSize    = 256 << 10
)

// newReadAhead reads ahead in the encrypted form of a source of the given size in bytes,
// negative if unknown.
func newReadAhead(r io.Reader, size int64) *readAhead {
	a := &readAhead{
		filled: make(chan chunk, aheadBuffers), empty: make(chan []byte, aheadBuffers), quit: make(chan struct{}), size: aheadSize,
	}
	if size >= 0 && size < aheadSize/2 {
		a.size = int(size + size/8 + 4096) // padding and headers are less: a small record needs one buffer, and no large one
	}
	for range aheadBuffers {
		a.empty <- nil
	}
	go a.fill(r)
	return a
}

func (a *readAhead) fill(r io.Reader) {
	for {
		select {
		case buf := <-a.empty:
			if buf == nil {
				buf = make([]byte, a.size)
			}
			n, err := io.ReadFull(r, buf[:cap(buf)])
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			a.filled <- chunk{buf[:n], err} // never blocks: there are as many places as buffers
			if err != nil {
				return
			}
		case <-a.quit:
			return
		}
	}
}

func (a *readAhead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.data != nil {
			a.empty <- a.now.data
		}
		a.now = <-a.filled
		a.rest = a.now.data
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	a.total += int64(n)
	return n, nil
}

// stop ends the goroutine once its current read returns.
func (a *readAhead) stop() { close(a.quit) }
