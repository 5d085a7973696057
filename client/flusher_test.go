package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
)

// sizes is a ledger that records the number of entries in each index transaction.
type sizes struct {
	client.Ledger
	mu    sync.Mutex
	sizes []int
}

func (s *sizes) PutEntries(ctx context.Context, entries []index.Entry) error {
	s.mu.Lock()
	s.sizes = append(s.sizes, len(entries))
	s.mu.Unlock()
	return s.Ledger.PutEntries(ctx, entries)
}

// TestManySealsFillTransactions: concurrent seals fill their index transactions. The last
// seal leaves only entries of too few records to hide each other. Sequential seals write
// as soon as enough records wait.
func TestManySealsFillTransactions(t *testing.T) {
	c := newConsortium(t)
	s := &sizes{Ledger: c.world.As("HospitalA", "doctor", "doctor")}
	doctor, err := client.New(client.Config{Ledger: s, Signer: c.world.SignerOf(s.Actor()), Blobs: c.blobs, Outbox: outbox.Memory(),
		Batching:   outbox.Policy{Pace: time.Hour},
		Identities: ids(c.identity(t, "HospitalA/doctor", "HospitalA:role=doctor"))})
	if err != nil {
		t.Fatal(err)
	}
	terms := 0
	seal := func(n int) {
		var words []string
		for i := range 20 {
			words = append(words, fmt.Sprintf("own%dx%d", n, i))
		}
		sealed, err := doctor.Seal(t.Context(), client.SealRequest{
			Sources: []client.Source{text(fmt.Sprint(n), "x")}, Policy: doctors, Scope: "consortium", Keywords: words, Index: index.ModeBatched})
		if err != nil || len(sealed[0].Warnings) > 0 {
			t.Errorf("%+v, %v", sealed, err)
			return
		}
		s.mu.Lock()
		terms += sealed[0].Terms
		s.mu.Unlock()
	}
	const callers, each = 10, 12
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := range each {
				seal(each*caller + i)
			}
		})
	}
	wg.Wait()
	full, written := 0, 0
	for _, n := range s.sizes {
		if n == index.MaxBatch {
			full++
		}
		written += n
	}
	if full < terms/index.MaxBatch || len(s.sizes) > full+3 {
		t.Errorf("%d entries in transactions of %v", terms, s.sizes)
	}
	status, err := doctor.IndexStatus()
	if err != nil || status.Pending > 0 || status.Entries > outbox.DefaultSize || status.Entries < terms-written {
		t.Errorf("%d entries, %d written, and then %+v, %v", terms, written, status, err)
	}
	if _, err := doctor.FlushIndex(t.Context(), client.FlushOptions{All: true}); err != nil {
		t.Fatal(err)
	}

	s.sizes = nil
	for n := range outbox.DefaultRecords {
		if len(s.sizes) > 0 {
			t.Errorf("%d seals wrote transactions of %v", n, s.sizes)
		}
		seal(1000 + n)
	}
	if fmt.Sprint(s.sizes) != "[256]" {
		t.Errorf("%d seals one after the other wrote transactions of %v", outbox.DefaultRecords, s.sizes)
	}
}

// concurrent returns a doctor's client, a function that seals a source with it, and the
// sizes of its index transactions.
func concurrent(t *testing.T, pace time.Duration) (*sizes, *client.Client, func(s client.Source) error) {
	t.Helper()
	c := newConsortium(t)
	s := &sizes{Ledger: c.world.As("HospitalA", "doctor", "doctor")}
	doctor, err := client.New(client.Config{Ledger: s, Signer: c.world.SignerOf(s.Actor()), Blobs: c.blobs, Outbox: outbox.Memory(), Batching: outbox.Policy{Pace: pace},
		Identities: ids(c.identity(t, "HospitalA/doctor", "HospitalA:role=doctor"))})
	if err != nil {
		t.Fatal(err)
	}
	return s, doctor, func(src client.Source) error {
		_, err := doctor.Seal(t.Context(), client.SealRequest{
			Sources: []client.Source{src}, Policy: doctors, Scope: "consortium", Keywords: []string{"asthma"}, Index: index.ModeBatched})
		return err
	}
}

// slow returns a source that signals when it is being read. It fails with the error that
// the test sends.
func slow() (src client.Source, reading <-chan struct{}, end chan<- error) {
	opened, told := make(chan struct{}), make(chan error)
	return client.Source{Name: "slow", Size: -1, Open: func() (io.ReadCloser, error) {
		close(opened)
		return nil, <-told
	}}, opened, told
}

// TestLastSealFails: a running seal may have to write the entries of others. It writes
// them even if it fails.
func TestLastSealFails(t *testing.T) {
	s, doctor, seal := concurrent(t, time.Hour)
	src, reading, end := slow()
	var last sync.WaitGroup
	broken := errors.New("the scanner is on fire")
	last.Go(func() {
		if err := seal(src); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
	<-reading
	for n := range 12 {
		if err := seal(text(fmt.Sprint(n), "x")); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.sizes) > 0 {
		t.Errorf("transactions of %v while a seal was on its way", s.sizes)
	}
	end <- broken
	last.Wait()
	if status, err := doctor.IndexStatus(); err != nil || status.Records >= outbox.DefaultRecords || len(s.sizes) != 1 {
		t.Errorf("transactions of %v, then %+v, %v", s.sizes, status, err)
	}
}

// TestLongSeal: a long seal does not delay the entries of others.
func TestLongSeal(t *testing.T) {
	_, doctor, seal := concurrent(t, 20*time.Millisecond)
	src, reading, end := slow()
	var long sync.WaitGroup
	long.Go(func() { seal(src) })
	<-reading
	for n := range 12 {
		if err := seal(text(fmt.Sprint(n), "x")); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for {
		status, err := doctor.IndexStatus()
		if err != nil {
			t.Fatal(err)
		}
		if status.Records < outbox.DefaultRecords { // too few records to hide each other
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still waiting: %+v", status)
		}
		time.Sleep(5 * time.Millisecond)
	}
	end <- errors.New("enough")
	long.Wait()
}
