package importer

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
)

var (
	errLeaves   = errors.New("its path leaves the archive")
	errTwice    = errors.New("the archive has two files of that name")
	errEntries  = fmt.Errorf("it has more than %d files, with those of archives in it: the rest was not read", maxEntries)
	errTotal    = fmt.Errorf("it is longer than %d GiB unpacked, with archives in it: the rest was not read", maxArchive>>30)
	errNoName   = errors.New("it has no name in the archive")
	errLongName = fmt.Errorf("its path in the archive is longer than %d bytes or %d folders", maxName, maxFolders)
	errNoFiles  = errors.New("the archive has no files")
	errPassword = errors.New("it is encrypted")
)

// A container tells how a file holds others.
type container int

const (
	noContainer container = iota
	gzipFile
	bzip2File
	zipArchive
	tarArchive
)

// containerOf recognises a container by its first bytes. A document of an office program
// is a ZIP too, and no container.
func containerOf(head []byte) container {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")):
		return gzipFile
	case len(head) >= 10 && bytes.HasPrefix(head, []byte("BZh")) && string(head[4:10]) == "1AY&SY":
		return bzip2File
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return zipArchive
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return tarArchive
	}
	return noContainer
}

// unpack walks the files in a container. It reports false for a file that is none, and
// for a container that is damaged, too large or too deep in others: it is a record as it
// is.
func (w *walker) unpack(ctx context.Context, f file, in *content) (bool, error) {
	head := make([]byte, 512)
	n, err := in.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return true, w.unreadable(ctx, f, err)
	}
	kind := containerOf(head[:n])
	if kind == noContainer || len(f.steps) >= maxSteps {
		return false, nil
	}
	switch kind {
	case gzipFile, bzip2File:
		inner := f.in(step{how: map[container]how{gzipFile: gzipped, bzip2File: bzipped}[kind]}, f.name)
		content, err := inner.open()
		if errors.Is(err, errUnpacked) || errors.Is(err, errDamaged) {
			return false, nil
		}
		if err != nil {
			return true, w.unreadable(ctx, f, err)
		}
		defer content.Close()
		return true, w.file(ctx, inner)
	case tarArchive:
		return true, w.archive(ctx, f, func(each entryFunc) error { return tarEntries(ctx, in, each) })
	}
	z, err := zip.NewReader(&contextReaderAt{ctx, in}, in.size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		return false, nil
	}
	for _, entry := range z.File {
		if entry.Name == "[Content_Types].xml" || entry.Name == "mimetype" || entry.Name == "META-INF/MANIFEST.MF" {
			return false, nil
		}
	}
	return true, w.archive(ctx, f, func(each entryFunc) error { return zipEntries(z, each) })
}

// An entryFunc takes a file of an archive by its name there. A reason is why it is not
// read.
type entryFunc func(name string, s step, reason error) error

// A packed file is a file of an archive.
type packed struct {
	name   string // path in the archive
	step   step
	reason error // why it is not read, or nil
}

