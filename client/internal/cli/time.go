package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
)

// timeText is how times are printed in JSON and in tables: UTC, to the second.
const timeText = time.RFC3339

// ledgerTime reads a time from the command line and returns it in the form of ledger
// queries. A date means midnight UTC. A duration, also in days (7d), counts back from
// now. An empty text stays empty.
func ledgerTime(flag, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return ledger.FormatTime(t), nil
		}
	}
	if d, ok := ago(text); ok {
		return ledger.FormatTime(time.Now().Add(-d)), nil
	}
	return "", words.WithHint(usagef("%s: %q is not a time", flag, text),
		"write 2026-11-22, 2026-11-22T10:00:00Z, or how long ago, as 90m, 24h or 7d")
}

func ago(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}

// shortTime shortens a time of the ledger to seconds, for tables.
func shortTime(text string) string {
	t, err := ledger.ParseTime(text)
	if err != nil {
		return text
	}
	return t.UTC().Format(timeText)
}
