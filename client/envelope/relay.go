package envelope

import (
	"io"
	"sync"
)

const (
	relaySize    = 256 << 10
	relayBuffers = 16 // between two stages: on a busy machine each waits many milliseconds for its turn
)

// A part of a record on its way through a relay.
type part struct {
	data []byte
	err  error // comes after data
}

// relay copies n bytes to out, and to m unless that is nil. A large record uses several
// cores: one goroutine reads, that is, fetches and decrypts; another one measures; the
// caller's writes. relay returns once the goroutines have ended.
func relay(out io.Writer, m *meter, plain io.Reader, n int64) error {
	if n <= relaySize {
		if m != nil {
			out = io.MultiWriter(m, out)
		}
		_, err := io.CopyN(out, plain, n)
		return err
	}
	buffers := int(min(relayBuffers, (n+relaySize-1)/relaySize))
	empty, filled, measured := make(chan []byte, buffers), make(chan part, buffers), make(chan part, buffers)
	for range buffers {
		empty <- make([]byte, relaySize)
	}
	var stages sync.WaitGroup
	defer stages.Wait()
	defer close(empty)
	stages.Go(func() {
		defer close(filled)
		readParts(plain, n, empty, filled)
	})
	stages.Go(func() {
		defer close(measured)
		for p := range filled {
			if m != nil {
				m.Write(p.data)
			}
			measured <- p // never blocks: there are as many places as buffers
		}
	})
	for p := range measured {
		if _, err := out.Write(p.data); err != nil {
			return err
		}
		if p.err != nil {
			return p.err
		}
		empty <- p.data[:relaySize]
	}
	return nil
}

// readParts reads n bytes into buffers, until empty is closed.
func readParts(plain io.Reader, n int64, empty <-chan []byte, filled chan<- part) {
	for n > 0 {
		buf, ok := <-empty
		if !ok {
			return
		}
		got, err := io.ReadFull(plain, buf[:min(n, relaySize)])
		n -= int64(got)
		filled <- part{buf[:got], err} // never blocks, as above
		if err != nil {
			return
		}
	}
}
