package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A medium holds the log. The methods other than the locks need the lock held.
type medium interface {
	lock() (unlock func(), err error)
	flushing(ctx context.Context, wait bool) (done func(), err error) // a nil done: another flush is running
	waiting() (done func(), err error)                                // a nil done: another process waits
	read(from int64, n int) ([]byte, error)                           // up to n bytes; n < 0: to the end; nil if there is no log
	append(b []byte) error                                            // synced
	truncate(size int64) error
	replace(b []byte) error       // all or nothing
	setAside(now time.Time) error // renames the damaged log
	aside() ([]string, error)     // the logs that were set aside and are not rebuilt
	rebuilt(logs []string) error  // renames these
}

// A directory is a medium on disk.
type directory struct{ dir string }

func openDirectory(dir string) (*directory, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	if err := syncDirectory(filepath.Dir(dir)); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	return &directory{dir}, nil
}

func (d *directory) path(name string) string { return filepath.Join(d.dir, name) }

// hold takes a lock that ends with the process at the latest.
func (d *directory) hold(name string, how int) (*os.File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock outbox: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, syscall.EINTR):
			continue
		}
		f.Close()
		return nil, err
	}
}

func (d *directory) lock() (func(), error) {
	f, err := d.hold("lock", syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("lock outbox: %w", err)
	}
	return func() { f.Close() }, nil
}

func (d *directory) flushing(ctx context.Context, wait bool) (func(), error) {
	for {
		f, err := d.hold("flushing", syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, fmt.Errorf("lock outbox: %w", err)
		case !wait:
			return nil, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (d *directory) waiting() (func(), error) {
	f, err := d.hold("waiting", syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("lock outbox: %w", err)
	}
	return func() { f.Close() }, nil
}

func (d *directory) read(from int64, n int) ([]byte, error) {
	f, err := os.Open(d.path("log"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	size := max(info.Size()-from, 0)
	if n >= 0 {
		size = min(size, int64(n))
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, from); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return b, nil
}

func (d *directory) append(b []byte) error {
	f, err := os.OpenFile(d.path("log"), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write outbox: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write outbox: %w", err)
	}
	return nil
}

func (d *directory) truncate(size int64) error {
	if err := os.Truncate(d.path("log"), size); err != nil {
		return fmt.Errorf("mend outbox: %w", err)
	}
	return nil
}

func (d *directory) replace(b []byte) error {
	f, err := os.CreateTemp(d.dir, ".log-*") // 0600
	if err != nil {
		return fmt.Errorf("write outbox: %w", err)
	}
	defer os.Remove(f.Name()) // fails once renamed
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path("log"))
	}
	if err == nil {
		err = syncDirectory(d.dir)
	}
	if err != nil {
		return fmt.Errorf("write outbox: %w", err)
	}
	return nil
}

const (
	damagedName = "log.damaged-"
	rebuiltName = "log.rebuilt-"
)

func (d *directory) setAside(now time.Time) error {
	name := damagedName + now.UTC().Format("20060102T150405.000Z")
	if err := os.Rename(d.path("log"), d.path(name)); err != nil {
		return fmt.Errorf("set the damaged outbox aside: %w", err)
	}
	return syncDirectory(d.dir)
}

func (d *directory) aside() (logs []string, err error) {
	files, err := os.ReadDir(d.dir)
	for _, f := range files {
		if strings.HasPrefix(f.Name(), damagedName) {
			logs = append(logs, d.path(f.Name()))
		}
	}
	return logs, err
}

func (d *directory) rebuilt(logs []string) error {
	for _, path := range logs {
		name := rebuiltName + strings.TrimPrefix(filepath.Base(path), damagedName)
		if err := os.Rename(path, d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDirectory(d.dir)
}

func syncDirectory(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// A memory is a medium that ends with the process.
type memory struct {
	mu    sync.Mutex
	log   []byte
	once  sync.Once
	flush chan struct{} // holds a value while a flush is running
}

func (m *memory) lock() (func(), error) {
	m.mu.Lock()
	return m.mu.Unlock, nil
}

func (m *memory) flushing(ctx context.Context, wait bool) (func(), error) {
	m.once.Do(func() { m.flush = make(chan struct{}, 1) })
	select {
	case m.flush <- struct{}{}:
		return func() { <-m.flush }, nil
	default:
	}
	if !wait {
		return nil, nil
	}
	select {
	case m.flush <- struct{}{}:
		return func() { <-m.flush }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) waiting() (func(), error) { return func() {}, nil }

func (m *memory) read(from int64, n int) ([]byte, error) {
	rest := m.log[min(from, int64(len(m.log))):]
	if n >= 0 {
		rest = rest[:min(n, len(rest))]
	}
	return bytes.Clone(rest), nil
}

func (m *memory) append(b []byte) error     { m.log = append(m.log, b...); return nil }
func (m *memory) truncate(size int64) error { m.log = m.log[:size]; return nil }
func (m *memory) replace(b []byte) error    { m.log = bytes.Clone(b); return nil }
func (m *memory) setAside(time.Time) error  { m.log = nil; return nil }
func (m *memory) aside() ([]string, error)  { return nil, nil }
func (m *memory) rebuilt([]string) error    { return nil }
