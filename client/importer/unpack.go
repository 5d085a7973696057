package importer

import (
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/chartseal/chartseal/client/emr"
)

// Bounds on what is unpacked.
const (
	maxUnpacked = 1 << 30  // bytes of one file
	maxArchive  = 16 << 30 // bytes of all files in a file of the source
	maxEntries  = 1 << 17  // files in a file of the source
	maxName     = 1024     // bytes of a path in an archive
	maxFolders  = 32       // of a path in an archive
	maxSteps    = 8        // archives and compressions in each other
	inMemory    = 1 << 20  // bytes; longer files are unpacked to a file without a name
	keptOpen    = 8        // unpacked files that nobody reads
)

var (
	errUnpacked = fmt.Errorf("its content is longer than %d MiB unpacked", maxUnpacked>>20)
	errDamaged  = errors.New("it is damaged or cut off")
)

// A step leads from a file to one in it.
type step struct {
	how     how
	section section // of the file, for entries of an archive
	sum     uint32  // CRC-32 of the content, for entries of a ZIP
	size    int64   // of the content, for entries of a ZIP
}

type how int

const (
	stored   how = iota // a section as it is
	deflated            // a section in a ZIP
	gzipped             // the whole file
	bzipped
	inUTF16 // the whole file; the step gives it in UTF-8
)

func (s step) compression() bool { return s.how == gzipped || s.how == bzipped }

// An allowance is what may still be unpacked from a file of the source, with the archives
// in it. What counts is the contents as they turn out, whatever an archive says of them.
type allowance struct {
	files int
	bytes int64
}

// An unpacker keeps files that were unpacked, for as long as they are read and a little
// longer: the records of a bulk export in a compressed file are read one by one.
type unpacker struct {
	allowance // of each file of the source

	mu   sync.Mutex
	open map[string]*unpacked
	idle []string
}

// unpacked is a file that was unpacked, or is being unpacked.
type unpacked struct {
	once    sync.Once
	err     error
	memory  []byte
	file    *os.File // without a name: it is gone with this process
	size    int64
	readers int
}

func newUnpacker() *unpacker {
	return &unpacker{allowance: allowance{maxEntries, maxArchive}, open: make(map[string]*unpacked)}
}

// whole returns the allowance of a new file of the source.
func (u *unpacker) whole() *allowance { a := u.allowance; return &a }

// enter takes a content one step further.
func (u *unpacker) enter(c *content, f *file, n int) error {
	s := f.steps[n]
	if s.how == stored {
		if s.section.offset+s.section.length > c.size {
			return errDamaged
		}
		c.ReaderAt, c.size = io.NewSectionReader(c.ReaderAt, s.section.offset, s.section.length), s.section.length
		return nil
	}
	key := fmt.Sprint(f.path, "\x00", f.steps[:n+1])
	p := u.take(key)
	c.release = append(c.release, func() { u.leave(key) })
	p.once.Do(func() { p.err = p.unpack(c, s) })
	if p.err != nil {
		return p.err
	}
	c.size = p.size
	if c.ReaderAt = io.ReaderAt(bytes.NewReader(p.memory)); p.file != nil {
		c.ReaderAt = p.file
	}
	return nil
}

func (u *unpacker) take(key string) *unpacked {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.open[key]
	if p == nil {
		p = &unpacked{}
		u.open[key] = p
	}
	p.readers++
	return p
}

func (u *unpacker) leave(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.open[key]
	if p.readers--; p.readers > 0 {
		return
	}
	u.idle = append(u.idle, key)
	for len(u.idle) > keptOpen {
		if old := u.open[u.idle[0]]; old != nil && old.readers == 0 {
			old.close()
			delete(u.open, u.idle[0])
		}
		u.idle = u.idle[1:]
	}
}

// close drops all files. Nobody may read any more.
func (u *unpacker) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, p := range u.open {
		p.close()
		delete(u.open, key)
	}
}

func (p *unpacked) close() {
	if p.file != nil {
		p.file.Close()
	}
}

func (p *unpacked) unpack(c *content, s step) error {
	whole := io.NewSectionReader(c.ReaderAt, 0, c.size)
	var from io.Reader
	switch s.how {
	case gzipped:
		z, err := gzip.NewReader(whole)
		if err != nil {
			return errors.Join(errDamaged, err)
		}
		from = z
	case bzipped:
		from = bzip2.NewReader(whole)
	case deflated:
		from = flate.NewReader(io.NewSectionReader(c.ReaderAt, s.section.offset, s.section.length))
	case inUTF16:
		head := make([]byte, 512)
		n, err := whole.ReadAt(head, 0)
		if err != nil && err != io.EOF {
			return err
		}
		e := utf16Of(head[:n])
		if e == nil {
			return errChanged
		}
		from = transform.NewReader(whole, e.NewDecoder())
	}
	sum, limit := crc32.NewIEEE(), int64(maxUnpacked)
	if s.how == deflated {
		limit = s.size
	}
	packed := &failing{r: from}
	if err := p.copy(io.TeeReader(io.LimitReader(packed, limit+1), sum)); err != nil {
		if packed.failed {
			err = errors.Join(errDamaged, err)
		}
		return err
	}
	switch {
	case p.size > maxUnpacked:
		return errUnpacked
	case s.how == deflated && (p.size != s.size || sum.Sum32() != s.sum):
		return errDamaged
	}
	return nil
}

// copy keeps a content in memory, or in a file without a name if it is long.
func (p *unpacked) copy(from io.Reader) error {
	var b bytes.Buffer
	n, err := io.CopyN(&b, from, inMemory+1)
	if p.size = n; err != nil {
		p.memory = b.Bytes()
		if err == io.EOF {
			err = nil
		}
		return err
	}
	if p.file, err = os.CreateTemp("", "chartseal-import-*"); err != nil {
		return err
	}
	if err := os.Remove(p.file.Name()); err != nil {
		return err
	}
	if _, err := p.file.Write(b.Bytes()); err != nil {
		return err
	}
	more, err := io.Copy(p.file, from)
	p.size += more
	return err
}

// failing notes that reading failed, rather than writing.
type failing struct {
	r      io.Reader
	failed bool
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	f.failed = f.failed || err != nil && err != io.EOF
	return n, err
}

// utf16Of returns the encoding of a text in UTF-16, nil for another one.
func utf16Of(head []byte) encoding.Encoding { return emr.UTF16(head) }
