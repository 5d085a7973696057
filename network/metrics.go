package network

import (
	"bytes"
	"fmt"
	"time"
)

// metricsFile is where the watcher writes what it has seen, in the text format of
// Prometheus: the textfile collector of its node exporter reads such files.
func (n *Network) metricsFile() string { return n.path("run", "metrics.prom") }

// noteMetrics writes the statuses of all processes as metrics. A server's own metrics do
// not tell that it is behind the others.
func (w *watcher) noteMetrics(all []Status) {
	if err := writeFile(w.metricsFile(), metricsText(all, w.restarts(), w.liars(), time.Now())); err != nil {
		w.say("write metrics: %v", err)
	}
}

func metricsText(all []Status, restarts map[string]*Restarts, liars int, now time.Time) []byte {
	var heights []uint64
	for _, s := range all {
		if s.Process == "orderer" && s.Height > 0 {
			heights = append(heights, s.Height)
		}
	}
	goal := confirmed(heights, liars)
	var text bytes.Buffer
	metric := func(name, kind, help string, value func(Status) (float64, bool)) {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, help, kind)
		for _, s := range all {
			if v, ok := value(s); ok {
				fmt.Fprintf(&text, "%s{organisation=%q,process=%q} %v\n", name, s.Organisation, s.Process, v)
			}
		}
	}
	flag := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	metric("chartseal_process_healthy", "gauge", "1 if the process serves and has the blocks of the others.",
		func(s Status) (float64, bool) { return flag(s.Healthy), true })
	metric("chartseal_process_stopped", "gauge", "1 if an operator has stopped the process.",
		func(s Status) (float64, bool) { return flag(s.condition == stopped), true })
	metric("chartseal_blocks", "gauge", "Blocks of the channel that a peer or an orderer has.",
		func(s Status) (float64, bool) { return float64(s.Height), s.Height > 0 })
	metric("chartseal_blocks_behind", "gauge", "Blocks that the other orderers have, and this peer or orderer does not.",
		func(s Status) (float64, bool) { return max(0, float64(goal)-float64(s.Height)), s.Height > 0 })
	metric("chartseal_restarts_total", "counter", "Restarts of the process by the watcher.", func(s Status) (float64, bool) {
		if r := restarts[s.Organisation+"/"+s.Process]; r != nil {
			return float64(r.Count), true
		}
		return 0, true
	})
	const look = "chartseal_watch_timestamp_seconds"
	fmt.Fprintf(&text, "# HELP %s When the watcher has looked last.\n# TYPE %[1]s gauge\n%[1]s %[2]d\n", look, now.Unix())
	return text.Bytes()
}
