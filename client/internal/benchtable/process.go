package benchtable

import (
	"context"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chartseal/chartseal/client/internal/bench"
)

// A server is a process of the network.
type server struct {
	kind, organisation string
	pid                int
}

func (r *run) servers(ctx context.Context) ([]server, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(r.Bin, "chartnet"), "--topology", r.topology(), "--bin", r.Bin, "status").Output()
	if err != nil {
		return nil, err
	}
	var all []server
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		for _, w := range words[min(2, len(words)):] {
			if pid, err := strconv.Atoi(w); err == nil {
				all = append(all, server{words[0], words[1], pid})
				break
			}
		}
	}
	return all, nil
}

// processes tells what memory each kind of server took at most.
func (r *run) processes(ctx context.Context) error {
	all, err := r.servers(ctx)
	if err != nil {
		return err
	}
	most := map[string]int64{}
	for _, s := range all {
		most[s.kind] = max(most[s.kind], processMemory(s.pid, "VmHWM"))
	}
	var kinds []string
	for kind := range most {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		row := bench.Just("memory of a "+kind+", at most", "MiB", float64(most[kind])/(1<<20))
		row.Note = "peak of the largest, after all of the above"
		r.report.Add(row)
	}
	return nil
}

// warmStart stops the network and starts it again.
func (r *run) warmStart(ctx context.Context) error {
	if err := r.chartnet(ctx, "down"); err != nil {
		return err
	}
	start := time.Now()
	if err := r.chartnet(ctx, "up"); err != nil {
		return err
	}
	row := bench.Just("network up again, with its ledger", "s", time.Since(start).Seconds())
	row.Require(row.Ours <= 6, "at most 6 s")
	r.report.Add(row)
	return nil
}

// chainBytes is the size of the block files of HospitalA's peer.
func (r *run) chainBytes() int64 {
	return size(filepath.Join(r.Dir, "orgs", "HospitalA", "peer"), "blockfile_")
}

// size adds up the files below a directory whose names begin with prefix.
func size(dir, prefix string) (total int64) {
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
