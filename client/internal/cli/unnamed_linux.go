package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// createUnnamed makes a file without a name on the file system of a directory. Not every file system can.
func createUnnamed(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
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
