package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/fabric/block"
	"github.com/chartseal/chartseal/client/index"
)

// recordBlocks makes TestFollowBlocks write the blocks for the testdata of
// client/fabric/block.
var recordBlocks = flag.String("record-blocks", "", "write a block of each kind to `DIR`")

// A blockLog collects blocks across several runs of a follower.
type blockLog struct {
	mu     sync.Mutex
	at     fabric.CheckpointFile
	blocks []*block.Block
}

// follow runs a follower until enough returns true. It calls enough after each block.
func (l *blockLog) follow(t *testing.T, source fabric.BlockSource, enough func() bool) error {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	done := false
	err := fabric.FollowBlocks(ctx, source, consortium.Topology().Chaincode, fabric.Following[*block.Block]{
		Checkpoint: l.at,
		Handle: func(_ context.Context, b *block.Block) error {
			l.mu.Lock()
			l.blocks = append(l.blocks, b)
			l.mu.Unlock()
			if enough() {
				done = true
				cancel()
			}
			return nil
		},
		Interrupted: func(err error, wait time.Duration) { t.Logf("interrupted: %v; again in %v", err, wait) },
	})
	if done && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// valid returns the valid transactions so far.
func (l *blockLog) valid() (all []*block.Transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.blocks {
		all = slices.AppendSeq(all, b.Valid())
	}
	return all
}

func (l *blockLog) has(cid string) bool {
	return slices.ContainsFunc(payloadsOf(l.valid()), func(p ledger.Payload) bool { return p.CID == cid })
}

func payloadsOf(txs []*block.Transaction) (payloads []ledger.Payload) {
	for _, tx := range txs {
		for _, p := range tx.Payloads() {
			p.Tx = tx.ID // events name it
			payloads = append(payloads, p)
		}
	}
	return payloads
}

// TestFollowBlocks: blocks have the same contents as the chaincode's answers, by kind,
// and the same payloads as its events. The follower resumes after a restart of the
// program and after a crash of the peer. It delivers each block once.
func TestFollowBlocks(t *testing.T) {
	source := connect(t, "admin@HospitalA")
	seal(t, doctorA, write(t, "followed.txt", []byte("x")), "--policy", twoDoctors, "--keyword", "followed-block", "--index", "now")
	opens(t, doctorB, found(t, doctorB, "followed-block")[0], []byte("x"))
	lost := loseRace(t)
	last := seal(t, doctorA, write(t, "last.txt", []byte("y")), "--policy", twoDoctors, "--no-index")[0].CID

	l := &blockLog{at: fabric.CheckpointFile(filepath.Join(t.TempDir(), "at"))}
	if err := l.follow(t, source, func() bool { return len(l.blocks) == 5 }); err != nil {
		t.Fatal(err)
	}
	if err := l.follow(t, source, func() bool { return l.has(last) }); err != nil {
		t.Fatal(err)
	}
	compareWithChaincode(t, l.valid())
	compareWithEvents(t, payloadsOf(l.valid()))
	for _, b := range l.blocks {
		for _, tx := range b.Transactions {
			if tx.ID == lost && (tx.Valid() || len(tx.Entries) != 1) {
				t.Errorf("a transaction that lost a race is valid: %v, with %d entries", tx.Valid(), len(tx.Entries))
			}
		}
	}
	if *recordBlocks != "" {
		recordTo(t, *recordBlocks, l.blocks)
	}

	var wanted sync.Map
	ended := make(chan error, 1)
	go func() {
		ended <- l.follow(t, source, func() bool {
			tx := l.valid()
			return slices.ContainsFunc(payloadsOf(tx), func(p ledger.Payload) bool { _, ok := wanted.Load(p.CID); return ok })
		})
	}()
	kill(t, "peer", "HospitalA", syscall.SIGKILL)
	if err := consortium.Start(t.Context(), "HospitalA"); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			for i, b := range l.blocks {
				if b.Number != uint64(i) {
					t.Fatalf("block %d is the %d. that was handed out", b.Number, i)
				}
			}
			return
		default:
			cid := seal(t, doctorB, write(t, "crash.txt", fmt.Appendf(nil, "after the crash %d", i)), "--policy", twoDoctors, "--no-index")[0].CID
			wanted.Store(cid, true)
		}
	}
}

// loseRace writes one index entry twice at the same time, until the peer marks one of the
// two transactions invalid. It returns the id of that transaction.
func loseRace(t *testing.T) string {
	t.Helper()
	g := connect(t, doctorA)
	for i := range 20 {
		entry := index.Entry{Label: index.Label(fmt.Appendf(nil, "a race %09d", i))}
		var errs [2]error
		var both sync.WaitGroup
		for k := range errs {
			both.Go(func() { errs[k] = g.PutEntries(t.Context(), []index.Entry{entry}) })
		}
		both.Wait()
		for _, err := range errs {
			var id string
			if err != nil && errors.Is(err, ledger.ErrExists) {
				if n, _ := fmt.Sscanf(err.Error(), "index:Put: transaction %s was refused", &id); n == 1 {
					return id
				}
			}
		}
	}
	t.Fatal("no transaction was found invalid")
	return ""
}

