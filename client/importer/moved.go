package importer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// placeOf tells where a source is on its file system: its device and inode. It returns ""
// if that cannot be told.
func placeOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d", s.Dev, s.Ino)
}

// movedTo reports whether the source of a job is the one of another path now: it is no
// longer where it was, and it is the same directory or file, as far as the job knows.
func movedTo(job, now Header) bool {
	if _, err := os.Lstat(job.Source); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return job.Place == "" || job.Place == placeOf(now.Source)
}

// FindMoved looks in a directory for the journal of a source that had another path when
// its job was begun. It returns "" if there is none, or none that is sure.
func FindMoved(dir string, now Header) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	found := ""
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		h, ok := headerOf(path)
		if !ok || h.Place == "" || h.Actor != now.Actor || h.Split != now.Split || h.Source == now.Source || !movedTo(h, now) {
			continue
		}
		if found != "" {
			return ""
		}
		found = path
	}
	return found
}

func headerOf(path string) (h Header, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return h, false
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return h, false
	}
	text, ok := checked(line)
	return h, ok && json.Unmarshal([]byte(text), &h) == nil && h.Format == journalFormat
}
