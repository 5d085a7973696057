package importer

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/chartseal/chartseal/client/emr"
)

// A file is a file of the source as it was when the walk found it, or a file in one.
type file struct {
	path string // to open it
	name string // path below the source, with slashes; its own name if it is the source
	info fs.FileInfo

	archives []string // paths of the archives around it, the outermost first

	// steps lead from the file of the source to one in it: through archives and
	// compression. There are none for a file of the source itself.
	steps    []step
	unpacker *unpacker
	left     *allowance

	// within is what the media and archives around it say of it.
	within []*emr.Document
}

var errChanged = errors.New("it changed while it was read: import it again when it is left alone")

// A content is an open file.
type content struct {
	io.ReaderAt
	size    int64
	source  *os.File
	release []func() // of what was unpacked
}

func (c *content) Close() error {
	for _, release := range c.release {
		release()
	}
	return c.source.Close()
}

// unchanged fails with errChanged if the file of the source has changed since the walk.
func (c *content) unchanged(f *file) error {
	now, err := c.source.Stat()
	if err != nil || f.changed(now) {
		return errors.Join(errChanged, err)
	}
	return nil
}

// open opens the file that the walk found. If another file has its name now, such as a
// link or a pipe, it fails with errChanged.
func (f *file) open() (*content, error) {
	in, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errChanged
	}
	if err != nil {
		return nil, err
	}
	info, err := in.Stat()
	if err == nil && (!os.SameFile(info, f.info) || f.changed(info)) {
		err = errChanged
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	c := &content{ReaderAt: in, size: info.Size(), source: in}
	for n := range f.steps {
		if err := f.unpacker.enter(c, f, n); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func (f *file) changed(now fs.FileInfo) bool {
	return now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime())
}

// in returns the file that a further step leads to.
func (f *file) in(s step, name string) file {
	inner := *f
	inner.steps = append(f.steps[:len(f.steps):len(f.steps)], s)
	inner.name = name
	return inner
}

// unpackedName is the name of a file without the endings of a compression that was
// undone.
func (f *file) unpackedName() string {
	name := f.name
	for n := len(f.steps) - 1; n >= 0 && f.steps[n].compression(); n-- {
		for _, ending := range []string{".gz", ".bz2"} {
			if len(name) > len(ending) && strings.EqualFold(name[len(name)-len(ending):], ending) {
				name = name[:len(name)-len(ending)]
				break
			}
		}
	}
	return name
}

// paths are the paths of a file and of the archives around it, which rules may match.
func (f *file) paths() []string { return append(f.archives[:len(f.archives):len(f.archives)], f.name) }
