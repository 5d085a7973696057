package ledgerfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// copyTries is how often a copy of a database is made that a server changes meanwhile.
const copyTries = 20

// CopyDatabase makes a copy of a LevelDB database in the directory to, which must not
// exist and lie on the same file system. Tables are linked, because LevelDB never changes
// one. The database may be in use: the copy then has what its server had written at one
// moment.
//
// Errors:
//   - Any error of the file system, also if the server kept changing the database.
func CopyDatabase(from, to string) error {
	var err error
	for range copyTries {
		if err = copyOnce(from, to); err == nil {
			return nil
		}
		os.RemoveAll(to)
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("copy %s: %w", from, err)
}

var errChanged = errors.New("its server keeps changing it")

func copyOnce(from, to string) error {
	before, err := manifest(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		switch {
		case strings.HasSuffix(e.Name(), ".ldb"):
			err = os.Link(source, target)
		case e.Name() == "LOCK" || strings.HasPrefix(e.Name(), "LOG"):
		default:
			err = copyFile(source, target)
		}
		if err != nil {
			return err
		}
	}
	after, err := manifest(from)
	if err == nil && before != after {
		err = errChanged
	}
	return err
}

// manifest describes the list of a database's tables.
func manifest(dir string) (string, error) {
	current, err := os.ReadFile(filepath.Join(dir, "CURRENT"))
	if err != nil {
		return "", err
	}
	name := strings.TrimSpace(string(current))
	info, err := os.Stat(filepath.Join(dir, filepath.Base(name)))
	if err != nil {
		return "", err
	}
	return fmt.Sprint(name, info.Size()), nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// openDatabase opens a copy of a database. Nothing damaged in it is skipped.
func openDatabase(dir string) (*leveldb.DB, error) {
	return leveldb.OpenFile(dir, &opt.Options{ReadOnly: true, ErrorIfMissing: true, Strict: opt.StrictAll})
}

// withCopy calls look once with a copy of a database, and removes the copy. A copy may
// end within what its server was writing, so one that cannot be opened is made again.
func withCopy(database, scratch string, look func(*leveldb.DB) error) error {
	dir, err := os.MkdirTemp(scratch, "database-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for try := range 4 {
		if try > 0 {
			time.Sleep(300 * time.Millisecond)
		}
		copied := filepath.Join(dir, strconv.Itoa(try))
		if err = CopyDatabase(database, copied); err != nil {
			return err
		}
		var db *leveldb.DB
		if db, err = openDatabase(copied); err == nil {
			return errors.Join(look(db), db.Close())
		}
	}
	return err
}

// CheckDatabase reads every byte of a LevelDB database, which may be in use, and compares
// the checksums in it. Scratch is a directory for a copy, on the same file system.
//
// Errors:
//   - Any error of LevelDB if the database is damaged.
//   - Any error of ctx and of the file system.
func CheckDatabase(ctx context.Context, database, scratch string) error {
	return withCopy(database, scratch, func(db *leveldb.DB) error {
		it := db.NewIterator(nil, nil)
		defer it.Release()
		for n := 0; it.Next(); n++ {
			if n%1000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return it.Error()
	})
}

// Databases gives the LevelDB databases below a directory, relative to it.
//
// Errors:
//   - Any error of the file system.
func Databases(dir string) (all []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a server has removed it meanwhile
		}
		if err == nil && d.Name() == "CURRENT" && d.Type().IsRegular() {
			var name string
			name, err = filepath.Rel(dir, filepath.Dir(path))
			all = append(all, name)
		}
		return err
	})
	slices.Sort(all)
	return all, err
}
