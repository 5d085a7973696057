package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Following says what happens while [Gateway.FollowRecords] runs.
type Following struct {
	// Checkpoint is the path of the file that remembers the last transaction that was
	// handled, so that the next run goes on after it. Without the file, all of the ledger
	// is followed from its beginning.
	Checkpoint string

	// Handle is given the payloads that one transaction registered, oldest transaction
	// first. The next are given, and this one remembered, when it returns nil; its error
	// ends FollowRecords.
	Handle func(ctx context.Context, cids []string) error

	// Interrupted is told why the stream broke; it is tried anew after the wait. It may
	// be nil.
	Interrupted func(err error, wait time.Duration)
}

// A checkpoint is the file's content. It implements the gateway's own interface.
type checkpoint struct {
	Block uint64 `json:"block"`
	Tx    string `json:"tx"`
}

func (c checkpoint) BlockNumber() uint64   { return c.Block }
func (c checkpoint) TransactionID() string { return c.Tx }

const (
	firstWait = 500 * time.Millisecond
	maxWait   = 15 * time.Second
)

// FollowRecords follows the registration of records, by all hospitals, until ctx ends or
// f.Handle fails. A peer that is away only delays it.
func (g *Gateway) FollowRecords(ctx context.Context, f Following) error {
	at, err := readCheckpoint(f.Checkpoint)
	if err != nil {
		return err
	}
	wait := firstWait
	for {
		before := at
		err := g.follow(ctx, f, &at)
		var handled *handleError
		switch {
		case errors.As(err, &handled):
			return handled.err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if at != before {
			wait = firstWait
		}
		if f.Interrupted != nil {
			f.Interrupted(err, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, maxWait)
	}
}

// handleError tells the handler's failure from the stream's.
type handleError struct{ err error }

func (e *handleError) Error() string { return e.err.Error() }

func (g *Gateway) follow(ctx context.Context, f Following, at *checkpoint) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream's goroutine
	options := []gateway.ChaincodeEventsOption{gateway.WithStartBlock(0)}
	if *at != (checkpoint{}) {
		options = append(options, gateway.WithCheckpoint(*at))
	}
	events, err := g.network.ChaincodeEvents(ctx, g.user.Profile.Chaincode, options...)
	if err != nil {
		return g.explain(ctx, "follow records", err)
	}
	// The goroutine behind the channel blocks on it, so it has to be drained when we
	// leave early.
	defer func() {
		go func() {
			for range events {
			}
		}()
	}()
	for e := range events {
		if e.EventName == ledger.EventRecords {
			cids, err := ledger.UnpackCIDs(e.Payload)
			if err != nil {
				return &handleError{ledger.Errorf(ledger.ErrTampered, "event of transaction %s: %v", e.TransactionID, err)}
			}
			if err := f.Handle(ctx, cids); err != nil {
				return &handleError{err}
			}
		}
		*at = checkpoint{Block: e.BlockNumber, Tx: e.TransactionID}
		if err := at.write(f.Checkpoint); err != nil {
			return &handleError{err}
		}
	}
	// The SDK closes the channel without saying why; the state of the connection tells a
	// little.
	return g.explain(ctx, "follow records", status.Error(codes.Unavailable, "the stream of events ended, connection "+g.conn.GetState().String()))
}

func readCheckpoint(path string) (checkpoint, error) {
	var c checkpoint
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read checkpoint: %w", err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, ledger.Errorf(ledger.ErrInvalid, "checkpoint %s is damaged: %v; delete it to follow from the beginning", path, err)
	}
	return c, nil
}

// write replaces the file as a whole, so that a crash leaves the old one or the new one.
func (c checkpoint) write(path string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}
