package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Grüße 患者 report.pdf": "Grüße 患者 report.pdf",
		"\x1b[2Jgone":         `\x1b[2Jgone`,
		"a\u202etxt.exe":      `a\u202etxt.exe`,
		"bad \xff byte":       `bad ` + "\ufffd" + ` byte`,
	} {
		if got := words.Clean(in); got != want {
			t.Errorf("words.Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := words.OneLine("a\nb\r\nc"); got != "a b c" {
		t.Errorf("oneLine gave %q", got)
	}
}

func TestTable(t *testing.T) {
	tab := newTable("RECORD", "KIND")
	tab.row("4f1a", "")
	tab.row("4f1a7c0e", "scan\nforged row")
	var out bytes.Buffer
	a := &app{stdout: &out}
	if err := a.printTable(tab); err != nil {
		t.Fatal(err)
	}
	want := "RECORD    KIND\n4f1a      -\n4f1a7c0e  scan\\nforged row\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}

func TestLedgerTime(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"2026-11-22":                "2026-11-22T00:00:00.000000000Z",
		"2026-11-22T10:30":          "2026-11-22T10:30:00.000000000Z",
		"2026-11-22T10:30:00+02:00": "2026-11-22T08:30:00.000000000Z",
		"2026-11-22T10:30:00.25Z":   "2026-11-22T10:30:00.250000000Z",
	} {
		got, err := ledgerTime("--since", in)
		if err != nil || got != want {
			t.Errorf("ledgerTime(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for in, d := range map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "90m": 90 * time.Minute} {
		text, err := ledgerTime("--since", in)
		if err != nil {
			t.Errorf("ledgerTime(%q): %v", in, err)
			continue
		}
		got, err := ledger.ParseTime(text)
		if off := time.Since(got) - d; err != nil || off < 0 || off > time.Minute {
			t.Errorf("ledgerTime(%q) = %s, off by %v (%v)", in, text, off, err)
		}
	}
	for _, in := range []string{"yesterday", "-3h", "2026-13-01", "d", "99999d"} {
		if got, err := ledgerTime("--since", in); err == nil {
			t.Errorf("ledgerTime(%q) = %q", in, got)
		}
	}
}

func TestActor(t *testing.T) {
	for in, want := range map[string]string{"": "", "HospitalA/doctor": "HospitalA/doctor", "doctor@HospitalA": "HospitalA/doctor"} {
		if got, err := actor(in); err != nil || got != want {
			t.Errorf("actor(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"doctor", "/doctor", "HospitalA/", "@HospitalA"} {
		if got, err := actor(in); err == nil {
			t.Errorf("actor(%q) = %q", in, got)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"HospitalA:role=doctor", "HospitalB:role=doctor", "HospitalA:role=nurse"}
	for in, want := range map[string]string{
		"HospitalA:role=docter": "HospitalA:role=doctor",
		"hospitalb:role=doctor": "HospitalB:role=doctor",
		"Clinic:grade=5":        "",
	} {
		if got := words.Suggest(in, names); got != want {
			t.Errorf("words.Suggest(%q) = %q, want %q", in, got, want)
		}
	}
}
