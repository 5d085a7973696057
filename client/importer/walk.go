package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/emr"
)

// A file is a file of the source, as it was when the walk found it.
type file struct {
	path string // to open it
	name string // path below the source, with slashes; its own name if it is the source
	info fs.FileInfo
}

// An item is a future record: a file, or a part of one.
type item struct {
	file
	part    int // from 1; 0 for a whole file
	section section
	bundle  *emr.Document // that it is an entry of, without the entries; nil for none

	// Set by inspect.
	rule *Rule
	kind string
	id   string
	sum  [32]byte
}

var errChanged = errors.New("it changed while it was read: import it again when it is left alone")

// open opens the file that the walk found. If another file has its name now, such as a
// link or a pipe, it fails with errChanged.
func (f *file) open() (*os.File, error) {
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
	return in, nil
}

func (f *file) changed(now fs.FileInfo) bool {
	return now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime())
}

// dirChunk is the number of directory entries in memory at a time: a directory may have
// millions.
const dirChunk = 4096

// A walker finds items. An error of one of its functions ends the walk.
type walker struct {
	split bool
	item  func(*item) error
	skip  func(name string, reason error, failed bool) error // for a file that is not imported; failed tells an error from a file that is no record
}

// walk finds the items of root, which is a directory or a file.
func (w *walker) walk(ctx context.Context, root string) error {
	info, err := os.Stat(root)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Errorf(ledger.ErrNotFound, "%s: no such file or directory", root)
	} else if err != nil {
		return err
	}
	if info.IsDir() {
		return w.directory(ctx, root, "")
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return err
	}
	return w.file(ctx, file{path: root, name: filepath.Base(root), info: info})
}

func (w *walker) directory(ctx context.Context, dir, name string) error {
	d, err := os.Open(dir)
	if err != nil {
		if name == "" {
			return err
		}
		return w.skip(name, err, true)
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(dirChunk)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			if err := w.entry(ctx, filepath.Join(dir, e.Name()), path.Join(name, e.Name()), e); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return w.skip(path.Join(name, "."), err, true)
		}
	}
}

func (w *walker) entry(ctx context.Context, at, name string, e fs.DirEntry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case e.IsDir():
		return w.directory(ctx, at, name)
	case e.Type()&fs.ModeSymlink != 0:
		return w.skip(name, errors.New("a symbolic link is not followed"), false)
	case !e.Type().IsRegular():
		return w.skip(name, errors.New("not a regular file"), false)
	}
	info, err := e.Info()
	if err != nil {
		return w.skip(name, err, true)
	}
	return w.file(ctx, file{path: at, name: name, info: info})
}

// file finds the items of a file.
func (w *walker) file(ctx context.Context, f file) error {
	if !f.info.Mode().IsRegular() {
		return w.skip(f.name, errors.New("not a regular file"), false)
	}
	in, err := f.open()
	if err != nil {
		return w.skip(f.name, err, true)
	}
	defer in.Close()
	content := &contextReaderAt{ctx, in}
	bulk, err := isBulk(f.name, content)
	if err != nil {
		return w.unreadable(ctx, f, err)
	}
	if bulk {
		return w.parts(ctx, f, in, func(each partFunc) error {
			return lines(io.NewSectionReader(content, 0, f.info.Size()), func(line section) error { return w.line(ctx, f, content, line, each) })
		})
	}
	all := section{0, f.info.Size()}
	if w.split {
		bundle, err := bundleItself(ctx, io.NewSectionReader(content, 0, all.length))
		if err != nil {
			return w.unreadable(ctx, f, err)
		}
		if bundle != nil {
			return w.parts(ctx, f, in, func(each partFunc) error { return w.entries(f, content, all, bundle, each) })
		}
	}
	return w.item(&item{file: f, section: all})
}

// unreadable skips a file, unless the walk was told to stop.
func (w *walker) unreadable(ctx context.Context, f file, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return w.skip(f.name, err, true)
}

// A partFunc takes a part of a file, and the bundle that it is an entry of, if any.
type partFunc func(s section, bundle *emr.Document) error

// parts numbers the parts that split finds.
func (w *walker) parts(ctx context.Context, f file, in *os.File, split func(each partFunc) error) error {
	n := 0
	var stop error
	err := split(func(s section, bundle *emr.Document) error {
		n++
		if stop = ctx.Err(); stop == nil {
			stop = w.item(&item{file: f, part: n, section: s, bundle: bundle})
		}
		return stop
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return w.unreadable(ctx, f, fmt.Errorf("after %d records: %w", n, err))
	}
	if now, err := in.Stat(); err != nil || f.changed(now) {
		return w.skip(f.name, fmt.Errorf("after %d records: %w", n, errChanged), true)
	}
	return nil
}

// line calls each for a line, or for its resources if it is a bundle and bundles are to
// be split.
func (w *walker) line(ctx context.Context, f file, in io.ReaderAt, s section, each partFunc) error {
	if !w.split {
		return each(s, nil)
	}
	bundle, err := bundleItself(ctx, io.NewSectionReader(in, s.offset, s.length))
	if err != nil {
		return err
	}
	if bundle == nil {
		return each(s, nil)
	}
	return w.entries(f, in, s, bundle, each)
}

// entries calls each for the resources of a bundle.
func (w *walker) entries(f file, in io.ReaderAt, s section, bundle *emr.Document, each partFunc) error {
	var stop error
	without, err := resources(io.NewSectionReader(in, s.offset, s.length), func(r section) error {
		stop = each(section{s.offset + r.offset, r.length}, bundle)
		return stop
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return err
	}
	if without > 0 {
		return w.skip(f.name, fmt.Errorf("%d entries of the bundle have no resource", without), false)
	}
	return nil
}

// sniffed is the number of bytes in which isBulk looks for a first line.
const sniffed = 1 << 20

// isBulk recognises a bulk export by its name, or by a first line that is a whole FHIR
// resource with another one after it.
func isBulk(name string, in io.ReaderAt) (bool, error) {
	switch strings.ToLower(path.Ext(name)) {
	case ".ndjson", ".jsonl":
		return true, nil
	}
	r := bufio.NewReaderSize(io.NewSectionReader(in, 0, sniffed), 4096)
	head, err := r.Peek(len(byteOrderMark))
	if err != nil && err != io.EOF {
		return false, err
	}
	if string(head) == byteOrderMark {
		r.Discard(len(head))
		head, _ = r.Peek(1)
	}
	if len(head) == 0 {
		return false, nil
	}
	if head[0] != '{' {
		return false, nil
	}
	first, err := r.ReadBytes('\n')
	if err == io.EOF {
		return false, nil
	} else if err != nil {
		return false, err
	}
	var resource struct {
		Type string `json:"resourceType"`
	}
	if json.Unmarshal(first, &resource) != nil || resource.Type == "" {
		return false, nil
	}
	rest, err := r.Peek(1024)
	if err != nil && err != io.EOF {
		return false, err
	}
	return bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("{")), nil
}
