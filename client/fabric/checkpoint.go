package fabric

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Position is a place on the ledger from which a follower goes on: in a block, after
// one of its transactions or, if Tx is empty, before all of them. The zero value is the
// beginning.
type Position struct {
	Block uint64 `json:"block"`
	Tx    string `json:"tx"` // id
}

// BlockNumber and TransactionID make a Position a checkpoint of fabric-gateway.
func (p Position) BlockNumber() uint64   { return p.Block }
func (p Position) TransactionID() string { return p.Tx }

// A Checkpoint keeps a position between runs. Calls do not overlap.
type Checkpoint interface {
	// Load returns the zero position if none was saved.
	Load() (Position, error)

	// Save is called after each item, once it was handled.
	Save(Position) error
}

// A CheckpointFile is the path of a file that keeps a position. The file and its
// directory are made when they are needed. Without the file, a follower begins at the
// first block.
type CheckpointFile string

// Load reads the file.
//
// Errors:
//   - ErrInvalid if the file is damaged.
func (f CheckpointFile) Load() (Position, error) {
	var p Position
	data, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read checkpoint: %w", err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, ledger.Errorf(ledger.ErrInvalid, "checkpoint %s is damaged: %v; delete it to follow from the beginning", string(f), err)
	}
	return p, nil
}

// Save replaces the file as a whole: after a crash it has the old position or the new
// one.
func (f CheckpointFile) Save(p Position) error {
	data, err := json.Marshal(p)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(string(f)), 0o700)
	}
	temp := string(f) + ".new"
	if err == nil {
		err = os.WriteFile(temp, data, 0o600)
	}
	if err == nil {
		err = os.Rename(temp, string(f))
	}
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}
