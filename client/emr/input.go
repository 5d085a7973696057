package emr

import (
	"bufio"
	"errors"
	"io"
	"math"
)

const (
	headSize  = 4 << 10  // bytes that recognisers see
	inputSize = 64 << 10 // bytes that a reader may peek at before it declines a record
)

// An input is a record on its way to a reader. All its bytes pass here, so bounds on the
// work for one record belong here.
type input struct {
	*bufio.Reader
	source *bounded
}

func newInput(r io.Reader) *input {
	source := &bounded{r: r, max: math.MaxInt64}
	return &input{bufio.NewReaderSize(source, inputSize), source}
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

// err returns the failure of the underlying reader. Parsers report it in words of their
// own.
func (in *input) err() error { return in.source.err }

// bounded reads up to max bytes, and remembers whether there were more.
type bounded struct {
	r    io.Reader
	max  int64
	read int64
	more bool
	err  error
}

func (s *bounded) Read(p []byte) (int, error) {
	end := s.read >= s.max
	if end {
		var one [1]byte // shows whether there is more
		p = one[:]
	}
	n, err := s.r.Read(p[:min(int64(len(p)), max(1, s.max-s.read))])
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	if end {
		s.more = s.more || n > 0
		return 0, io.EOF
	}
	s.read += int64(n)
	return n, err
}
