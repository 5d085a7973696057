package proxy

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
)

// A body is a form that a person sends, and may stop sending at any point.
//
// If it fails, Go's transport closes the connection to kubo, and kubo gives up what it
// does with the parts that it has, at worst between removing a pin and making it anew. So
// a body that fails ends instead. A form without its last boundary keeps kubo from
// nothing that it has not done yet.
//
// The first part is different: kubo's add takes a file that ends early for a whole one,
// and pins it. So a body may fail as long as kubo has no whole part.
type body struct {
	io.ReadCloser
	boundary []byte // nil once the end of a part may have passed
	rest     []byte // what may be the beginning of the next boundary
	seen     int    // boundaries
}

func newBody(r *http.Request) *body {
	b := &body{ReadCloser: r.Body}
	if _, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && params["boundary"] != "" {
		b.boundary = []byte("--" + params["boundary"])
	}
	return b
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.boundary != nil {
		b.look(p[:n])
	}
	if err != nil && !errors.Is(err, io.EOF) && b.boundary == nil {
		err = io.EOF
	}
	return n, err
}

// look counts boundaries, wherever they stand. The second ends the first part, unless it
// is something else.
func (b *body) look(data []byte) {
	b.rest = append(b.rest, data...)
	for at := bytes.Index(b.rest, b.boundary); at >= 0; at = bytes.Index(b.rest, b.boundary) {
		b.rest = b.rest[at+len(b.boundary):]
		if b.seen++; b.seen == 2 {
			b.boundary, b.rest = nil, nil
			return
		}
	}
	b.rest = append([]byte(nil), b.rest[max(0, len(b.rest)-len(b.boundary)+1):]...)
}
