package client

import (
	"context"
	"io"
)

// Progress is told how many bytes of a record have been sealed, opened or exported so
// far. Total is negative when unknown. It is called from several goroutines, at most once
// a record at a time.
type Progress func(name string, done, total int64)

// progressReader reports how far a source is read, and ends with the context: the store
// may be waiting for a source that does not notice its end.
type progressReader struct {
	r           io.Reader
	ctx         context.Context
	name        string
	done, total int64
	progress    Progress
}

func (p *progressReader) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	p.done += int64(n)
	if p.progress != nil && n > 0 {
		p.progress(p.name, p.done, p.total)
	}
	return n, err
}

// progressWriter reports how much of a record is written.
type progressWriter struct {
	w           io.Writer
	name        string
	done, total int64
	progress    Progress
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.done += int64(n)
	if p.progress != nil {
		p.progress(p.name, p.done, p.total)
	}
	return n, err
}
