package benchtable

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cpu is the processor time that processes have used, by their kind; "client" is this process. On a machine whose processors
// are all busy it tells what bounds a throughput.
type cpu map[string]time.Duration

// tick is the unit of /proc/PID/stat, which is the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// cpu reads what has been used until now.
func (r *run) cpu(ctx context.Context) (cpu, error) {
	all, err := r.servers(ctx)
	if err != nil {
		return nil, err
	}
	used := make(cpu)
	for _, s := range append(all, server{kind: "client", pid: os.Getpid()}) {
		used[s.kind] += processorTime(s.pid)
	}
	return used, nil
}

// processorTime is that of a process in user and system mode; 0 when it is gone.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // the first is the third of proc(5)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// accounted wraps sides so that each adds what it used to its own account.
func (r *run) accounted(ctx context.Context, sides ...func(context.Context) error) ([]cpu, []func(context.Context) error) {
	accounts := make([]cpu, len(sides))
	wrapped := make([]func(context.Context) error, len(sides))
	for i, side := range sides {
		accounts[i] = make(cpu)
		wrapped[i] = func(ctx context.Context) error {
			before, err := r.cpu(ctx)
			if err != nil {
				return err
			}
			if err := side(ctx); err != nil {
				return err
			}
			after, err := r.cpu(ctx)
			for kind, t := range after {
				accounts[i][kind] += t - before[kind]
			}
			return err
		}
	}
	return accounts, wrapped
}

// per says what one of n took.
func (c cpu) per(n int) string {
	var total time.Duration
	var words []string
	for _, kind := range slices.SortedFunc(maps.Keys(c), func(a, b string) int { return int(c[b] - c[a]) }) {
		total += c[kind]
		if each := c[kind].Seconds() * 1000 / float64(n); each >= 0.05 {
			words = append(words, fmt.Sprintf("%s %.1f", kind, each))
		}
	}
	return fmt.Sprintf("%.1f ms (%s)", total.Seconds()*1000/float64(n), strings.Join(words, ", "))
}
