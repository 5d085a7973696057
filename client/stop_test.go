package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
)

// brokenRegistry refuses all records.
type brokenRegistry struct {
	client.Ledger
	refuse func(ctx context.Context) error
}

func (l *brokenRegistry) CreateRecords(ctx context.Context, _ []ledger.NewRecord, _ [][]byte) ([]ledger.RecordVersion, error) {
	return nil, l.refuse(ctx)
}

// TestStopWhileRegistering: a seal that is cancelled while it registers ends at once.
func TestStopWhileRegistering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t)
		ctx, stop := context.WithCancel(t.Context())
		var told time.Time
		doctor, err := client.New(client.Config{
			Ledger: &brokenRegistry{c.world.As("HospitalA", "doctor", "doctor"), func(ctx context.Context) error {
				told = time.Now()
				stop()
				return ctx.Err()
			}},
			Signer: c.world.As("HospitalA", "doctor", "doctor").Signer(),
			Blobs:  c.blobs, Outbox: outbox.Memory(), Identities: ids(c.identity(t, "HospitalA/doctor", "HospitalA:role=doctor")),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = doctor.Seal(ctx, client.SealRequest{Sources: []client.Source{text("a", "x"), text("b", "y")}, Policy: doctors})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(told); took > time.Second {
			t.Errorf("it went on for %v after it was told to stop", took)
		}
		c.nothingLeft(t)
	})
}

// TestLastSealStopped: a cancelled seal starts no transaction for the entries of others.
// They stay in the outbox for the next seal.
func TestLastSealStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, doctor, seal := concurrent(t, time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		opened := make(chan struct{})
		src := client.Source{Name: "slow", Size: -1, Open: func() (io.ReadCloser, error) {
			close(opened)
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		var last sync.WaitGroup
		last.Go(func() {
			_, err := doctor.Seal(ctx, client.SealRequest{
				Sources: []client.Source{src}, Policy: doctors, Scope: "consortium", Keywords: []string{"asthma"}, Index: index.ModeBatched})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		<-opened
		for n := range 12 {
			if err := seal(text(fmt.Sprint(n), "x")); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		last.Wait()
		if status, err := doctor.IndexStatus(); err != nil || status.Records != 12 || len(s.sizes) > 0 {
			t.Errorf("transactions of %v, then %+v, %v", s.sizes, status, err)
		}
		if err := seal(text("next", "x")); err != nil {
			t.Fatal(err)
		}
		if status, err := doctor.IndexStatus(); err != nil || status.Records >= outbox.DefaultRecords || len(s.sizes) != 1 {
			t.Errorf("transactions of %v after the next seal, then %+v, %v", s.sizes, status, err)
		}
	})
}
