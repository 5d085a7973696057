package importer

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Header says what a journal is of. A job that is run again must have the same.
type Header struct {
	Format string `json:"format"`
	Actor  string `json:"actor"`
	Source string `json:"source"` // absolute path
	Split  bool   `json:"split"`
	Begun  string `json:"begun"`
	Secret []byte `json:"secret"`
}

const journalFormat = "chartseal/import/v1"

// A Journal is a job on disk: its secret, and what is done. It is text, a line an entry,
// each ending in the CRC-32 of what stands before it; lines that a crash left unfinished
// do not count.
//
//	{header as JSON} CRC
//	done MARK MASK CRC         some parts of a file are registered; MASK is a bit for each of 64
//	record ID CRC              the last record registered, to tell whether this is still the same ledger
//
// A mark is a keyed hash of the file's path, size and time of change, and of which 64
// parts it is: a file that was changed is read again. It is safe for concurrent use by
// one process; another one is refused.
type Journal struct {
	Header  Header
	Resumed bool   // it was there before
	Last    string // the last record id that it had; "" if none

	mu   sync.Mutex
	f    *os.File
	done map[mark]uint64
}

// A mark names 64 parts of a file.
type mark [12]byte

// OpenJournal opens or makes the journal at path. One that belongs to another source,
// person or way of splitting is ErrInvalid; one that another process has open is
// ErrUnavailable.
func OpenJournal(path string, h Header) (*Journal, error) {
	j, err := openJournal(path, h)
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", path, err)
	}
	return j, nil
}

func openJournal(path string, h Header) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{Header: h, f: f, done: make(map[mark]uint64)}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ledger.Errorf(ledger.ErrUnavailable, "another import works on it")
		}
		return nil, err
	}
	if err := j.load(h); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

func (j *Journal) load(h Header) error {
	in := bufio.NewReader(j.f)
	var end int64
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break // what has no end of line was never finished
		}
		if err != nil {
			return err
		}
		end += int64(len(line))
		text, ok := checked(line)
		if first {
			if !ok || json.Unmarshal([]byte(text), &j.Header) != nil || j.Header.Format != journalFormat || len(j.Header.Secret) != sha256.Size {
				return ledger.Errorf(ledger.ErrInvalid, "it is not the journal of an import: remove it to start anew")
			}
			j.Resumed = true
			continue
		}
		if ok { // a damaged mark only costs a question to the ledger
			j.read(text)
		}
	}
	if err := j.f.Truncate(end); err != nil {
		return err
	}
	if _, err := j.f.Seek(end, io.SeekStart); err != nil {
		return err
	}
	if !j.Resumed {
		return j.begin(h)
	}
	for _, d := range []struct{ what, had, wants string }{
		{"of", j.Header.Actor, h.Actor}, {"of", j.Header.Source, h.Source},
		{"with --split", strconv.FormatBool(j.Header.Split), strconv.FormatBool(h.Split)},
	} {
		if d.had != d.wants {
			return ledger.Errorf(ledger.ErrInvalid, "the job that was begun is %s %s, not %s: finish it, or name another --job file", d.what, d.had, d.wants)
		}
	}
	return nil
}

func (j *Journal) read(text string) {
	f := strings.Fields(text)
	switch {
	case len(f) == 3 && f[0] == "done":
		raw, err := hex.DecodeString(f[1])
		mask, err2 := strconv.ParseUint(f[2], 16, 64)
		if err == nil && err2 == nil && len(raw) == len(mark{}) {
			j.done[mark(raw)] |= mask
		}
	case len(f) == 2 && f[0] == "record":
		j.Last = f[1]
	}
}

// begin makes a new journal safe on disk before anything depends on its secret.
func (j *Journal) begin(h Header) error {
	h.Format, h.Begun, h.Secret = journalFormat, time.Now().UTC().Format(time.RFC3339), make([]byte, sha256.Size)
	rand.Read(h.Secret)
	j.Header = h
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(withSum(nil, string(text))); err != nil {
		return err
	}
	if err := j.f.Sync(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(j.f.Name()))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Close lets other processes have the journal.
func (j *Journal) Close() error { return j.f.Close() }

// has tells whether an item is known to be registered.
func (j *Journal) has(i *item) bool {
	m, bit := j.markOf(i)
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done[m]&bit != 0
}

// add marks items as registered, safe on disk.
func (j *Journal) add(items []*item) error {
	if len(items) == 0 {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	masks := make(map[mark]uint64)
	for _, i := range items {
		m, bit := j.markOf(i)
		masks[m] |= bit
	}
	var text []byte
	for m, mask := range masks {
		j.done[m] |= mask
		text = withSum(text, fmt.Sprintf("done %x %x", m[:], mask))
	}
	j.Last = items[len(items)-1].id
	text = withSum(text, "record "+j.Last)
	if _, err := j.f.Write(text); err != nil {
		return fmt.Errorf("job %s: %w", j.f.Name(), err)
	}
	return j.f.Sync()
}

// markOf gives the item's mark and its bit.
func (j *Journal) markOf(i *item) (mark, uint64) {
	mac := hmac.New(sha256.New, j.Header.Secret)
	mac.Write([]byte("mark\x00"))
	var n [24]byte
	binary.BigEndian.PutUint64(n[:], uint64(i.info.Size()))
	binary.BigEndian.PutUint64(n[8:], uint64(i.info.ModTime().UnixNano()))
	binary.BigEndian.PutUint64(n[16:], uint64(i.part/64))
	mac.Write(n[:])
	if i.part > 0 {
		mac.Write([]byte("part"))
	}
	mac.Write([]byte("\x00" + i.name))
	return mark(mac.Sum(nil)[:len(mark{})]), 1 << (i.part % 64)
}

// withSum appends a line.
func withSum(b []byte, text string) []byte {
	return fmt.Appendf(b, "%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// checked takes a line apart.
func checked(line string) (text string, ok bool) {
	line = strings.TrimSuffix(line, "\n")
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", false
	}
	return line[:i], bytes.Equal(fmt.Appendf(nil, "%08x", crc32.ChecksumIEEE([]byte(line[:i]))), []byte(line[i+1:]))
}
