package cli

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode"
	"unicode/utf8"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
)

// An outFile is a new file that gets its name only when it is complete and committed.
// Until then it has no name, so that even a killed process leaves no unverified data on
// disk. On file systems without such files, it is a hidden file in the same directory
// that only its owner can read.
type outFile struct {
	*os.File
	path  string
	named string // its hidden name, "" if it has none
	force bool
	done  bool
}

// createFile makes an outFile. It refuses a path that could not be committed, before any
// work is done.
func createFile(path string, force bool) (*outFile, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, usagef("%s is a directory, name a file in it", path)
	case err == nil && !info.Mode().IsRegular():
		return nil, usagef("%s is not a regular file", path)
	case err == nil && !force:
		return nil, existsError(path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if f, err := createUnnamed(path); err == nil {
		return &outFile{File: f, path: path, force: force}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), hiddenName+"*") // mode 0600
	if errors.Is(err, fs.ErrNotExist) {
		return nil, words.WithHint(fmt.Errorf("write %s: %w", path, err), "make the directory %s first", filepath.Dir(path))
	} else if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &outFile{File: f, path: path, named: f.Name(), force: force}, nil
}

// hiddenName begins the names of files that are not committed yet.
const hiddenName = ".chartseal-"

func existsError(path string) error {
	return words.WithHint(fmt.Errorf("%s: %w", path, client.ErrExists), "choose another name, or add --force to replace it")
}

// Commit syncs the file to disk and gives it its name.
func (o *outFile) Commit() error {
	if err := o.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	if err := o.place(); err != nil {
		return err
	}
	o.done = true
	if err := o.File.Close(); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	if dir, err := os.Open(filepath.Dir(o.path)); err == nil { // sync the name too, where a directory can be synced
		dir.Sync()
		dir.Close()
	}
	return nil
}

// place gives the file its name. A link, unlike a rename, never replaces a file that
// appeared meanwhile. On file systems without links, place checks once more and then
// renames. Only a rename replaces a file in one step. For that, a file without a name
// first gets a hidden one.
func (o *outFile) place() error {
	if o.named == "" {
		if !o.force {
			err := nameFile(o.File, o.path)
			if errors.Is(err, fs.ErrExist) {
				return existsError(o.path)
			}
			return err
		}
		hidden := filepath.Join(filepath.Dir(o.path), hiddenName+rand.Text())
		if err := nameFile(o.File, hidden); err != nil {
			return err
		}
		o.named = hidden
	}
	if !o.force {
		err := os.Link(o.named, o.path)
		if err == nil {
			return os.Remove(o.named)
		}
		if _, statErr := os.Lstat(o.path); statErr == nil {
			return existsError(o.path)
		}
	}
	return os.Rename(o.named, o.path)
}

// Close removes the file if it was not committed.
func (o *outFile) Close() error {
	if o.done {
		return nil
	}
	o.File.Close()
	if o.named == "" {
		return nil
	}
	return os.Remove(o.named)
}

// spoolMemory is the size beyond which a record moves from memory to a temporary file.
const spoolMemory = 8 << 20

// A spool holds data back until it is committed, and then copies the data to a stream.
// Data that does not fit into memory is in a temporary file without a name, which
// disappears with the process.
type spool struct {
	to       io.Writer
	terminal bool // refuse data that could harm a terminal
	memory   bytes.Buffer
	file     *os.File // nil while memory suffices
	harmful  bool
	tail     []byte // an unfinished UTF-8 sequence at the end of the last write
}

func newSpool(to io.Writer, terminal bool) *spool { return &spool{to: to, terminal: terminal} }

func (s *spool) Write(p []byte) (int, error) {
	if s.terminal {
		s.inspect(p)
	}
	if s.file == nil && s.memory.Len()+len(p) <= spoolMemory {
		return s.memory.Write(p)
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "chartseal-")
		if err != nil {
			return 0, fmt.Errorf("hold the record back until it is verified: %w", err)
		}
		s.file = f
		if err := os.Remove(f.Name()); err != nil {
			return 0, err
		}
	}
	return s.file.Write(p)
}

// inspect looks for anything that is not printable text.
func (s *spool) inspect(p []byte) {
	text := append(s.tail, p...)
	for len(text) > 0 && !s.harmful {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(text) {
				break
			}
			s.harmful = true
		}
		if r != '\n' && r != '\t' && r != '\r' && !unicode.IsPrint(r) {
			s.harmful = true
		}
		text = text[n:]
	}
	s.tail = append([]byte(nil), text...)
}

func (s *spool) Commit() error {
	if s.harmful || len(s.tail) > 0 {
		return words.WithHint(errors.New("the record is not plain text, which a terminal could take for commands"),
			"write it to a file with -o FILE, or use -o - to show it all the same")
	}
	if _, err := s.memory.WriteTo(s.to); err != nil {
		return fmt.Errorf("write to stdout: %w", err)
	}
	if s.file == nil {
		return nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(s.to, s.file); err != nil {
		return fmt.Errorf("write to stdout: %w", err)
	}
	return nil
}

func (s *spool) Close() error {
	if s.file != nil {
		return s.file.Close()
	}
	return nil
}
