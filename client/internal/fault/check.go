package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/wallet"
)

const scope = "consortium"

// check looks for damage when all programs have ended. It looks before it repeats
// anything, for a repetition might mend what is damaged.
func (r *run) check(ctx context.Context) error {
	sick, err := r.heal(ctx)
	if err != nil {
		return err
	}
	if len(sick) > 0 {
		r.harm("not healthy: %v", sick)
	}
	if err := r.look(ctx); err != nil {
		return err
	}
	if err := r.load.importUpTo(ctx, len(r.load.lines)); err != nil { // what an outage has left over, as the manual says
		r.harm("the rest of the import: %v", err)
	}
	for _, user := range []string{doctorA, doctorB} {
		if err := r.chartseal(ctx, user, nil, "index", "flush"); err != nil {
			r.harm("%v", err)
		}
	}
	imported, err := r.load.imported()
	if err != nil {
		return err
	}
	if want := len(r.load.lines); len(imported) != want {
		r.harm("%d records are imported, want %d", len(imported), want)
	}
	return r.look(ctx)
}

// look looks at the network, and at all records that are confirmed.
func (r *run) look(ctx context.Context) error {
	imported, err := r.load.imported()
	if err != nil {
		return err
	}
	all := append(imported, r.load.sealed...)
	r.say("%v; %d records to check", r.load, len(all))
	if err := r.heights(ctx); err != nil {
		return err
	}
	return r.records(ctx, all)
}

// heights makes sure that all peers and orderers come to the same number of blocks.
func (r *run) heights(ctx context.Context) error {
	for end := time.Now().Add(time.Minute); ; pause(ctx, time.Second) {
		all, err := r.status(ctx)
		if err != nil {
			return err
		}
		heights := map[uint64]bool{}
		for _, p := range all {
			if p.Process == "peer" || p.Process == "orderer" {
				heights[p.Height] = true
			}
		}
		if len(heights) == 1 {
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			r.harm("peers and orderers are at %v blocks", heights)
			return ctx.Err()
		}
	}
}

// records opens and searches every record at the other hospital.
func (r *run) records(ctx context.Context, all []record) error {
	w, err := wallet.Open(r.wallet())
	if err != nil {
		return err
	}
	clients := map[string]*client.Client{}
	for _, name := range []string{doctorA, doctorB, "auditor@Regulator"} {
		u, err := w.User(name)
		if err != nil {
			return err
		}
		s, err := session.Open(u, session.Options{})
		if err != nil {
			return err
		}
		defer s.Close()
		clients[name] = s.Client
	}
	var checks sync.WaitGroup
	queue := make(chan record)
	for range 8 {
		checks.Go(func() {
			for one := range queue {
				if err := one.check(ctx, clients[other(one.by)]); err != nil {
					r.harm("record %s of %s: %w", one.id, one.by, err)
				}
			}
		})
	}
	for _, one := range all {
		queue <- one
	}
	close(queue)
	checks.Wait()

	want := map[string]bool{}
	for v, err := range clients["auditor@Regulator"].AuditRecords(ctx, ledger.RecordQuery{}) {
		if err != nil {
			return err
		}
		want[v.CID] = true
	}
	for _, hospital := range []string{"HospitalA", "HospitalB", "HospitalC"} {
		if err := r.pins(ctx, hospital, want); err != nil {
			return err
		}
	}
	return nil
}

// check opens a record, and searches it if that was confirmed.
func (one record) check(ctx context.Context, c *client.Client) error {
	var out bytes.Buffer
	if _, err := c.Open(ctx, one.id, &out, client.OpenRequest{}); err != nil {
		return err
	}
	if !bytes.Equal(out.Bytes(), one.content) {
		return errors.New("its content differs")
	}
	if !one.indexed {
		return nil
	}
	found, err := c.Search(ctx, index.MustParseQuery(one.query), client.SearchOptions{Scope: scope})
	if err != nil {
		return err
	}
	if len(found.Hits) != 1 || found.Hits[0].ID != one.id {
		return fmt.Errorf("a search for %s finds %v", one.query, found.Hits)
	}
	return nil
}
