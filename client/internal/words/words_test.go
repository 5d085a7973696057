package words

import "testing"

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb\r\nc":           "a b c",
		"\x1b[2Jgone":         `\x1b[2Jgone`,
		"a\u202etxt.exe":      `a\u202etxt.exe`,
		"Grüße 患者 report.pdf": "Grüße 患者 report.pdf",
	} {
		if got := OneLine(in); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
}
