package emr

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

func isRTF(head []byte) strength {
	if bytes.HasPrefix(trimHead(head), []byte(`{\rtf`)) {
		return signature
	}
	return unlike
}

// readRTF takes title, author, dates and the text of a document in Rich Text Format.
func readRTF(in *input, b *builder) error {
	data, err := io.ReadAll(in)
	b.findMarks(data)
	r := &rtfReader{in: data, work: in.work, page: charmap.Windows1252}
	r.run()
	for name, part := range map[string]func(string){"title": b.title, "subject": b.title, "author": b.author} {
		part(r.info[name].String())
	}
	for _, name := range []string{"creatim", "revtim"} {
		if t := r.times[name]; t[0] > 0 {
			b.date(fmt.Sprintf("%04d-%02d-%02d", t[0], t[1], t[2]))
		}
	}
	b.prose(r.text.String())
	if r.depth > 0 && err == nil && in.work.check() == nil && !in.source.more {
		return errRTF
	}
	return err
}

var errRTF = errors.New("malformed RTF")

// rtfHidden are groups whose text is no part of the document's.
var rtfHidden = set("fonttbl", "colortbl", "stylesheet", "listtable", "listoverridetable", "rsidtbl", "generator", "pict", "object", "themedata",
	"colorschememapping", "latentstyles", "datastore", "xmlnstbl", "filetbl", "revtbl", "info")

// A rtfReader turns RTF into text.
type rtfReader struct {
	in    []byte
	at    int
	work  *budget
	page  encoding.Encoding
	text  strings.Builder
	info  map[string]*strings.Builder
	times map[string][3]int
	bytes []byte // of the document's code page, not yet decoded

	group rtfGroup
	outer []rtfGroup
	depth int
	skip  int // characters that stand in for one of Unicode
}

// A rtfGroup is what a closing brace restores.
type rtfGroup struct {
	hidden bool
	part   string // of the information group: title, author, creatim, ...
	inInfo bool
	start  bool // nothing was read of it yet
	uc     int  // characters after one of Unicode
}

func (r *rtfReader) run() {
	r.info = map[string]*strings.Builder{"title": {}, "subject": {}, "author": {}}
	r.times = make(map[string][3]int)
	r.group.uc = 1
	for r.at < len(r.in) && !r.work.spent() {
		c := r.in[r.at]
		r.at++
		r.work.spend(2)
		switch c {
		case '{':
			r.flush()
			if r.depth++; len(r.outer) >= maxDepth {
				return
			}
			r.outer = append(r.outer, r.group)
			r.group.start = true
		case '}':
			r.flush()
			r.depth--
			if len(r.outer) == 0 {
				return
			}
			r.group = r.outer[len(r.outer)-1]
			r.outer = r.outer[:len(r.outer)-1]
		case '\\':
			r.control()
		case '\r', '\n':
		default:
			r.char(c)
		}
	}
	r.flush()
}

// char takes a byte of text.
func (r *rtfReader) char(c byte) {
	r.group.start = false
	if r.skip > 0 {
		r.skip--
		return
	}
	r.bytes = append(r.bytes, c)
}

func (r *rtfReader) flush() {
	if len(r.bytes) == 0 {
		return
	}
	s, err := r.page.NewDecoder().Bytes(r.bytes)
	r.bytes = r.bytes[:0]
	if err == nil {
		r.write(string(s))
	}
}

func (r *rtfReader) write(s string) {
	switch part := r.info[r.group.part]; {
	case part != nil && r.group.inInfo:
		if part.Len() < maxValue {
			part.WriteString(s)
		}
	case !r.group.hidden:
		r.text.WriteString(s)
	}
}

// control takes a control word or symbol after its backslash.
func (r *rtfReader) control() {
	if r.at >= len(r.in) {
		return
	}
	r.work.spend(priceField)
	c := r.in[r.at]
	if c < 'A' || c > 'z' || c > 'Z' && c < 'a' {
		r.at++
		switch c {
		case '\'':
			if n, err := strconv.ParseUint(string(r.in[min(r.at, len(r.in)):min(r.at+2, len(r.in))]), 16, 8); err == nil {
				r.at += 2
				r.char(byte(n))
			}
		case '*':
			if r.group.start {
				r.group.hidden = true
			}
		case '~':
			r.char(' ')
		case '\\', '{', '}':
			r.char(c)
		case '\r', '\n':
			r.char('\n')
		}
		return
	}
	start := r.at
	for r.at < len(r.in) && (r.in[r.at] >= 'a' && r.in[r.at] <= 'z' || r.in[r.at] >= 'A' && r.in[r.at] <= 'Z') {
		r.at++
	}
	word := string(r.in[start:min(r.at, start+32)])
	start = r.at
	if r.at < len(r.in) && r.in[r.at] == '-' {
		r.at++
	}
	for r.at < len(r.in) && r.in[r.at] >= '0' && r.in[r.at] <= '9' && r.at < start+10 {
		r.at++
	}
	number, _ := strconv.Atoi(string(r.in[start:r.at]))
	if r.at < len(r.in) && r.in[r.at] == ' ' {
		r.at++
	}
	r.word(word, number)
}

func (r *rtfReader) word(word string, n int) {
	first := r.group.start
	r.group.start = false
	switch word {
	case "par", "line", "page", "sect", "row", "cell":
		r.char('\n')
	case "tab":
		r.char(' ')
	case "ansicpg":
		r.page = codePage(n)
	case "bin":
		r.at = min(len(r.in), r.at+max(0, n))
	case "uc":
		r.group.uc = max(0, n)
	case "u":
		r.flush()
		if n < 0 {
			n += 1 << 16
		}
		r.write(string(rune(n)))
		r.skip = r.group.uc
	case "yr", "mo", "dy":
		if r.group.inInfo {
			t := r.times[r.group.part]
			t[strings.Index("yrmody", word)/2] = n
			r.times[r.group.part] = t
		}
	default:
		switch {
		case first && r.group.inInfo:
			r.group.part = word
		case first && rtfHidden[word]:
			r.group.hidden, r.group.inInfo = true, word == "info"
		}
	}
}

// codePage returns a character set by its number in Windows.
func codePage(n int) encoding.Encoding {
	name, ok := map[int]string{932: "Shift_JIS", 936: "GBK", 949: "EUC-KR", 950: "Big5", 10000: "macintosh", 65001: "UTF-8"}[n]
	if !ok {
		name = fmt.Sprintf("windows-%d", n)
	}
	if n == 65001 {
		return encoding.Nop
	}
	if e := namedEncoding(name); e != nil {
		return e
	}
	return charmap.Windows1252
}
