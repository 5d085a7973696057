package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// createUnnamed makes a file without a name in the directory of path. Errors name the
// path. Not every file system supports such files.
func createUnnamed(path string) (*os.File, error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// nameFile gives an unnamed file a name, and fails when the name is taken.
func nameFile(f *os.File, path string) error {
	self := filepath.Join("/proc/self/fd", strconv.FormatUint(uint64(f.Fd()), 10))
	err := unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return fmt.Errorf("name %s: %w", path, err)
	}
	return nil
}
