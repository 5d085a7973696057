package envelope

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"filippo.io/age"
)

// A Digest is the size and the hashes of a record.
type Digest struct {
	Size       int64
	SHA256     [32]byte
	Commitment [32]byte // SHA-256(salt || plaintext)
}

// A meter computes the digest of the record that is written to it.
type meter struct {
	size          int64
	plain, salted hash.Hash
	origin        hash.Hash // of the commitment of an [Origin]; nil if there is none
}

func newMeter(salt []byte) *meter {
	m := &meter{plain: sha256.New(), salted: sha256.New()}
	m.salted.Write(salt)
	return m
}

func (m *meter) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	m.plain.Write(p)
	m.salted.Write(p)
	if m.origin != nil {
		m.origin.Write(p)
	}
	return len(p), nil
}

func (m *meter) digest() Digest {
	d := Digest{Size: m.size}
	m.plain.Sum(d.SHA256[:0])
	m.salted.Sum(d.Commitment[:0])
	return d
}

// A Sealer encrypts a record: read it to its end to get the payload. [NewSealer] makes
// one.
type Sealer struct {
	out   io.Reader
	meter *meter
	done  bool
}

// NewSealer returns the payload of the record in src. Key is the record key, of KeySize
// bytes; salt is that of the commitment, of SaltSize bytes. The Sealer reads src as it is
// read, and needs about 200 KiB of memory for records of any size.
//
// Errors: key or salt has the wrong size.
func NewSealer(src io.Reader, key, salt []byte) (*Sealer, error) {
	k, err := newPayloadKey(key)
	if err != nil {
		return nil, err
	}
	if len(salt) != SaltSize {
		return nil, errors.New("salt has the wrong size")
	}
	s := &Sealer{meter: newMeter(salt)}
	s.out, err = age.EncryptReader(&padder{src: io.TeeReader(src, s.meter), meter: s.meter}, k)
	return s, err
}

func (s *Sealer) Read(p []byte) (int, error) {
	n, err := s.out.Read(p)
	if err == io.EOF {
		s.done = true
	}
	return n, err
}

// Digest returns the digest of the record. It fails until Read has returned io.EOF.
func (s *Sealer) Digest() (Digest, error) {
	if !s.done {
		return Digest{}, errors.New("the payload has not been read to its end")
	}
	return s.meter.digest(), nil
}

// A padder reads src and then zeros up to the padded size.
type padder struct {
	src   io.Reader
	meter *meter
	ended bool
	zeros int64 // left, once ended
}

func (p *padder) Read(b []byte) (int, error) {
	if !p.ended {
		n, err := p.src.Read(b)
		if err != io.EOF {
			return n, err
		}
		p.ended = true
		p.zeros = PaddedSize(p.meter.size) - p.meter.size
		if n > 0 {
			return n, nil
		}
	}
	if p.zeros == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.zeros))
	clear(b[:n])
	p.zeros -= int64(n)
	return n, nil
}

// OpenPayload decrypts the payload in src and writes the record to dst. Each chunk is
// authenticated before it is written. Size, digest, padding and the ledger's commitment
// are compared at the end, so use the output only if the error is nil.
//
// Errors:
//   - ledger.ErrTampered if anything does not match.
//   - the error of src or dst, as it is.
func OpenPayload(dst io.Writer, src io.Reader, m *Metadata, commitment string) error {
	k, err := newPayloadKey(m.Key)
	if err != nil {
		return err
	}
	watched := &watchedReader{r: src}
	plain, err := age.Decrypt(watched, k)
	if err != nil {
		return watched.blame(err)
	}
	meter := newMeter(m.Salt)
	if m.Origin != nil {
		meter.origin = sha256.New()
		meter.origin.Write(m.Origin.Salt)
	}
	out := &watchedWriter{w: dst}
	if err := relay(out, meter, plain, m.Size); err != nil {
		if out.err != nil {
			return out.err
		}
		return watched.blame(err)
	}
	if err := onlyZeros(plain, PaddedSize(m.Size)-m.Size); err != nil {
		return watched.blame(err)
	}
	d := meter.digest()
	if subtle.ConstantTimeCompare(d.SHA256[:], m.SHA256) != 1 {
		return tampered("open payload: the record is not the one that was sealed: its digest differs")
	}
	if hex.EncodeToString(d.Commitment[:]) != commitment {
		return tampered("open payload: the record does not match the commitment on the ledger")
	}
	if m.Origin != nil && hex.EncodeToString(meter.origin.Sum(nil)) != m.Origin.Commitment {
		return tampered("open payload: the record does not match the commitment that its author signed")
	}
	return nil
}

// onlyZeros reads r to its end, which must come after n zero bytes.
func onlyZeros(r io.Reader, n int64) error {
	buf := make([]byte, 32<<10)
	zero := make([]byte, len(buf))
	for {
		got, err := r.Read(buf)
		n -= int64(got)
		if n < 0 || !bytes.Equal(buf[:got], zero[:got]) {
			return errors.New("the padding is not that of the record")
		}
		if err == io.EOF && n == 0 {
			return nil
		}
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
}

// A watchedReader keeps the error of its source, so that a failing store is not mistaken
// for a forged payload.
type watchedReader struct {
	r   io.Reader
	err error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func (w *watchedReader) blame(err error) error {
	if w.err != nil {
		return w.err
	}
	return &damaged{"open payload", err}
}

// writeSize is the number of bytes in one write. 64 KiB cost the least processor time
// when writing a file. Smaller writes need more system calls. From 256 KiB on, Linux
// allocates its cache in large pages, which took up to four times as long.
const writeSize = 64 << 10

// A watchedWriter keeps the error of its destination, so that it is not mistaken for one
// of the payload.
type watchedWriter struct {
	w   io.Writer
	err error
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) && w.err == nil {
		piece := p[done:min(done+writeSize, len(p))]
		n, err := w.w.Write(piece)
		if err == nil && n < len(piece) {
			err = io.ErrShortWrite
		}
		done, w.err = done+n, err
	}
	return done, w.err
}
