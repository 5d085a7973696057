package bench

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Usage is processor time by kind of process. If all processors are busy, it shows which
// process limits the throughput. If they are not, the limit lies elsewhere: in rounds of
// messages, timers or the disk.
type Usage map[string]time.Duration

// An Account is the cost of one side of a comparison.
type Account struct {
	Used Usage
	Took time.Duration // wall-clock time of all runs
	Done int           // number of runs
}

// Each describes the cost of one of the n operations that a turn performs: "12.3 ms, 85 %
// of 2 processors (peer 6.1, client 3.2)".
func (a Account) Each(n int) string {
	if a.Done == 0 || a.Took == 0 {
		return ""
	}
	var total time.Duration
	var words []string
	for _, kind := range slices.SortedFunc(maps.Keys(a.Used), func(x, y string) int { return int(a.Used[y] - a.Used[x]) }) {
		total += a.Used[kind]
		if each := per(a.Used[kind], n*a.Done); each >= 0.05 {
			words = append(words, fmt.Sprintf("%s %s", kind, number(each)))
		}
	}
	processors := runtime.NumCPU()
	busy := float64(total) / float64(a.Took) / float64(processors)
	share := fmt.Sprintf("%.0f %% of %d processors", 100*busy, processors)
	if busy > 1 {
		share = "some of it afterwards"
	}
	return fmt.Sprintf("%s ms, %s (%s)", number(per(total, n*a.Done)), share, strings.Join(words, ", "))
}

func per(t time.Duration, n int) float64 { return t.Seconds() * 1000 / float64(n) }

// Do runs something, adds its cost to the account, and returns its duration.
func (a *Account) Do(ctx context.Context, use func() (Usage, error), something func(context.Context) error) (time.Duration, error) {
	before, err := use()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := something(ctx); err != nil {
		return 0, err
	}
	took := time.Since(start)
	after, err := use()
	if err != nil {
		return 0, err
	}
	if a.Used == nil {
		a.Used = make(Usage)
	}
	for kind, t := range after {
		a.Used[kind] += t - before[kind]
	}
	a.Took, a.Done = a.Took+took, a.Done+1
	return took, nil
}

// AlternateUsing is [Alternate] with the processor time of each side, which use reads
// between the turns. Background work that a side leaves behind counts for the next run.
// The alternating order spreads it evenly over the sides.
func AlternateUsing(ctx context.Context, n int, use func() (Usage, error), sides ...func(context.Context) error) ([]Times, []Account, error) {
	times, accounts := make([]Times, len(sides)), make([]Account, len(sides))
	for turn := range n + 1 {
		for k := range sides {
			side := k
			if turn%2 == 1 {
				side = len(sides) - 1 - k
			}
			account := &accounts[side]
			if turn == 0 {
				account = &Account{} // discards the warm-up
			}
			took, err := account.Do(ctx, use, sides[side])
			if err != nil {
				return nil, nil, err
			}
			if turn > 0 {
				times[side] = append(times[side], took)
			}
		}
	}
	return times, accounts, nil
}
