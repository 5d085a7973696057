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

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/emr"
)

// An item is a future record: a file, or a part of one.
type item struct {
	file
	entry
	part    int     // from 1; 0 for a whole file
	bundle  *bundle // or batch that it is an entry of; nil for none
	warning string
	several string // the warning if it holds several resources; empty if it was not to be split

	// Set by inspect.
	rule *Rule
	kind string
	id   string
	sum  [32]byte
}

// dirChunk is the number of directory entries in memory at a time: a directory may have
// millions.
const dirChunk = 4096

// A walker finds items. An error of one of its functions ends the walk.
type walker struct {
	split    bool
	unpacker *unpacker
	item     func(*item) error
	skip     func(name string, reason error, failed bool) error // for a file that is not imported; failed tells an error from a file that is no record
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
		return w.directory(ctx, root, "", nil)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return err
	}
	return w.file(ctx, w.onDisk(root, filepath.Base(root), info, w.mediumOnDisk(ctx, filepath.Dir(root), nil)))
}

// onDisk returns a file of the source.
func (w *walker) onDisk(at, name string, info fs.FileInfo, within []*emr.Document) file {
	return file{path: at, name: name, info: info, unpacker: w.unpacker, left: w.unpacker.whole(), within: within}
}

// directory finds the items of a directory. Within is what the media around it say.
func (w *walker) directory(ctx context.Context, dir, name string, within []*emr.Document) error {
	d, err := os.Open(dir)
	if err != nil {
		if name == "" {
			return err
		}
		return w.skip(name, err, true)
	}
	defer d.Close()
	within = w.mediumOnDisk(ctx, dir, within)
	for {
		entries, err := d.ReadDir(dirChunk)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			if err := w.entry(ctx, filepath.Join(dir, e.Name()), path.Join(name, e.Name()), e, within); err != nil {
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

func (w *walker) entry(ctx context.Context, at, name string, e fs.DirEntry, within []*emr.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case e.IsDir():
		return w.directory(ctx, at, name, within)
	case e.Type()&fs.ModeSymlink != 0:
		return w.skip(name, errors.New("a symbolic link is not followed"), false)
	case !e.Type().IsRegular():
		return w.skip(name, errors.New("not a regular file"), false)
	}
	info, err := e.Info()
	if err != nil {
		return w.skip(name, err, true)
	}
	return w.file(ctx, w.onDisk(at, name, info, within))
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
	if len(f.steps) > 0 {
		if f.left.bytes -= in.size; f.left.bytes < 0 {
			return w.skip(f.name, errTotal, true)
		}
	}
	if unpacked, err := w.unpack(ctx, f, in); unpacked {
		return err
	}
	text, in2, err := w.asUTF8(f, in)
	if err != nil {
		return w.unreadable(ctx, f, err)
	}
	if in2 != in {
		defer in2.Close()
	}
	content := &contextReaderAt{ctx, in2}
	bulk, err := isBulk(text.unpackedName(), content)
	if err != nil {
		return w.unreadable(ctx, f, err)
	}
	all, whole := section{0, in2.size}, &item{file: f, entry: entry{section: section{0, in.size}}}
	if bulk {
		return w.parts(ctx, text, in2, func(each partFunc) error {
			return lines(io.NewSectionReader(content, 0, all.length), func(line section) error { return w.line(ctx, text, content, line, each) })
		})
	}
	if w.split {
		bundle, split, err := w.takeApart(ctx, text, content, all)
		switch {
		case errors.Is(err, errStray):
			whole.warning = err.Error()
		case err != nil:
			return w.unreadable(ctx, f, err)
		case bundle != nil:
			return w.parts(ctx, text, in2, func(each partFunc) error { return split(bundle, each) })
		}
		whole.several = "of FHIR, only well-formed JSON is taken apart, so it is sealed whole"
	}
	return w.item(whole)
}

// asUTF8 returns a text in UTF-16 as one in UTF-8, and other files as they are. Lines and
// entries of a text are found in UTF-8.
func (w *walker) asUTF8(f file, in *content) (file, *content, error) {
	head := make([]byte, 512)
	n, err := in.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return f, in, err
	}
	if utf16Of(head[:n]) == nil || len(f.steps) >= maxSteps {
		return f, in, nil
	}
	text := f.in(step{how: inUTF16}, f.name)
	out, err := text.open()
	if err != nil {
		return f, in, err
	}
	return text, out, nil
}

// takeApart tells how a FHIR bundle or a batch of HL7 v2 is split, and what it says of
// itself. The document is nil for other files.
func (w *walker) takeApart(ctx context.Context, f file, in io.ReaderAt, all section) (*bundle, func(*bundle, partFunc) error, error) {
	head := make([]byte, 64)
	n, err := in.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	if isMessages(head[:n]) {
		batch, err := batchItself(ctx, io.NewSectionReader(in, 0, all.length))
		return batch, func(batch *bundle, each partFunc) error {
			return messages(io.NewSectionReader(in, 0, all.length), io.Discard, func(s section) error { return each(entry{section: s}, batch) })
		}, err
	}
	itself, err := bundleItself(ctx, in, all)
	return itself.keyed(&f, 0), func(bundle *bundle, each partFunc) error { return w.entries(f, in, all, bundle, each) }, err
}

// unreadable skips a file, unless the walk was told to stop.
func (w *walker) unreadable(ctx context.Context, f file, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return w.skip(f.name, err, true)
}

// A partFunc takes a part of a file, and the bundle that it is an entry of, if any.
type partFunc func(e entry, of *bundle) error

// parts numbers the parts that split finds.
func (w *walker) parts(ctx context.Context, f file, in *content, split func(each partFunc) error) error {
	n := 0
	var stop error
	err := split(func(e entry, of *bundle) error {
		n++
		if stop = ctx.Err(); stop == nil {
			stop = w.item(&item{file: f, entry: e, part: n, bundle: of})
		}
		return stop
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return w.unreadable(ctx, f, fmt.Errorf("after %d records: %w", n, err))
	}
	if in.unchanged(&f) != nil {
		return w.skip(f.name, fmt.Errorf("after %d records: %w", n, errChanged), true)
	}
	return nil
}

// line calls each for a line, or for its resources if it is a bundle and bundles are to
// be split.
func (w *walker) line(ctx context.Context, f file, in io.ReaderAt, s section, each partFunc) error {
	if !w.split {
		return each(entry{section: s}, nil)
	}
	itself, err := bundleItself(ctx, in, s)
	if err != nil {
		return err
	}
	if itself == nil {
		return each(entry{section: s}, nil)
	}
	return w.entries(f, in, s, itself.keyed(&f, s.offset), each)
}

// entries calls each for the resources of a bundle.
func (w *walker) entries(f file, in io.ReaderAt, s section, of *bundle, each partFunc) error {
	var stop error
	n := 0
	without, err := resources(io.NewSectionReader(in, s.offset, s.length), func(e entry) error {
		n++
		e.section.offset += s.offset
		stop = each(e, of)
		return stop
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return err
	}
	if n+without == 0 {
		return w.skip(f.name, errors.New("a bundle without entries: there is nothing to seal"), false)
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
