package emr

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
	"math"
	"sync"
)

const (
	headSize  = 4 << 10  // bytes that recognisers see
	inputSize = 64 << 10 // bytes that a reader may peek at before it declines a record
)

// An input is a record on its way to a reader. All its bytes pass here, so that bounds on
// the work for one record hold for every reader.
type input struct {
	*bufio.Reader
	source *bounded
	work   *budget
}

func newInput(r io.Reader, work *budget) *input {
	source := &bounded{r: r, max: math.MaxInt64, work: work}
	buffered := buffers.Get().(*bufio.Reader)
	buffered.Reset(source)
	return &input{buffered, source, work}
}

// buffers are those of inputs that were released: most records are shorter than one.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, inputSize) }}

// release ends the use of an input. No part of its buffer may be in use then.
func (in *input) release() {
	in.Reader.Reset(nil)
	buffers.Put(in.Reader)
	in.Reader = nil
}

// limit ends the input after that many bytes. Zero sets no limit.
func (in *input) limit(bytes int64) *input {
	if bytes > 0 {
		in.source.max = bytes
	}
	return in
}

// head returns the first bytes and does not consume them.
func (in *input) head() []byte {
	head, _ := in.Peek(headSize)
	return head
}

// err returns the failure of the underlying reader, or the reason to stop. Parsers report
// it in words of their own.
func (in *input) err() error {
	if in.work.stopped != nil {
		return in.work.stopped
	}
	return in.source.err
}

// deflated charges for bytes that are to be inflated. They may inflate to nothing, and
// take long.
type deflated struct {
	flate.Reader
	work *budget
}

func (d *deflated) ReadByte() (byte, error) {
	if d.work.spend(priceDeflate); d.work.spent() {
		return 0, errBudget
	}
	return d.Reader.ReadByte()
}

func (d *deflated) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	d.work.spend(n)
	return n, err
}

// bounded reads up to max bytes, and remembers whether there were more. It fails once the
// work is spent or the caller gives up.
type bounded struct {
	r    io.Reader
	max  int64
	read int64
	more bool
	err  error
	work *budget
	gain int // units that each byte adds to the budget
}

func (s *bounded) Read(p []byte) (int, error) {
	if err := s.work.check(); err != nil {
		return 0, err
	}
	end := s.read >= s.max
	if end {
		var one [1]byte // shows whether there is more
		p = one[:]
	}
	n, err := s.r.Read(p[:min(int64(len(p)), max(1, s.max-s.read))])
	s.work.spend((n+3)/4 - n*s.gain)
	if err != nil && !errors.Is(err, io.EOF) && s.work.check() == nil {
		s.err = err
	}
	if end {
		s.more = s.more || n > 0
		return 0, io.EOF
	}
	s.read += int64(n)
	return n, err
}
