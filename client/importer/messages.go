package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/chartseal/chartseal/client/emr"
)

// frame may stand around a segment of an HL7 v2 message: white space, and the bytes that
// begin and end a message on a wire.
const frame = " \t\r\n\v\x1c"

// ends are bytes with which some systems end a file.
const ends = "\x00\x1a"

// isMessages reports whether a text begins like HL7 v2.
func isMessages(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), frame)
	if len(head) < 8 {
		return false
	}
	switch string(head[:3]) {
	case "MSH", "FHS", "BHS":
		return head[3] > ' ' && head[3] < 0x7f && head[3] != head[4] && strings.IndexByte("|^~\\&#$%*!:;", head[3]) >= 0
	}
	return false
}

// errStray is why a batch is not split: a line outside its messages would be in no
// record.
var errStray = errors.New("a line stands outside the messages of the batch, so it is sealed whole")

// messages calls each for every message of a file or batch in HL7 v2. Each goes from its
// header to the next one, or to the end of the batch. It writes the lines outside to own,
// where the file and its batches say what holds for all messages.
//
// Errors:
//   - errStray, at the end, if there are other lines outside.
//   - the error of r or of each, as it is.
func messages(r io.Reader, own io.Writer, each func(section) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var at, start, end int64
	open, stray := false, false
	if head, _ := in.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		in.Discard(len(head))
		at = int64(len(head))
	}
	finish := func() error {
		if !open {
			return nil
		}
		open = false
		return each(section{start, end - start})
	}
	for {
		c, err := in.ReadByte()
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		at++
		if strings.IndexByte(frame, c) >= 0 || !open && strings.IndexByte(ends, c) >= 0 { // before a segment
			continue
		}
		in.UnreadByte()
		at--
		name, err := in.Peek(3)
		if err != nil && err != io.EOF {
			return err
		}
		switch string(name) {
		case "MSH":
			err = finish()
			open, start = true, at
		case "FHS", "BHS", "BTS", "FTS":
			err = finish()
		default:
			err = nil
			stray = stray || !open
		}
		if err != nil {
			return err
		}
		for whole := false; !whole; {
			if _, err := in.Peek(1); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
			part, _ := in.Peek(in.Buffered())
			if n := bytes.IndexAny(part, "\r\n") + 1; n > 0 {
				part, whole = part[:n], true
			}
			if !open {
				own.Write(part)
			}
			if text := bytes.TrimRight(part, frame); len(text) > 0 {
				end = at + int64(len(text))
			}
			at += int64(len(part))
			in.Discard(len(part))
		}
	}
	if err := finish(); err != nil {
		return err
	}
	if stray {
		return errStray
	}
	return nil
}

// batchItself returns what the segments around the messages say, which all messages
// inherit. It returns nil for a single message without such segments. Its errors are
// those of [messages].
func batchItself(ctx context.Context, r io.Reader) (*bundle, error) {
	sink := emr.NewSink(ctx)
	own := &measured{w: sink}
	io.WriteString(sink, "MSH|^~\\&|\r") // so that nothing is missing
	count := 0
	err := messages(r, own, func(section) error { count++; return nil })
	itself := sink.Close()
	if err != nil || count == 0 || count == 1 && own.n == 0 {
		return nil, err
	}
	return &bundle{all: itself}, ctx.Err()
}

// measured counts the bytes that are written.
type measured struct {
	w io.Writer
	n int64
}

func (m *measured) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.n += int64(n)
	return n, err
}
