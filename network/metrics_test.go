package network

import (
	"strings"
	"testing"
	"time"
)

// TestMetrics: an orderer that answers and stays behind is seen in the metrics.
func TestMetrics(t *testing.T) {
	all := []Status{
		{Organisation: "A", Process: "orderer", Healthy: true, Height: 1060},
		{Organisation: "B", Process: "orderer", Height: 116, condition: behind},
		{Organisation: "C", Process: "orderer", Healthy: true, Height: 1060},
		{Organisation: "D", Process: "orderer", Healthy: true, Height: 1 << 40}, // it lies
		{Organisation: "A", Process: "ipfs", condition: stopped},
	}
	text := string(metricsText(all, map[string]*Restarts{"B/orderer": {Count: 3}}, 1, time.Unix(1700000000, 0)))
	for _, want := range []string{
		"# TYPE chartseal_process_healthy gauge\n",
		`chartseal_process_healthy{organisation="A",process="orderer"} 1` + "\n",
		`chartseal_process_healthy{organisation="B",process="orderer"} 0` + "\n",
		`chartseal_process_stopped{organisation="A",process="ipfs"} 1` + "\n",
		`chartseal_blocks{organisation="B",process="orderer"} 116` + "\n",
		`chartseal_blocks_behind{organisation="B",process="orderer"} 944` + "\n",
		`chartseal_blocks_behind{organisation="A",process="orderer"} 0` + "\n",
		`chartseal_restarts_total{organisation="B",process="orderer"} 3` + "\n",
		`chartseal_restarts_total{organisation="A",process="ipfs"} 0` + "\n",
		"chartseal_watch_timestamp_seconds 1700000000\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, `blocks{organisation="A",process="ipfs"}`) {
		t.Errorf("a node without a ledger has blocks:\n%s", text)
	}
}