// archive walks the files of an archive.
func (w *walker) archive(ctx context.Context, f file, list func(entryFunc) error) error {
	var files []packed
	seen := make(map[string]bool)
	err := list(func(name string, s step, reason error) error {
		if f.left.files--; f.left.files < 0 {
			return errEntries
		}
		p := packed{path.Clean(strings.ReplaceAll(name, `\`, "/")), s, reason}
		switch bad := badName(p.name); {
		case bad != nil:
			p.name, p.reason = shownName(p.name), bad
		case seen[p.name]:
			p.reason = errTwice
		default:
			seen[p.name] = true
		}
		files = append(files, p)
		return ctx.Err()
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	labels := w.mediaInArchive(ctx, f, files)
	if err != nil { // a label may be in the rest
		f.within = append(f.within[:len(f.within):len(f.within)], unread("the archive was not read to its end"))
	}
	for n, p := range files {
		if f.left.bytes < 0 {
			err, files = errTotal, files[:n]
			break
		}
		inner := f.in(p.step, path.Join(f.name, p.name))
		inner.archives = f.paths()
		inner.within = labels.of(p.name, inner.within)
		if p.reason == nil && inSeen(seen, path.Dir(p.name)) {
			p.reason = errTwice
		}
		var stop error
		switch {
		case path.Base(path.Dir(p.name)) == "__MACOSX" || strings.HasPrefix(p.name, "__MACOSX/"):
			stop = w.skip(inner.name, errors.New("no record: an attribute of another file"), false)
		case p.reason != nil:
			stop = w.skip(inner.name, p.reason, true)
		default:
			stop = w.file(ctx, inner)
		}
		if stop != nil {
			return stop
		}
	}
	switch {
	case err != nil:
		return w.unreadable(ctx, f, fmt.Errorf("after %d files: %w", len(files), err))
	case len(files) == 0:
		return w.skip(f.name, errNoFiles, false)
	}
	return nil
}

// badName tells why a file of an archive cannot have its name.
func badName(name string) error {
	switch {
	case name == ".":
		return errNoName
	case len(name) > maxName || strings.Count(name, "/") > maxFolders:
		return errLongName
	case !filepath.IsLocal(name) || strings.ContainsAny(name, "\x00"):
		return errLeaves
	}
	return nil
}

// shownName is what a report calls a file that has no good name.
func shownName(name string) string {
	if name = path.Base(name); name == ".." {
		return "."
	}
	return strings.ToValidUTF8(name[:min(maxName, len(name))], "")
}

// inSeen reports whether a folder, or one around it, has the name of a file.
func inSeen(files map[string]bool, folder string) bool {
	for ; folder != "."; folder = path.Dir(folder) {
		if files[folder] {
			return true
		}
	}
	return false
}

func zipEntries(z *zip.Reader, each entryFunc) error {
	for _, entry := range z.File {
		if entry.FileInfo().IsDir() {
			continue
		}
		at, err := entry.DataOffset()
		s := step{section: section{at, int64(entry.CompressedSize64)}, sum: entry.CRC32, size: int64(min(entry.UncompressedSize64, maxUnpacked+1))}
		switch {
		case err != nil:
		case s.size > maxUnpacked:
			err = errUnpacked
		case entry.Flags&1 != 0:
			err = errPassword
		case !entry.Mode().IsRegular():
			err = errors.New("not a regular file")
		case entry.Method == zip.Deflate:
			s.how = deflated
		case entry.Method == zip.Store && entry.CompressedSize64 != entry.UncompressedSize64:
			err = errDamaged
		case entry.Method != zip.Store:
			err = fmt.Errorf("it is compressed by a method (%d) that is not known", entry.Method)
		}
		if err := each(entry.Name, s, err); err != nil {
			return err
		}
	}
	return nil
}

// tarEntries finds the places of the files.
func tarEntries(ctx context.Context, in *content, each entryFunc) error {
	at := &counter{r: bufio.NewReaderSize(io.NewSectionReader(&contextReaderAt{ctx, in}, 0, in.size), 64<<10)}
	end := int64(0) // of the last file
	for t := tar.NewReader(at); ; {
		h, err := t.Next()
		if err == io.EOF && at.n < end+512 { // zeros are due after the last file
			return errDamaged
		}
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		end = (at.n + h.Size + 511) &^ 511
		switch {
		case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader:
			continue
		case h.Typeflag != tar.TypeReg || isSparse(h):
			err = errors.New("not a regular file")
		case h.Size > maxUnpacked:
			err = errUnpacked
		default:
			err = nil
		}
		if err := each(h.Name, step{section: section{at.n, h.Size}}, err); err != nil {
			return err
		}
	}
}

// isSparse reports whether only parts of a file are in the archive, at other places.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// A counter counts the bytes that were read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
