package emr

import "testing"

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
