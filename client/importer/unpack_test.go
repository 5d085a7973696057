package importer

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// A packed file is a name and a content.
type packedFile struct{ name, text string }

func zipOf(files ...packedFile) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: []uint16{zip.Deflate, zip.Store}[i%2]})
		if err != nil {
			panic(err)
		}
		io.WriteString(w, f.text)
	}
	z.Close()
	return b.String()
}

func tarOf(files ...packedFile) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.text)), Typeflag: tar.TypeReg}
		if link, ok := strings.CutPrefix(f.text, "link to "); ok {
			h.Typeflag, h.Size, h.Linkname = tar.TypeSymlink, 0, link
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			io.WriteString(w, f.text)
		}
	}
	w.Close()
	return b.String()
}

func gzipOf(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.String()
}

func damaged(text string, at int) string {
	b := []byte(text)
	b[at] ^= 0x04
	return string(b)
}

func inUTF16LE(text string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// walked walks a file of that name and content. It returns a line for each item, with
// its content, and for each file that was skipped.
func walked(t *testing.T, name, text string, split bool) []string {
	t.Helper()
	return walkedBy(t, newUnpacker(), name, text, split)
}

func walkedBy(t *testing.T, u *unpacker, name, text string, split bool) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out []string
	var items []*item
	w := walker{split: split, unpacker: u, skip: func(name string, reason error, failed bool) error {
		out = append(out, fmt.Sprintf("%s skipped %v: %v", name, failed, reason))
		return nil
	}}
	defer w.unpacker.close()
	w.item = func(i *item) error { items = append(items, i); return nil }
	if err := w.walk(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] }) // they are read in another order
	for _, i := range items {
		in, err := i.open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(io.NewSectionReader(in, i.section.offset, i.section.length))
		if err != nil || int64(len(content)) != i.section.length {
			t.Errorf("%s: %d bytes, %v", i.name, len(content), err)
		}
		in.Close()
		out = append(out, fmt.Sprintf("%s#%d %s", i.name, i.part, content))
	}
	slices.Sort(out)
	return out
}

// Files in archives and under compression are records of their own.
func TestUnpack(t *testing.T) {
	x, y := packedFile{"x.txt", "x"}, packedFile{"sub/y.txt", strings.Repeat("y", 3<<20)}
	resource := `{"resourceType":"Basic"}`
	long := y.text
	for name, c := range map[string]struct {
		file, text string
		want       []string
	}{
		"gzip":            {"a.txt.gz", gzipOf("a"), []string{"a.txt.gz#0 a"}},
		"bulk export":     {"a.ndjson.gz", gzipOf("1\n2\n"), []string{"a.ndjson.gz#1 1", "a.ndjson.gz#2 2"}},
		"large export":    {"a.ndjson.gz", gzipOf(long + "\n2\n"), []string{"a.ndjson.gz#1 " + long, "a.ndjson.gz#2 2"}},
		"export, unnamed": {"a", gzipOf(resource + "\n" + resource), []string{"a#1 " + resource, "a#2 " + resource}},
		"ZIP":             {"a.zip", zipOf(x, y), []string{"a.zip/sub/y.txt#0 " + long, "a.zip/x.txt#0 x"}},
		"tar":             {"a.tar", tarOf(x, y), []string{"a.tar/sub/y.txt#0 " + long, "a.tar/x.txt#0 x"}},
		"tgz":             {"a.tgz", gzipOf(tarOf(x, y)), []string{"a.tgz/sub/y.txt#0 " + long, "a.tgz/x.txt#0 x"}},
		"tar.gz":          {"a.tar.gz", gzipOf(tarOf(x)), []string{"a.tar.gz/x.txt#0 x"}},
		"ZIP in tar":      {"a.tar", tarOf(packedFile{"b.zip", zipOf(x, packedFile{"c.gz", gzipOf("c")})}), []string{"a.tar/b.zip/c.gz#0 c", "a.tar/b.zip/x.txt#0 x"}},
		"split bundle":    {"a.gz", gzipOf(`{"resourceType":"Bundle","entry":[{"resource":{"a":1}}]}`), []string{`a.gz#1 {"a":1}`}},
		"office document": {"a.docx", zipOf(packedFile{"[Content_Types].xml", "x"}), []string{"a.docx#0 " + zipOf(packedFile{"[Content_Types].xml", "x"})}},
		"empty ZIP":       {"a.zip", zipOf(), []string{"a.zip skipped false: the archive has no files"}},
		"paths that leave": {"a.tar", tarOf(packedFile{"../up.txt", "1"}, packedFile{"/etc/passwd", "2"}, packedFile{"a/../../b", "3"}, packedFile{`..\c`, "4"}, x), []string{
			"a.tar/b skipped true: its path leaves the archive", "a.tar/c skipped true: its path leaves the archive", "a.tar/passwd skipped true: its path leaves the archive",
			"a.tar/up.txt skipped true: its path leaves the archive", "a.tar/x.txt#0 x"}},
		"links":     {"a.tar", tarOf(packedFile{"l", "link to /etc/passwd"}, x), []string{"a.tar/l skipped true: not a regular file", "a.tar/x.txt#0 x"}},
		"same name": {"a.tar", tarOf(x, x), []string{"a.tar/x.txt skipped true: the archive has two files of that name", "a.tar/x.txt#0 x"}},
		"cut off":   {"a.gz", gzipOf(long)[:1000], []string{"a.gz#0 " + gzipOf(long)[:1000]}},
		"no ZIP":    {"a.zip", "PK\x03\x04 or not", []string{"a.zip#0 PK\x03\x04 or not"}},
		"damaged":   {"a.zip", damaged(zipOf(packedFile{"x", "some text"}), 34), nil},
		"UTF-16":    {"a.ndjson", inUTF16LE("{\"a\":\"ä\"}\r\n{\"b\":1}\n\n{\"c\":1}"), []string{`a.ndjson#1 {"a":"ä"}`, `a.ndjson#2 {"b":1}`, `a.ndjson#3 {"c":1}`}},
		"a text":    {"a.txt", inUTF16LE("ä"), []string{"a.txt#0 " + inUTF16LE("ä")}},
	} {
		got := walked(t, c.file, c.text, true)
		if c.want != nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %.300q, want %.300q", name, got, c.want)
		}
		if c.want == nil && (len(got) != 1 || !strings.Contains(got[0], "skipped true")) {
			t.Errorf("%s: %.300q", name, got)
		}
	}
}

