package client

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// A Source is one record to seal.
type Source struct {
	Name string // kept in the envelope's metadata; for a file its base name
	Size int64  // in bytes if known, otherwise negative; only for progress

	// ID is the record's id, 32 lower-case hexadecimal digits; empty takes a random one.
	// A caller that derives it can seal the same source again after a crash: an id that
	// is on the ledger is refused with ErrExists. Amend ignores it.
	ID string

	// Further gives the identifiers of a patient that the record does not have itself, by
	// one that it has. Nil gives none.
	Further func(index.Identifier) []index.Identifier

	// Check says why the source cannot be read, before anything is done; nil means it
	// can. It must not consume anything.
	Check func() error

	// Open is called once. It may return standard input.
	Open func() (io.ReadCloser, error)
}

// A Sealed is one record that has been sealed.
type Sealed struct {
	Name       string   `json:"name"`
	ID         string   `json:"id"`
	Version    int      `json:"version"`
	CID        string   `json:"cid"`
	Commitment string   `json:"commitment"`
	Kind       string   `json:"kind"`
	Size       int64    `json:"size"`   // of the record
	Stored     int64    `json:"stored"` // of the payload
	Policy     string   `json:"policy"` // canonical form
	Terms      int      `json:"terms"`  // index terms written
	Bare       bool     `json:"bare"`   // nothing was found in the record but its kind
	Warnings   []string `json:"warnings,omitempty"`
	Time       string   `json:"time"`
	Tx         string   `json:"tx"`
}

// check refuses a source before anything is done with it.
func (s Source) check() error {
	if s.ID != "" {
		if _, err := ledger.ParseRecordID(s.ID); err != nil {
			return err
		}
	}
	if s.Check != nil {
		return s.Check()
	}
	return nil
}

// FileSource is the file at path. Its Check refuses a path that is missing, unreadable or
// not a regular file. A file that changes while it is read is refused with ErrInvalid at
// its end: nothing is registered then.
func FileSource(path string) Source {
	s := Source{
		Name: filepath.Base(path),
		Size: -1,
		Open: func() (io.ReadCloser, error) { return openSteady(path) },
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		s.Size = info.Size()
	}
	s.Check = func() error { return checkFile(path) }
	return s
}

func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ledger.Errorf(ErrNotFound, "%s: no such file", path)
	case err != nil:
		return err
	case info.IsDir():
		return ledger.Errorf(ErrInvalid, "%s is a directory, not a record", path)
	case !info.Mode().IsRegular():
		return ledger.Errorf(ErrInvalid, "%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// A steadyFile fails at its end if the file has changed since it was opened.
type steadyFile struct {
	file   *os.File
	path   string
	opened fs.FileInfo
	read   int64
}

func openSteady(path string) (*steadyFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &steadyFile{f, path, info, 0}, nil
}

func (s *steadyFile) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	s.read += int64(n)
	if err == io.EOF && s.opened.Mode().IsRegular() {
		now, statErr := s.file.Stat()
		if statErr != nil || now.Size() != s.read || s.read != s.opened.Size() || !now.ModTime().Equal(s.opened.ModTime()) {
			err = ledger.Errorf(ErrInvalid, "%s changed while it was read: seal it again when it is left alone", s.path)
		}
	}
	return n, err
}

func (s *steadyFile) Close() error { return s.file.Close() }

// ReaderSource is the content of r, which may be of any length and may be standard input.
// The Client does not close r.
func ReaderSource(name string, r io.Reader) Source {
	s := Source{Name: name, Size: -1, Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }}
	if known, ok := r.(interface{ Len() int }); ok { // bytes and strings have readers that know
		s.Size = int64(known.Len())
	}
	return s
}
