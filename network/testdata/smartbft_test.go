package bft

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/api"
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
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
