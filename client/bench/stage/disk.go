package stage

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Disk is the disk usage of an organisation's peer, in bytes.
type Disk struct {
	Blocks  int64 // block files
	State   int64 // world state
	Private int64 // private data as received
	History int64 // history of keys: who changed them, and when
	All     int64 // all ledger data, indexes of blocks included
}

// Minus returns the growth since an earlier measurement.
func (d Disk) Minus(before Disk) Disk {
	return Disk{d.Blocks - before.Blocks, d.State - before.State, d.Private - before.Private, d.History - before.History, d.All - before.All}
}

// Disk measures the disk usage of an organisation's peer. The databases keep recent
// writes in their journals; call [Stage.Settle] first to move them to their final files.
func (s *Stage) Disk(organisation string) Disk {
	data := filepath.Join(s.Dir, "orgs", organisation, "peer", "data", "ledgersData")
	return Disk{
		Blocks: Size(data, "blockfile_"), State: Size(filepath.Join(data, "stateLeveldb"), ""), Private: Size(filepath.Join(data, "pvtdataStore"), ""),
		History: Size(filepath.Join(data, "historyLeveldb"), ""), All: Size(data, ""),
	}
}

// journals returns the journal files of a peer's private data. If they differ between two
// measurements, the sizes cannot be compared.
func (s *Stage) journals(organisation string) []string {
	files, _ := filepath.Glob(filepath.Join(s.Dir, "orgs", organisation, "peer", "data", "ledgersData", "pvtdataStore", "*.log")) // the pattern is well-formed
	return files
}

// Growth runs the work and returns the bytes that it adds to the block files and the
// private data of an organisation's peer.
func (s *Stage) Growth(organisation string, work func() error) (blocks, private int64, err error) {
	for range 3 {
		journals, before := s.journals(organisation), s.Disk(organisation)
		if err := work(); err != nil {
			return 0, 0, err
		}
		d := s.Disk(organisation).Minus(before)
		blocks, private = d.Blocks, d.Private
		if slices.Equal(journals, s.journals(organisation)) {
			break
		}
	}
	return blocks, private, nil
}

// Size adds up the sizes of the files below a directory whose names begin with prefix.
func Size(dir, prefix string) (total int64) {
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			if info, err := e.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil // the file was deleted meanwhile
	})
	return total
}

// Settle restarts an organisation's servers. The peer's databases then move their
// journals to the final files.
func (s *Stage) Settle(ctx context.Context, organisation string) error {
	if err := s.Chartnet(ctx, "stop", organisation); err != nil {
		return err
	}
	return s.Chartnet(ctx, "start", organisation)
}
