package proxy

import (
	"io"
	"sync"
	"time"
)

// batchSize is the size of the buffers between kubo and people.
const batchSize = 256 << 10

// batches reads what kubo's cat sends. kubo sends 4 KiB at a time, and a TLS record for
// each would cost the proxy and its client several times what the bytes cost. So a reader
// that has found little waits a moment for more.
type batches struct{ io.ReadCloser }

func (b batches) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n < len(p)/2 && err == nil {
		time.Sleep(time.Millisecond)
	}
	return n, err
}

// buffers is an httputil.BufferPool.
type buffers struct{}

var pool = sync.Pool{New: func() any {
	b := make([]byte, batchSize)
	return &b
}}

// Get implements httputil.BufferPool.
func (buffers) Get() []byte { return *pool.Get().(*[]byte) }

// Put implements httputil.BufferPool.
func (buffers) Put(b []byte) { pool.Put(&b) }
