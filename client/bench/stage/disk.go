package stage

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Disk is what an organisation's peer has on its disk, in bytes.
type Disk struct {
	Blocks  int64 // block files
	State   int64 // the world state
	Private int64 // private data as it came
	History int64 // who changed a key, when
	All     int64 // everything of the ledgers, indexes of blocks too
}

// Minus is the growth since.
func (d Disk) Minus(before Disk) Disk {
	return Disk{d.Blocks - before.Blocks, d.State - before.State, d.Private - before.Private, d.History - before.History, d.All - before.All}
}

// Disk measures. What a peer has written lately is in its databases' journals;
// [Stage.Settle] makes it go where it stays.
func (s *Stage) Disk(organisation string) Disk {
	data := filepath.Join(s.Dir, "orgs", organisation, "peer", "data", "ledgersData")
	return Disk{
		Blocks: Size(data, "blockfile_"), State: Size(filepath.Join(data, "stateLeveldb"), ""), Private: Size(filepath.Join(data, "pvtdataStore"), ""),
		History: Size(filepath.Join(data, "historyLeveldb"), ""), All: Size(data, ""),
	}
}

// journals names the journal of a peer's private data: another one means that the sizes
// before and after cannot be compared.
func (s *Stage) journals(organisation string) []string {
	files, _ := filepath.Glob(filepath.Join(s.Dir, "orgs", organisation, "peer", "data", "ledgersData", "pvtdataStore", "*.log")) // the pattern is well-formed
	return files
}

// Growth does work and tells what it adds to the block files and the private data of an
// organisation's peer.
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

// Size adds up the files below a directory whose names begin with prefix.
func Size(dir, prefix string) (total int64) {
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			if info, err := e.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil // a file that has just gone does not count
	})
	return total
}

// Settle restarts an organisation's servers: its peer's databases then write what is in
// their journals where it stays.
func (s *Stage) Settle(ctx context.Context, organisation string) error {
	if err := s.Chartnet(ctx, "stop", organisation); err != nil {
		return err
	}
	return s.Chartnet(ctx, "start", organisation)
}
