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
	errEntries  = fmt.Errorf("the archive has more than %d files: the rest was not read", maxEntries)
	errTotal    = fmt.Errorf("the archive is longer than %d GiB unpacked: the rest was not read", maxArchive>>30)
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
type entryFunc func(name string, size int64, s step, reason error) error

// archive walks the files of an archive.
func (w *walker) archive(ctx context.Context, f file, entries func(entryFunc) error) error {
	seen := make(map[string]bool)
	files, total := 0, int64(0)
	var stop error
	err := entries(func(name string, size int64, s step, reason error) error {
		if stop = ctx.Err(); stop != nil {
			return stop
		}
		files, total = files+1, total+size
		name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
		inner := f.in(s, path.Join(f.unpackedName(), path.Base(name)))
		switch {
		case files > maxEntries:
			return errEntries
		case total > maxArchive:
			return errTotal
		case !filepath.IsLocal(name) || strings.ContainsAny(name, "\x00"):
			reason = errLeaves
		default:
			inner.name = path.Join(f.unpackedName(), name)
			if seen[name] {
				reason = errTwice
			}
			seen[name] = true
		}
		if path.Base(path.Dir(name)) == "__MACOSX" || strings.HasPrefix(name, "__MACOSX/") {
			stop = w.skip(inner.name, errors.New("no record: an attribute of another file"), false)
		} else if reason != nil {
			stop = w.skip(inner.name, reason, true)
		} else {
			stop = w.file(ctx, inner)
		}
		return stop
	})
	switch {
	case stop != nil:
		return stop
	case err != nil:
		return w.unreadable(ctx, f, fmt.Errorf("after %d files: %w", files, err))
	case files == 0:
		return w.skip(f.name, errNoFiles, false)
	}
	return nil
}

func zipEntries(z *zip.Reader, each entryFunc) error {
	for _, entry := range z.File {
		if entry.FileInfo().IsDir() {
			continue
		}
		at, err := entry.DataOffset()
		s := step{section: section{at, int64(entry.CompressedSize64)}, sum: entry.CRC32}
		switch {
		case err != nil:
		case entry.Flags&1 != 0:
			err = errPassword
		case !entry.Mode().IsRegular():
			err = errors.New("not a regular file")
		case entry.Method == zip.Deflate:
			s.how = deflated
		case entry.Method != zip.Store:
			err = fmt.Errorf("it is compressed by a method (%d) that is not known", entry.Method)
		}
		if err := each(entry.Name, int64(min(entry.UncompressedSize64, maxUnpacked)), s, err); err != nil {
			return err
		}
	}
	return nil
}

// tarEntries finds the places of the files.
func tarEntries(ctx context.Context, in *content, each entryFunc) error {
	at := &counter{r: bufio.NewReaderSize(io.NewSectionReader(&contextReaderAt{ctx, in}, 0, in.size), 64<<10)}
	for t := tar.NewReader(at); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		switch h.Typeflag {
		case tar.TypeReg:
			err = nil
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		default:
			err = errors.New("not a regular file")
		}
		if err := each(h.Name, h.Size, step{section: section{at.n, h.Size}}, err); err != nil {
			return err
		}
	}
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
