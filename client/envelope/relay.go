package envelope

import (
	"io"
	"sync"
)

const (
	relaySize    = 256 << 10
	relayBuffers = 4
	forkSize     = 32 << 10 // below it, starting a goroutine costs more than it saves
)

// relay copies n bytes. It reads, which is to fetch and decrypt, while what was read before is hashed and written, so that a
// large record keeps several cores busy. It returns when nothing is running any more.
func relay(out io.Writer, plain io.Reader, n int64) error {
	if n <= relaySize {
		_, err := io.CopyN(out, plain, n)
		return err
	}
	type part struct {
		data []byte
		err  error
	}
	filled, empty := make(chan part, relayBuffers), make(chan []byte, relayBuffers)
	for range relayBuffers {
		empty <- make([]byte, relaySize)
	}
	var reader sync.WaitGroup
	defer reader.Wait()
	defer close(empty)
	reader.Go(func() {
		defer close(filled)
		for left := n; left > 0; {
			buf, ok := <-empty
			if !ok {
				return
			}
			got, err := io.ReadFull(plain, buf[:min(left, relaySize)])
			left -= int64(got)
			filled <- part{buf[:got], err} // never blocks: there are as many places as buffers
			if err != nil {
				return
			}
		}
	})
	for p := range filled {
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

// A fork writes to two writers at the same time. Write returns when both are done.
type fork struct{ first, second io.Writer }

func (f fork) Write(p []byte) (int, error) {
	if len(p) < forkSize {
		if n, err := f.first.Write(p); err != nil {
			return n, err
		}
		return f.second.Write(p)
	}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err = f.first.Write(p)
	}()
	n, second := f.second.Write(p)
	<-done
	if err != nil {
		return 0, err
	}
	return n, second
}
