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

// Usage is processor time by kind of process. On a machine whose processors are all busy
// it tells what bounds a throughput, and on one whose processors are not, that something
// else does: rounds of messages, timers, the disk.
type Usage map[string]time.Duration

// An Account is what one side of a comparison has taken.
type Account struct {
	Used Usage
	Took time.Duration // wall-clock time of all that was done
	Done int           // how often
}

// Each says what one of n that are done in each turn took: "12.3 ms, 85 % of 2 processors
// (peer 6.1, client 3.2)".
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

// Do does something on the account, and says how long it took.
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
// between the turns. What a side leaves to be done after it has returned falls on the
// next one, of which the order of the turns makes the other as often as itself.
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
				account = &Account{} // warming up
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
