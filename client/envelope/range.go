package envelope

import (
	"errors"
	"io"

	"filippo.io/age"
)

// OpenRange writes length bytes of a record, from offset on, to dst. Src reads the
// payload, which has payloadSize bytes. OpenRange reads the header, the chunks that hold
// the range, and the last chunk, which proves the size.
//
// Each chunk is authenticated under the record key and its position before any of it is
// written. Digest, padding and the ledger's commitment are not compared, as that takes
// the whole record.
//
// Errors:
//   - ledger.ErrTampered if anything does not match.
//   - the error of src or dst, as it is.
//   - an error if the range is not within the record.
func OpenRange(dst io.Writer, src io.ReadSeeker, payloadSize int64, m *Metadata, offset, length int64) error {
	if offset < 0 || length < 0 || offset > m.Size || length > m.Size-offset {
		return errors.New("open range: it is not within the record")
	}
	k, err := newPayloadKey(m.Key)
	if err != nil {
		return err
	}
	jumps := &jumpingReader{src: watchedReader{r: src}, seek: src}
	plain, size, err := age.DecryptReaderAt(jumps, payloadSize, k)
	if err != nil {
		return jumps.src.blame(err)
	}
	if size != PaddedSize(m.Size) {
		return tampered("open range: the payload has not the size of the record")
	}
	out := &watchedWriter{w: dst}
	if err := relay(out, nil, io.NewSectionReader(plain, offset, length), length); err != nil {
		if out.err != nil {
			return out.err
		}
		return jumps.src.blame(err)
	}
	return nil
}

// A jumpingReader is an io.ReaderAt over an io.Seeker. It allows no concurrent reads.
type jumpingReader struct {
	src  watchedReader
	seek io.Seeker
}

func (j *jumpingReader) ReadAt(p []byte, offset int64) (int, error) {
	if _, err := j.seek.Seek(offset, io.SeekStart); err != nil {
		j.src.err = err
		return 0, err
	}
	n, err := io.ReadFull(&j.src, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}
