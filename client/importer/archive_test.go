package importer

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
)

// lyingZip is an archive of one file whose header says another length than it has.
func lyingZip(t *testing.T, text string, says uint64) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	packed := deflate(t, text)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "x", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte(text)), CompressedSize64: uint64(len(packed)), UncompressedSize64: says})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, packed)
	z.Close()
	return b.String()
}

func deflate(t *testing.T, text string) string {
	t.Helper()
	gz := gzipOf(text)
	return gz[10 : len(gz)-8]
}

// overlapping is an archive of n files that share the same bytes.
func overlapping(n int) string {
	one := zipOf(packedFile{"000000", strings.Repeat("\x00", 1<<20)})
	at := strings.Index(one, "PK\x01\x02")
	entry := one[at : at+46+6]
	var b bytes.Buffer
	b.WriteString(one[:at])
	for i := range n {
		b.WriteString(strings.Replace(entry, "000000", fmt.Sprintf("%06d", i), 1))
	}
	end := []byte(one[len(one)-22:])
	binary.LittleEndian.PutUint16(end[8:], uint16(n))
	binary.LittleEndian.PutUint16(end[10:], uint16(n))
	binary.LittleEndian.PutUint32(end[12:], uint32(n*len(entry)))
	b.Write(end)
	return b.String()
}

// What counts is how long files turn out, in all archives in each other.
func TestArchivesInEachOtherShareABound(t *testing.T) {
	within := func(left allowance, text string) []string {
		t.Helper()
		u := newUnpacker()
		u.allowance = left
		return walkedBy(t, u, "a", text, false)
	}
	var inner []packedFile
	for i := range 9 {
		inner = append(inner, packedFile{fmt.Sprint(i), zipOf(packedFile{"x", "1"}, packedFile{"y", "2"})})
	}
	got := within(allowance{files: 20, bytes: 1 << 20}, zipOf(inner...))
	if failed := count(got, errEntries.Error()); failed < 1 || len(got)-failed > 20 {
		t.Errorf("%d of %d: %q", failed, len(got), got)
	}
	long := packedFile{"x", strings.Repeat("\x00", 1<<20)}
	inner = nil
	for i := range 9 {
		inner = append(inner, packedFile{fmt.Sprint(i), zipOf(long)})
	}
	for what, text := range map[string]string{"in each other": zipOf(inner...), "overlapping": overlapping(1000), "compressed": tarOf(packedFile{"1", gzipOf(zipOf(long))}, packedFile{"2", gzipOf(gzipOf(zipOf(long, packedFile{"y", long.text}, packedFile{"z", long.text})))})} {
		got := within(allowance{files: 2000, bytes: 3 << 20}, text)
		if count(got, errTotal.Error()) < 1 || count(got, "#0") > 3 {
			t.Errorf("%s: %.2000q", what, got)
		}
	}
	for says := range map[uint64]bool{0: true, 1: true, 1<<20 + 1: true, 1 << 40: true, 1<<63 + 1: true} {
		got := walked(t, "a", lyingZip(t, long.text, says), false)
		if len(got) != 1 || count(got, errDamaged.Error())+count(got, errUnpacked.Error()) != 1 {
			t.Errorf("%d: %.300q", says, got)
		}
	}
}

func count(lines []string, part string) (n int) {
	for _, l := range lines {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

// The name of a file in an archive is one that no other file has.
func TestNamesInArchives(t *testing.T) {
	x := packedFile{"x", "x"}
	folder := strings.Repeat("a/", maxFolders+1)
	for what, c := range map[string]struct {
		text string
		want []string
	}{
		"none":     {tarOf(packedFile{"a/..", "1"}, packedFile{".", "2"}, x), []string{"a skipped true: it has no name in the archive", "a skipped true: it has no name in the archive", "a/x#0 x"}},
		"parent":   {zipOf(packedFile{"..", "1"}, x), []string{"a skipped true: its path leaves the archive", "a/x#0 x"}},
		"deep":     {zipOf(packedFile{folder + "y", "1"}, x), []string{"a/x#0 x", "a/y skipped true: " + errLongName.Error()}},
		"long":     {zipOf(packedFile{strings.Repeat("b", 1025), "1"}, x), []string{"a/" + strings.Repeat("b", 1024) + " skipped true: " + errLongName.Error(), "a/x#0 x"}},
		"a folder": {zipOf(packedFile{"b", zipOf(x)}, packedFile{"b/x", "y"}), []string{"a/b/x skipped true: " + errTwice.Error(), "a/b/x#0 x"}},
	} {
		if got := walked(t, "a", c.text, false); !slices.Equal(got, c.want) {
			t.Errorf("%s: %.300q, want %.300q", what, got, c.want)
		}
	}
}

// A file of which only parts are in the archive is not read: its bytes would be others'.
func TestSparseFilesAreNotRead(t *testing.T) {
	for version, pax := range map[string]string{
		"0.0": "size=9 numblocks=1 offset=0 numbytes=3",
		"0.1": "size=9 numblocks=1 map=0,3",
		"1.0": "major=1 minor=0 name=x realsize=9",
	} {
		var records string
		for _, record := range strings.Fields(pax) {
			n := len(" GNU.sparse.\n") + len(record)
			records += fmt.Sprintf("%d GNU.sparse.%s\n", n+len(fmt.Sprint(n+2)), record)
		}
		header := tarOf(packedFile{"pax", records})
		header = header[:len(header)-1024]
		h := []byte(header)
		h[156] = 'x'
		sum := 8 * int(' ')
		for i, c := range h[:512] {
			if i < 148 || i >= 156 {
				sum += int(c)
			}
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		got := walked(t, "a", string(h)+tarOf(packedFile{"y", "1\n0\n3\n" + strings.Repeat("\x00", 506) + "abc"}, packedFile{"secret", "of another patient"}), false)
		if len(got) != 2 || count(got, "not a regular file") != 1 || count(got, "a/secret#0 of another patient") != 1 {
			t.Errorf("%s: %q", version, got)
		}
	}
}

// An archive that ends before its last zeros may lack files.
func TestTarThatIsCutOff(t *testing.T) {
	text := tarOf(packedFile{"x", "1"}, packedFile{"y", strings.Repeat("2", 1000)})
	for at := 512; at < len(text)-1024; at++ {
		got := walked(t, "a", text[:at], false)
		if !slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, "a skipped true: after") }) {
			t.Errorf("cut at %d: %q", at, got)
		}
		if count(got, "a/y#0") > 0 && at < 512*3+1000 {
			t.Errorf("cut at %d: %.300q", at, got)
		}
	}
}
