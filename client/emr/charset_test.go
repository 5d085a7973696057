package emr

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

func TestCharset(t *testing.T) {
	for _, c := range []struct {
		names []string
		in    string
		want  string
	}{
		{nil, "plain", "plain"},
		{nil, "Größe", "Größe"},
		{nil, "Gr\xf6\xdfe \x80", "Größe €"},
		{[]string{"ISO_IR 100"}, "Gr\xf6\xdfe", "Größe"},
		{[]string{"ISO_IR 100"}, "Größe", "Größe"},
		{[]string{"ISO-IR 144"}, "\xbf\xd5\xe2\xe0", "Петр"},
		{[]string{"8859/7"}, "\xc4\xe9\xef\xed", "Διον"},
		{[]string{"UNICODE UTF-8"}, "佐藤", "佐藤"},
		{[]string{"GB18030"}, "\xcd\xf5^\xd0\xa1\xb6\xab", "王^小东"},
		{[]string{"GB 18030-2000"}, "M\xc3\xbcller", "Müller"},
		{[]string{"GBK"}, "\xc3\xbc", "眉"}, // also valid UTF-8
		{[]string{"KS X 1001"}, "\xb1\xe8", "김"},
		{[]string{"BIG-5"}, "\xa4\xfd", "王"},
		{[]string{"", "ISO 2022 IR 149"}, "\x1b$)C\xb1\xe8^\x1b$)C\xb9\xce\xbc\xf6", "김^민수"},
		{[]string{"", "ISO 2022 IR 149"}, "\xb1\xe8", "김"}, // without its escape
		{[]string{"", "ISO 2022 IR 58"}, "\x1b$)A\xcd\xf5", "王"},
		{[]string{"", "ISO 2022 IR 87"}, "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎"},
		{[]string{"ISO 2022 IR 13", "ISO 2022 IR 87"}, "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"},
		{[]string{"ISO_IR 13"}, "\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"},
		{[]string{"ISO 2022 IR 100", "ISO 2022 IR 126"}, "\xe4 \x1b-F\xc4\xe9\xef\xed^\xe4", "ä Διον^ä"},
		{[]string{"8859/1", "ISO IR87"}, "M\xfcller \x1b$B:4F#\x1b(B", "Müller 佐藤"},
		{[]string{"", "ISO IR159"}, "\x1b$(D0!\x1b(B", "丂"},
		{nil, "\x1b$B:4F#\x1b(B", "佐藤"},
		{[]string{"MARTIAN"}, "Z\xfcrich", "Zürich"},
		{[]string{"ISO_IR 166"}, "\xb9\xd2", "นา"},
		{[]string{"", "ISO 2022 IR 87"}, "\x1b$B:", ""}, // cut off
	} {
		if got := newCharset(c.names).text([]byte(c.in), `^=\`); got != c.want {
			t.Errorf("%q: %q is %q, want %q", c.names, c.in, got, c.want)
		}
	}
}

// Text that is not UTF-8 loses no letters in the formats that name no character set.
func TestNotUTF8(t *testing.T) {
	latin := func(text string) string {
		b, err := charmap.Windows1252.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	condition := `{"resourceType":"Condition","code":{"text":"Schädel – Größe"}}`
	long := `{"resourceType":"Condition","code":{"text":"` + strings.Repeat("ä", maxValue/2-1) + `xäöü Größe"}}`
	testTerms(t, []termCase{
		{"JSON", latin(condition), "word:schädel word:grösse", "word:schdel"},
		{"JSON in UTF-8", condition, "word:schädel word:grösse", ""},
		{"NDJSON", latin(condition + "\n" + condition + "\n"), "word:schädel kind:fhir:ndjson", ""},
		{"NDJSON of two sets", latin(condition) + "\n" + strings.Replace(condition, "Schädel", "Œdème", 1), "word:schädel word:œdème", ""},
		{"escapes", latin(`{"resourceType":"Condition","code":{"text":"Gr\u00f6\u00dfe Schädel"}}`), "word:schädel word:grösse", ""},
		{"cut in a letter", long, "", "word:ã¤"},
		{"openEHR", latin(`{"_type":"COMPOSITION","name":{"_type":"DV_TEXT","value":"Größe"},"content":[{"_type":"OBSERVATION","data":{"_type":"DV_TEXT","value":"Schädel"}}]}`), "", "word:gre"},
		{"X12", latin(x12Head + "NM1*85*2*SANKT ÖTTA~SE*1*1~"), "org:ötta", "org:tta"},
	})
	for _, name := range []string{"~GB 18030-2000", "GB 18030-2000", "ASCII~GB 18030-2000"} {
		text, _ := simplifiedchinese.GB18030.NewEncoder().String("MSH|^~\\&|a|b" + pipes(14) + name + "\rPID|1||7\rDG1|1||I21.4^心肌梗死^I10\r")
		testTerms(t, []termCase{{name, text, "word:心肌梗死", ""}})
	}
}
