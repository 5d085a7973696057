package bft

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/api"
	"github.com/hyperledger-labs/SmartBFT/pkg/metrics/disabled"
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/pkg/wal"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
)

// A view that its test aborts.
type view struct {
	Proposer
	abort   chan struct{} // closed when the view has ended
	aborted chan struct{} // gets a signal for each call of Abort
}

func (view) Start()                       {}
func (v view) Abort()                     { v.aborted <- struct{}{} }
func (v view) AbortChan() <-chan struct{} { return v.abort }
func (v view) NewProposer(_, _, _, _ uint64, _ int) (Proposer, Phase) {
	return v, COMMITTED
}

// An application that takes its time to deliver.
type application struct{ entered, release chan struct{} }

func (a application) Deliver(types.Proposal, []types.Signature) types.Reconfig {
	a.entered <- struct{}{}
	<-a.release
	return types.Reconfig{}
}

type quiet struct{}

func (quiet) Debugf(string, ...any) {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Panicf(string, ...any) {}

type verifier struct{ api.Verifier }

func (verifier) VerificationSequence() uint64 { return 1 }

// VerifyRequest refuses every request.
func (verifier) VerifyRequest([]byte) (types.RequestInfo, error) {
	return types.RequestInfo{}, errors.New("refused")
}

// A pool counts the requests that it takes.
type pool struct {
	RequestPool
	taken *int
}

func (p pool) Submit([]byte) error {
	*p.taken++
	return nil
}

type inspector struct{ api.RequestInspector }

func (inspector) RequestID([]byte) types.RequestInfo { return types.RequestInfo{} }

type leaderMonitor struct{ LeaderMonitor }

func (leaderMonitor) ChangeRole(Role, uint64, uint64) {}

// TestAbortedWhileDelivering aborts the view while the application still delivers its
// decision. The controller goes on: it takes its next order, which is to end the view.
// Another decision would be no test: its own wait could free the controller by chance.
func TestAbortedWhileDelivering(t *testing.T) {
	v := view{abort: make(chan struct{}), aborted: make(chan struct{}, 1)}
	app := application{make(chan struct{}), make(chan struct{})}
	var started sync.WaitGroup
	started.Add(1)
	c := &Controller{
		ID: 2, N: 4, NodesList: []uint64{1, 2, 3, 4}, Logger: quiet{}, Verifier: verifier{}, LeaderMonitor: leaderMonitor{},
		ProposerBuilder: v, Deliver: app, Checkpoint: &types.Checkpoint{}, StartedWG: &started,
	}
	c.Start(0, 0, 0, false)

	decided := make(chan struct{})
	go func() {
		defer close(decided)
		c.Decide(types.Proposal{}, nil, nil)
	}()
	<-app.entered
	close(v.abort)
	<-decided // the view does not wait any more
	app.release <- struct{}{}

	c.abortViewChan <- 0
	select {
	case <-v.aborted:
	case <-time.After(5 * time.Second):
		t.Fatal("wedged: the controller takes no order any more")
	}
}

// TestRefusedRequest submits a request that followers would refuse. It does not get into
// the pool, from which the leader would propose it again and again.
func TestRefusedRequest(t *testing.T) {
	taken := 0
	c := &Controller{Logger: quiet{}, Verifier: verifier{}, RequestInspector: inspector{}, RequestPool: pool{taken: &taken}}
	if err := c.SubmitRequest([]byte("request")); err == nil || taken > 0 {
		t.Fatalf("proposed although everybody refuses it: %v", err)
	}
}

type nobody struct{}

func (nobody) Decide(types.Proposal, []types.Signature, []types.RequestInfo) {}
func (nobody) OnHeartbeatTimeout(uint64, uint64)                             {}

// A follower counts its synchronisations.
type follower struct {
	nobody
	syncs *int
}

func (f follower) Sync() { *f.syncs++ }

// TestRestartedOneBehind: a leader decides sequence 14, and then nothing happens. An
// orderer that was killed before it got this decision, and is started again, begins with
// sequence 14. It notices by the leader's heartbeats that it is behind.
func TestRestartedOneBehind(t *testing.T) {
	leader := &View{
		Logger: quiet{}, N: 4, ProposalSequence: 14, ViewSequences: &atomic.Value{}, Decider: nobody{}, myProposalSig: &types.Signature{},
		MetricsView: api.NewMetricsView(&disabled.Provider{}),
		prepares:    &voteSet{}, nextPrepares: &voteSet{}, commits: &voteSet{}, nextCommits: &voteSet{},
	}
	leader.decide(&types.Proposal{}, nil, nil)
	heartbeat := &smartbftprotos.HeartBeat{Seq: leader.ViewSequences.Load().(ViewSequence).ProposalSeq}

	for own, want := range map[uint64]int{14: 1, 15: 0} {
		syncs, sequences := 0, &atomic.Value{}
		sequences.Store(ViewSequence{ProposalSeq: own, ViewActive: true})
		const ticks = 10
		monitor := NewHeartbeatMonitor(nil, quiet{}, time.Minute, 10, nil, 4, follower{syncs: &syncs}, sequences, ticks)
		monitor.follower, monitor.leaderID = true, 1
		for i := range ticks + 1 {
			monitor.tick(time.Unix(int64(i), 0))
			monitor.handleRealHeartBeat(1, heartbeat)
		}
		if syncs != want {
			t.Errorf("restarted at sequence %d, it synchronised %d times, want %d", own, syncs, want)
		}
	}
}

// TestLogWithoutAnchor: a log whose last file was made and never written can be read, and
// gives what was written before.
func TestLogWithoutAnchor(t *testing.T) {
	dir := t.TempDir()
	empty := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	empty("0000000000000001.wal")
	for entries, next := range []string{"0000000000000002.wal", "0000000000000004.wal", ""} {
		log, got, err := wal.InitializeAndReadAll(quiet{}, dir, nil)
		if err != nil {
			t.Fatal("unreadable log:", err)
		}
		if len(got) != entries {
			t.Errorf("%d entries, want %d", len(got), entries)
		}
		if err := errors.Join(log.Append([]byte("entry"), false), log.Close()); err != nil {
			t.Fatal(err)
		}
		if next != "" {
			empty(next)
		}
	}
}