// compareWithChaincode compares the contents of blocks with the chaincode's answers.
func compareWithChaincode(t *testing.T, txs []*block.Transaction) {
	t.Helper()
	var got block.Contents
	for _, tx := range txs {
		got.Records = append(got.Records, tx.Records...)
		got.Accesses = append(got.Accesses, tx.Accesses...)
		got.Keys = append(got.Keys, tx.Keys...)
		got.Entries = append(got.Entries, tx.Entries...)
		if len(tx.Other) > 0 {
			t.Errorf("block %d, transaction %d: unknown writes %v", tx.Block, tx.Position, tx.Other)
		}
		for _, r := range tx.Records {
			if r.Tx != tx.ID || r.Home != tx.MSP || r.Time != ledger.FormatTime(tx.Time) {
				t.Errorf("record %s says %s, %s, %s, and its transaction %s, %s, %s", r.ID, r.Tx, r.Home, r.Time, tx.ID, tx.MSP, tx.Time)
			}
		}
	}
	ctx, g := t.Context(), connect(t, auditor)
	var want block.Contents
	for q := (ledger.RecordQuery{PageSize: ledger.MaxPageSize}); ; {
		page, err := g.AuditRecords(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		want.Records = append(want.Records, page.Versions...)
		if q.Bookmark = page.Bookmark; q.Bookmark == "" {
			break
		}
	}
	for q := (ledger.AccessQuery{PageSize: ledger.MaxPageSize}); ; {
		page, err := g.AuditAccesses(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		want.Accesses = append(want.Accesses, page.Entries...)
		if q.Bookmark = page.Bookmark; q.Bookmark == "" {
			break
		}
	}
	names, err := g.Attributes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var versions []ledger.AttributeName
	for _, n := range names {
		for v := 1; v <= n.Version; v++ {
			versions = append(versions, ledger.AttributeName{Name: n.Name, Version: v})
		}
	}
	if want.Keys, err = g.AttributeKeyVersions(ctx, versions); err != nil {
		t.Fatal(err)
	}
	same(t, "records", got.Records, want.Records)
	same(t, "accesses", got.Accesses, want.Accesses)
	same(t, "keys", got.Keys, want.Keys)

	authorities, err := g.Authorities(ctx)
	if err != nil {
		t.Fatal(err)
	}
	current := make(map[string]ledger.Authority)
	epochs := make(map[string]ledger.Scope)
	for _, tx := range txs {
		for _, a := range tx.Authorities {
			current[a.MSP] = a
		}
		for _, s := range tx.Scopes {
			epochs[s.Name] = s
		}
	}
	for _, a := range authorities {
		if current[a.MSP] != a {
			t.Errorf("authority %+v in blocks, %+v on the ledger", current[a.MSP], a)
		}
	}
	scopes, err := g.Scopes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scopes {
		if epochs[s.Name] != s {
			t.Errorf("scope %+v in blocks, %+v on the ledger", epochs[s.Name], s)
		}
	}
	if len(authorities) != len(current) || len(scopes) != len(epochs) || len(scopes) == 0 || len(got.Entries) == 0 {
		t.Errorf("%d authorities and %d scopes in blocks, %d and %d on the ledger; %d entries", len(current), len(epochs), len(authorities), len(scopes), len(got.Entries))
	}
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	count := func(list []T) map[T]int {
		counts := make(map[T]int)
		for _, item := range list {
			counts[item]++
		}
		return counts
	}
	if len(want) == 0 || !reflect.DeepEqual(count(got), count(want)) {
		t.Errorf("%d %s in blocks, %d on the ledger, or different ones", len(got), what, len(want))
	}
}

// compareWithEvents follows the chaincode's events up to the same last payload.
func compareWithEvents(t *testing.T, want []ledger.Payload) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []ledger.Payload
	err := connect(t, "authority@HospitalA").FollowRecords(ctx, fabric.Following[[]ledger.Payload]{
		Checkpoint: fabric.CheckpointFile(filepath.Join(t.TempDir(), "at")),
		Handle: func(_ context.Context, payloads []ledger.Payload) error {
			if got = append(got, payloads...); len(got) >= len(want) {
				cancel()
			}
			return nil
		},
	})
	byCID := func(a, b ledger.Payload) int { return strings.Compare(a.CID, b.CID) }
	slices.SortFunc(got, byCID)
	slices.SortFunc(want, byCID)
	if !slices.Equal(got, want) {
		t.Errorf("%d payloads in events, %d in blocks, or different ones (%v)", len(got), len(want), err)
	}
}

// recordTo writes the first block with contents of each kind, and the first block with an
// invalid transaction.
func recordTo(t *testing.T, dir string, blocks []*block.Block) {
	t.Helper()
	for kind, is := range map[string]func(*block.Transaction) bool{
		"record":    func(tx *block.Transaction) bool { return len(tx.Records) == 1 },
		"access":    func(tx *block.Transaction) bool { return len(tx.Accesses) > 0 },
		"key":       func(tx *block.Transaction) bool { return len(tx.Keys) > 0 && len(tx.Keys) <= 4 },
		"authority": func(tx *block.Transaction) bool { return len(tx.Authorities) > 0 },
		"scope":     func(tx *block.Transaction) bool { return len(tx.Scopes) > 0 },
		"entry":     func(tx *block.Transaction) bool { return tx.Valid() && len(tx.Entries) > 1 },
		"invalid":   func(tx *block.Transaction) bool { return !tx.Valid() },
	} {
		i := slices.IndexFunc(blocks, func(b *block.Block) bool {
			return len(b.Transactions) <= 2 && slices.ContainsFunc(b.Transactions, func(tx block.Transaction) bool { return is(&tx) })
		})
		if i < 0 {
			t.Fatalf("no block for %s", kind)
		}
		data, err := proto.Marshal(blocks[i].Raw)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, kind+".block"), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
