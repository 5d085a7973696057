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

// A Header identifies the job of a journal. A resumed job must have the same actor,
// source and split. The secret of a new job is random unless it is given, see [Secrets].
type Header struct {
	Format string `json:"format"`
	Actor  string `json:"actor"`
	Source string `json:"source"`          // absolute path
	Place  string `json:"place,omitempty"` // of the source on its file system, which a move does not change
	Split  bool   `json:"split"`
	Begun  string `json:"begun"`
	Secret []byte `json:"secret"`
}

const journalFormat = "chartseal/import/v1"

// A Journal is the state of a job on disk: its secret, and marks for the items that are
// done. It is a text file. Each line ends with the CRC-32 of the text before it. Lines
// that a crash left unfinished are ignored.
//
//	{header as JSON} CRC
//	done MARK MASK CRC         parts of a file are registered; MASK has a bit for each of 64
//	record ID CRC              the last record that was registered, to recognise the ledger
//	source "PATH" CRC          the source was moved there
//
// A mark is a keyed hash of a file's path, size and time of change, and of the number of
// a group of 64 parts. A file that has changed has other marks and is read again.
//
// A Journal is safe for concurrent use by one process. It is locked against others.
type Journal struct {
	Header  Header
	Resumed bool   // it existed before
	Last    string // the last record id in it; "" if there is none

	mu   sync.Mutex
	f    *os.File
	done map[mark]uint64
}

// A mark names 64 parts of a file.
type mark [12]byte

// OpenJournal opens the journal at path, or makes a new one.
//
// Errors:
//   - client.ErrInvalid if the file is no journal, or has another actor, source or split.
//     A source that was moved is the same one.
//   - client.ErrUnavailable if another process has it open.
//   - errors of the file system.
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
			break // an unfinished line has no end
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
	if j.Header.Source != h.Source && movedTo(j.Header, h) {
		j.Header.Source = h.Source
		if _, err := j.f.Write(withSum(nil, "source "+strconv.Quote(h.Source))); err != nil {
			return err
		}
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
	case len(f) > 1 && f[0] == "source":
		if path, err := strconv.Unquote(strings.TrimPrefix(text, "source ")); err == nil {
			j.Header.Source = path
		}
	}
}

// begin writes and syncs the header of a new journal, before anything depends on its
// secret.
func (j *Journal) begin(h Header) error {
	h.Format, h.Begun, h.Place = journalFormat, time.Now().UTC().Format(time.RFC3339), placeOf(h.Source)
	if h.Secret == nil {
		h.Secret = make([]byte, sha256.Size)
		rand.Read(h.Secret)
	}
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

// Close unlocks the journal for other processes.
func (j *Journal) Close() error { return j.f.Close() }

// has reports whether an item is marked as registered.
func (j *Journal) has(i *item) bool {
	m, bit := j.markOf(i)
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done[m]&bit != 0
}

// add marks items as registered and syncs the marks.
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

// markOf returns the item's mark and its bit.
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

// withSum appends a line with its checksum.
func withSum(b []byte, text string) []byte {
	return fmt.Appendf(b, "%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// checked returns the text of a line and whether its checksum is right.
func checked(line string) (text string, ok bool) {
	line = strings.TrimSuffix(line, "\n")
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", false
	}
	return line[:i], bytes.Equal(fmt.Appendf(nil, "%08x", crc32.ChecksumIEEE([]byte(line[:i]))), []byte(line[i+1:]))
}
