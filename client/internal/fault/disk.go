package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// diskSize is that of an organisation's disk. It takes only the space that is used.
const diskSize = 2 << 30

// A disk of an organisation is a file with a file system in it, mounted where the network
// keeps what that organisation has.
func (r *run) disk(organisation string) string { return filepath.Join(r.Dir, organisation+".disk") }

func (r *run) mountPoint(organisation string) string {
	return filepath.Join(r.network(), "orgs", organisation)
}

// giveDisks gives each organisation of the stopped network a disk of its own.
func (r *run) giveDisks(ctx context.Context) error {
	all, err := filepath.Glob(r.mountPoint("*"))
	if err != nil {
		return err
	}
	for _, at := range all {
		org, before := filepath.Base(at), at+".before"
		if err := errors.Join(os.WriteFile(r.disk(org), nil, 0o600), os.Truncate(r.disk(org), diskSize), os.Rename(at, before), os.Mkdir(at, 0o700)); err != nil {
			return err
		}
		for _, command := range [][]string{
			{"mkfs.ext4", "-q", "-m", "0", r.disk(org)}, {"mount", "-o", "loop", r.disk(org), at}, {"cp", "-a", before + "/.", at}, {"rm", "-rf", before},
		} {
			if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%q: %w: %s", command, err, out)
			}
		}
	}
	return nil
}

// takeDisks takes the disks of this run, or of an earlier one, away.
func (r *run) takeDisks() error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if at := strings.Fields(line)[1]; filepath.Dir(at) == filepath.Join(r.network(), "orgs") {
			if err := unix.Unmount(at, 0); err != nil {
				return fmt.Errorf("unmount %s: %w", at, err)
			}
		}
	}
	return nil
}

// fill takes all that is left of an organisation's disk. It may be called again.
func (r *run) fill(organisation string) error {
	f, err := os.OpenFile(r.filler(organisation), os.O_CREATE|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, unix.ENOSPC): // it is full already
		return nil
	case err != nil:
		return err
	}
	defer f.Close()
	for {
		var left unix.Statfs_t
		info, err := f.Stat()
		if err := errors.Join(err, unix.Fstatfs(int(f.Fd()), &left)); err != nil {
			return err
		}
		if left.Bavail == 0 {
			return nil
		}
		err = unix.Fallocate(int(f.Fd()), 0, info.Size(), int64(left.Bavail)*left.Bsize)
		if err != nil && !errors.Is(err, unix.ENOSPC) {
			return err
		}
		if errors.Is(err, unix.ENOSPC) { // the file system wants some for itself
			_, err = f.WriteAt(make([]byte, left.Bsize), info.Size())
		}
		if errors.Is(err, unix.ENOSPC) {
			return nil
		}
	}
}

func (r *run) filler(organisation string) string {
	return filepath.Join(r.mountPoint(organisation), "filler")
}
