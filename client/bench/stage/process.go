package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/chartseal/chartseal/client/bench"
)

// A Server is a process of the network.
type Server struct {
	Kind, Organisation string
	PID                int
}

// Servers returns the processes of the network from its process records. They are those
// started last.
func (s *Stage) Servers() ([]Server, error) {
	files, err := filepath.Glob(filepath.Join(s.Dir, "run", "*", "*.pid"))
	if err != nil {
		return nil, err
	}
	var all []Server
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(text), " ")
		pid, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		all = append(all, Server{strings.TrimSuffix(filepath.Base(f), ".pid"), filepath.Base(filepath.Dir(f)), pid})
	}
	return all, nil
}

// Usage returns the processor time of the network's processes so far, by kind. The kind
// "client" is this process.
func (s *Stage) Usage() (bench.Usage, error) {
	all, err := s.Servers()
	if err != nil {
		return nil, err
	}
	used := make(bench.Usage)
	for _, p := range append(all, Server{Kind: "client", PID: os.Getpid()}) {
		used[p.Kind] += processorTime(p.PID)
	}
	return used, nil
}

// tick is the unit of /proc/PID/stat. It is the same on every Linux that Go supports.
const tick = 10 * time.Millisecond

// processorTime returns the time of a process in user and system mode, 0 if it has ended.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // index 0 is field 3 of proc(5)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// Memory reads a field of a process's status, such as VmRSS or VmHWM, in bytes. It is 0
// if the process has ended.
func Memory(pid int, field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), field+":")
	line, _, _ := strings.Cut(rest, "\n")
	number, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	kib, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// SettledUsage returns Usage once the network is idle. Background work of one side, such
// as copying payloads to other hospitals, then counts for that side and does not slow the
// other. It waits for at most 15 seconds.
func (s *Stage) SettledUsage() (bench.Usage, error) {
	return s.Rest(context.Background(), 15*time.Second)
}

// Rest is SettledUsage with another limit on the wait.
func (s *Stage) Rest(ctx context.Context, patience time.Duration) (bench.Usage, error) {
	const pause, idle, long = 250 * time.Millisecond, 0.25, 2 // idle: share of one processor; long: pauses in a row
	before, err := s.Usage()
	for end, quiet := time.Now().Add(patience), 0; err == nil && quiet < long && time.Now().Before(end); {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		var now bench.Usage
		if now, err = s.Usage(); err != nil {
			break
		}
		var used time.Duration
		for kind, t := range now {
			used += t - before[kind]
		}
		if before = now; used < time.Duration(idle*float64(pause)) {
			quiet++
		} else {
			quiet = 0
		}
	}
	return before, err
}
