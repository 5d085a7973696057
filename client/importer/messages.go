package importer

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/chartseal/chartseal/client/emr"
)

// frame may stand around a segment of an HL7 v2 message: white space, and the bytes that
// begin and end a message on a wire.
const frame = " \t\r\n\v\x1c"

// isMessages reports whether a text begins like HL7 v2.
func isMessages(head []byte) bool {
	head = bytes.TrimLeft(head, frame)
	if len(head) < 8 {
		return false
	}
	switch string(head[:3]) {
	case "MSH", "FHS", "BHS":
		return head[3] > ' ' && head[3] < 0x7f && head[3] != head[4] && strings.IndexByte("|^~\\&#$%*!:;", head[3]) >= 0
	}
	return false
}

// messages calls each for every message of a file or batch in HL7 v2. What the file and
// its batches say of themselves is in their own segments, which it writes to own. Each
// message goes from its header to the next one, or to the end of the batch.
func messages(r io.Reader, own *bytes.Buffer, each func(section) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var at, start, end int64
	open := false
	finish := func() error {
		if !open {
			return nil
		}
		open = false
		return each(section{start, end - start})
	}
	for fresh := true; ; { // fresh: a segment begins
		if _, err := in.Peek(1); err == io.EOF {
			return finish()
		} else if err != nil {
			return err
		}
		part, _ := in.Peek(in.Buffered())
		n, whole := bytes.IndexAny(part, "\r\n")+1, true
		if n == 0 {
			n, whole = len(part), false
		}
		if fresh && !whole && n < 8 { // the name may be cut off
			if more, err := in.Peek(8); err == nil || len(more) > n {
				continue
			}
		}
		line := part[:n]
		if fresh {
			name := bytes.TrimLeft(line, frame)
			switch {
			case bytes.HasPrefix(name, []byte("MSH")):
				if err := finish(); err != nil {
					return err
				}
				open, start = true, at+int64(len(line)-len(name))
			case bytes.HasPrefix(name, []byte("FHS")), bytes.HasPrefix(name, []byte("BHS")), bytes.HasPrefix(name, []byte("BTS")), bytes.HasPrefix(name, []byte("FTS")):
				if err := finish(); err != nil {
					return err
				}
				if own.Len() < 1<<20 {
					own.Write(bytes.TrimRight(name, frame))
					own.WriteByte('\r')
				}
			}
		}
		if text := bytes.TrimRight(line, frame); len(text) > 0 {
			end = at + int64(len(text))
		}
		in.Discard(n)
		at += int64(n)
		fresh = whole
	}
}

// batchItself returns what the segments around the messages say, which all messages
// inherit. It returns nil for a single message without such segments.
func batchItself(ctx context.Context, r io.Reader) (*emr.Document, error) {
	var own bytes.Buffer
	count := 0
	if err := messages(r, &own, func(section) error { count++; return nil }); err != nil {
		return nil, err
	}
	if count == 0 || count == 1 && own.Len() == 0 {
		return nil, nil
	}
	header := "MSH|^~\\&|\r" // so that nothing is missing
	itself, err := emr.Extract(ctx, strings.NewReader(header+own.String()))
	return &itself, err
}
