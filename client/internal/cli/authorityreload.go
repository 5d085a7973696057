package cli

import (
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A reloader serves requests with the master secret in a file. It opens the file again
// when 'authority replace' has written another one.
type reloader struct {
	path string
	make func() (http.Handler, error) // opens the file
	log  *slog.Logger

	mu     sync.Mutex
	opened fs.FileInfo
	retry  time.Time // not before, after a file did not open
	now    http.Handler
}

// reloadPause is the time between two attempts to open a file, which is slow under a
// passphrase.
const reloadPause = 2 * time.Second

func (r *reloader) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.handler().ServeHTTP(w, request)
}

func (r *reloader) handler() http.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	there, err := os.Stat(r.path)
	if err != nil || os.SameFile(r.opened, there) && r.opened.ModTime().Equal(there.ModTime()) || time.Now().Before(r.retry) {
		return r.now
	}
	fresh, err := r.make()
	if err != nil {
		r.log.Warn("the master secret was replaced, and does not open: restart the server with what opens it", "error", err)
		r.retry = time.Now().Add(reloadPause)
		return r.now
	}
	r.log.Info("the master secret was replaced")
	r.opened, r.now = there, fresh
	return fresh
}

// reopen opens the master secret again, without asking a person.
func (a *app) reopen(f authorityFlags, msp string) (master, error) {
	if !f.lock.given() && os.Getenv(f.lock.env) == "" {
		return nil, ledger.Errorf(ledger.ErrDenied, "its passphrase came from a terminal")
	}
	return a.openMaster(f, msp)
}