// Archives in each other end somewhere.
func TestUnpackIsBounded(t *testing.T) {
	text := "a"
	for range 2 * maxSteps {
		text = gzipOf(text)
	}
	if got := walked(t, "a", text, false); len(got) != 1 || !strings.HasPrefix(got[0], "a#0 \x1f\x8b") {
		t.Errorf("%q", got)
	}
	bomb := gzipOf(strings.Repeat("\x00", 1<<20))
	bomb = strings.Repeat(bomb, maxUnpacked>>20+1) // several members are one content
	if got := walked(t, "a", bomb, false); len(got) != 1 || got[0] != "a#0 "+bomb {
		t.Errorf("%.300q", got)
	}
}

// A file of several messages is split at their headers; what the batch says of itself
// holds for all.
func TestMessages(t *testing.T) {
	const a, b = "MSH|^~\\&|A\rPID|1||1\r\r", "MSH|^~\\&|B\rPID|1||2"
	for in, want := range map[string][]string{
		a + b + "\r": {"MSH|^~\\&|A\rPID|1||1", b},
		"FHS|^~\\&|X\rBHS|^~\\&|X\r" + a + b + "\rBTS|2\rFTS|1\r":     {"MSH|^~\\&|A\rPID|1||1", b},
		"BHS|^~\\&\n" + strings.ReplaceAll(a, "\r", "\n") + "BTS|1\n": {"MSH|^~\\&|A\nPID|1||1"},
		"\v" + a + "\x1c\r\v" + b + "\x1c\r":                          {"MSH|^~\\&|A\rPID|1||1", b},
	} {
		got := walked(t, "a.hl7", in, true)
		for i := range want {
			want[i] = fmt.Sprintf("a.hl7#%d %s", i+1, want[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if got := walked(t, "a.hl7", in, false); len(got) != 1 {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := walked(t, "a.hl7", a, true); len(got) != 1 || !strings.HasPrefix(got[0], "a.hl7#0 ") {
		t.Errorf("%q", got)
	}
	batch, err := batchItself(t.Context(), strings.NewReader("FHS|^~\\&|X||||||||||||R\rBHS|^~\\&|X\r"+a+b+"\rBTS|2\rFTS|1\r"))
	if err != nil || !slices.Equal(batch.all.Confidentiality, []string{"R"}) || len(batch.all.Incomplete) > 0 {
		t.Errorf("%+v, %v", batch, err)
	}
	batch, err = batchItself(t.Context(), strings.NewReader("FHS|^~\\&|X\r"+a))
	if err != nil || len(batch.all.Incomplete) == 0 {
		t.Errorf("%+v, %v", batch, err)
	}
	if _, err := batchItself(t.Context(), io.MultiReader(strings.NewReader(a), errorReader{})); err == nil {
		t.Error("a broken reader is not reported")
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("broken") }
