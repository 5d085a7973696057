package importer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client/importer"
)

// What a batch of HL7 v2 says of itself holds for its messages, wherever in the file and
// however far from other text it stands.
func TestBatchLabelsReachEveryMessage(t *testing.T) {
	message := func(n int) string {
		return fmt.Sprintf("MSH|^~\\&|A|B|C|D|20200101||ADT^A01|%d|P|2.9\rPID|1||7^^^H\r", n)
	}
	label := "BHS|^~\\&|" + strings.Repeat("|", 12) + "V\r"
	files := make(map[string]string)
	for at := range 64 { // the label's segment lies across the end of a buffer
		filler := "FHS|^~\\&|A\rBHS|^~\\&|A\r" + message(1) + "NTE|1||"
		filler += strings.Repeat("x", 64<<10-at-len(filler)-len("\rBTS|1\r")) + "\rBTS|1\r"
		files[fmt.Sprintf("edge %02d", at)] = filler + label + message(2) + "BTS|1\rFTS|2\r"
	}
	files["after a MiB"] = "FHS|^~\\&|A\r" + strings.Repeat("BHS|^~\\&|"+strings.Repeat("x", 1000)+"\rBTS|0\r", 1100) + label + message(2) + message(3) + "BTS|2\rFTS|1\r"
	files["after white space"] = "FHS|^~\\&|A\r" + strings.Repeat(" ", 70<<10) + label + message(2) + message(3) + "BTS|2\rFTS|1\r"
	files["after a long line"] = "FHS|^~\\&|A|" + strings.Repeat("x", 200<<10) + "\r" + label + message(2) + message(3) + "BTS|2\rFTS|1\r"
	sealed := 0
	for name, row := range planSplit(t, labelRules, files) {
		if row.Status == importer.StatusSealed && row.Rule != "very restricted" {
			t.Errorf("%s: rule %q", name, row.Rule)
		}
		if row.Status == importer.StatusSealed {
			sealed++
		}
	}
	if sealed < 2*64 {
		t.Errorf("only %d messages would be sealed", sealed)
	}
}

// A line outside the messages of a batch is in a record, and what it says holds.
func TestLinesOutsideMessagesAreKept(t *testing.T) {
	const message, end = "MSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.9\rPID|1||7^^^H\r", "BTS|2\r"
	const begin = "BHS|^~\\&|A\r"
	files := map[string]string{
		"before":       begin + "ARV|1|A|DEM||||V^^HL70952\r" + message + message + end,
		"after":        begin + message + message + end + "ARV|1|A|DEM||||V^^HL70952\r",
		"a patient":    begin + message + message + end + "PID|2||8^^^H\r",
		"no segment":   begin + message + message + end + "a note\r",
		"after a NUL":  begin + message + message + end + "\x00PID|2||8^^^H\r",
		"before a BOM": begin + "\ufeff" + message + message + end,
		"in a BOM":     begin + "\ufeff" + message + "ARV|1|A|DEM||||V^^HL70952\r" + message + end,
	}
	// A message behind a byte order mark is read as one, and these two say nothing of
	// confidentiality.
	unlabelled := []string{"a patient", "before a BOM"}
	rows := planSplit(t, labelRules, files)
	for name := range files {
		row := rows[name+"#0"]
		if row.Part != 0 || row.Size != int64(len(files[name])) || len(row.Warnings) == 0 || !strings.Contains(row.Warnings[0], "outside the messages") {
			t.Errorf("%s: it is not sealed whole: %+v", name, row)
		}
		if row.Status == importer.StatusSealed && (row.Rule != "very restricted") != slices.Contains(unlabelled, name) {
			t.Errorf("%s: rule %q", name, row.Rule)
		}
	}
	clean := begin + message + message + end + "\r\n \x1a\x00"
	if rows := planSplit(t, labelRules, map[string]string{"a": clean}); len(rows) != 2 || rows["a#2"].Rule != "everybody" {
		t.Errorf("%+v", rows)
	}
}
