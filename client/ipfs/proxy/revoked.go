package proxy

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// revocations are the serial numbers on a revocation list, which is read again when its
// file changes. The two CAs of a hospital's Fabric CA share one database, and each lists
// the revoked certificates of both, so that one list covers the TLS certificates.
type revocations struct {
	file string

	mu      sync.Mutex
	read    fs.FileInfo // of the file when it was read
	serials map[string]bool
}

// list returns the serial numbers in decimal. The caller must not change it.
func (r *revocations) list() (map[string]bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(r.file)
	if err != nil {
		return nil, err
	}
	if r.read != nil && os.SameFile(info, r.read) && info.ModTime().Equal(r.read.ModTime()) && info.Size() == r.read.Size() {
		return r.serials, nil
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("revocation list %s: no PEM in it", r.file)
	}
	parsed, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("revocation list %s: %w", r.file, err)
	}
	serials := make(map[string]bool, len(parsed.RevokedCertificateEntries))
	for _, e := range parsed.RevokedCertificateEntries {
		serials[e.SerialNumber.String()] = true
	}
	r.read, r.serials = info, serials
	return serials, nil
}
