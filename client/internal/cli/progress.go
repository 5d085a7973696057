package cli

import (
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/chartseal/chartseal/client"
)

// progressDelay avoids flicker during quick work.
const progressDelay = 300 * time.Millisecond

// progress draws one bar on stderr for all sources together, when stderr is a terminal.
// stop removes the bar. It must be called before other output, and may be called twice.
func (a *app) progress(label string) (report client.Progress, stop func()) {
	if a.global.quiet || !isTerminal(a.stderr) {
		return nil, func() {}
	}
	p := &meter{a: a, label: label, start: time.Now(), done: make(map[string]int64), total: make(map[string]int64)}
	return p.update, p.stop
}

// A meter adds up the progress of several sources.
type meter struct {
	a     *app
	label string
	start time.Time

	mu      sync.Mutex
	bar     *progressbar.ProgressBar // nil until something has been done; drawn when the delay has passed
	done    map[string]int64
	total   map[string]int64
	stopped bool
}

func (m *meter) update(name string, done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[name], m.total[name] = done, total
	if m.stopped {
		return
	}
	sumDone, sumTotal := int64(0), int64(0)
	for name, d := range m.done {
		sumDone += d
		if t := m.total[name]; t < 0 || sumTotal < 0 {
			sumTotal = -1
		} else {
			sumTotal += t
		}
	}
	if m.bar == nil {
		m.bar = progressbar.NewOptions64(sumTotal,
			progressbar.OptionSetWriter(m.a.stderr),
			progressbar.OptionSetDescription(m.label),
			progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	if time.Since(m.start) < progressDelay {
		return
	}
	if sumTotal >= 0 && m.bar.GetMax64() != sumTotal {
		m.bar.ChangeMax64(sumTotal)
	}
	if sumTotal < 0 || sumDone < sumTotal { // reaching the end would finish the bar, and more sources may follow
		m.bar.Set64(sumDone)
	}
}

func (m *meter) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
	if m.bar != nil {
		m.bar.Clear()
		m.bar = nil
	}
}
